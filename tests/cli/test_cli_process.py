"""What a command asks of its process, looked at in one of its own."""

import json
import os
import subprocess
import sys

import pytest

# Each round frees 96 MiB together, which glibc gives back by itself: 24,000 pages to be asked for again.
ROUNDS = """
import json, os, resource
from attnfocus.cli.process import keep_memory
keep_memory()
def touch():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [bytearray(b"x") * (24 << 20) for _ in range(4)]
    del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(json.dumps([touch() for _ in range(4)]))
"""

IMPORTS = """
import gc, json
from attnfocus.cli.process import import_quickly
searches = []
gc.callbacks.append(lambda phase, found: searches.append(phase))
import_quickly("torch")
during, set_aside = len(searches), gc.get_freeze_count()
import_quickly("attnfocus.models")
cycle = []
cycle.append(cycle)
del cycle
print(json.dumps([during, set_aside, gc.isenabled(), gc.get_freeze_count() - set_aside, gc.collect()]))
"""


def printed_by(script, **env):
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **env}, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def pages_asked_for(**env):
    return printed_by(ROUNDS, **env)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone")
def test_freed_memory_is_used_again():
    first, *others = pages_asked_for()
    assert first > 20_000
    assert max(others) < 2_000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone")
def test_a_threshold_of_ones_own_is_kept():
    assert min(pages_asked_for(MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="131072")) > 20_000


def test_torch_is_loaded_without_a_search_for_garbage():
    during, set_aside, is_enabled, set_aside_later, found = printed_by(IMPORTS)
    assert during == 0
    assert set_aside > 100_000
    assert is_enabled
    assert set_aside_later <= 0  # what the command makes is looked through as ever
    assert found > 0
