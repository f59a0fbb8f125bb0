"""What a command asks of its process, looked at in one of its own."""

import json
import os
import subprocess
import sys

import pytest

# Each round frees 96 MiB together, which glibc gives back by itself: 24,000 pages to be asked for again.
ROUNDS = """
import json, os, resource
from attnfocus.cli.verbs import _keep_memory
_keep_memory()
def touch():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [bytearray(b"x") * (24 << 20) for _ in range(4)]
    del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(json.dumps([touch() for _ in range(4)]))
"""


def pages_asked_for(**env):
    done = subprocess.run(
        [sys.executable, "-c", ROUNDS], env={**os.environ, **env}, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone")
def test_freed_memory_is_used_again():
    first, *others = pages_asked_for()
    assert first > 20_000
    assert max(others) < 2_000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone")
def test_a_threshold_of_ones_own_is_kept():
    assert min(pages_asked_for(MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="131072")) > 20_000
