"""What a command asks of its process, looked at in one of its own."""

import json
import os
import subprocess
import sys

import pytest

from attnfocus.cli.process import CoreTimes, choose_waiting

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

# Looks at the cores, waits, and decides, while OTHERS processes work.
WAITING = """
import json, os, subprocess, sys, time
from attnfocus.cli.process import CoreTimes, choose_waiting
others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(OTHERS)]
before = CoreTimes.now()
time.sleep(1)
choose_waiting(before)
for other in others:
    other.kill()
    other.wait()
print(json.dumps(os.environ.get("GOMP_SPINCOUNT")))
"""


def printed_by(script, **env):
    """What a process of its own prints; a variable of None is not set in it."""
    env = {name: value for name, value in {**os.environ, **env}.items() if value is not None}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
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


def waiting(others, **env):
    return printed_by(WAITING.replace("OTHERS", others), **{"GOMP_SPINCOUNT": None, "OMP_WAIT_POLICY": None, **env})


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not say")
def test_threads_wait_briefly_where_others_want_the_cores():
    assert waiting("2", OMP_NUM_THREADS=None) == "2000"
    assert waiting("2", GOMP_SPINCOUNT="70") == "70"
    assert waiting("2", OMP_WAIT_POLICY="ACTIVE") is None
    assert waiting("2", OMP_NUM_THREADS="100000") == "2000"


@pytest.mark.parametrize(
    ("threads", "others", "has_cores"),
    [(4, 0.0, True), (4, 0.4, True), (4, 1.0, False), (2, 1.9, True), (2, 2.9, False), (1, 3.0, True)],
)
def test_a_core_for_each_thread(monkeypatch, threads, others, has_cores):
    """Four cores; a second in which other processes had `others` of them, and this one half a core."""
    before = CoreTimes(clock=10.0, busy=100.0, own=1.0)
    later = CoreTimes(clock=11.0, busy=100.5 + others, own=1.5)
    monkeypatch.setattr(CoreTimes, "now", classmethod(lambda cls: later))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(os, "environ", environment := {"OMP_NUM_THREADS": str(threads)})
    choose_waiting(before)
    assert environment.get("GOMP_SPINCOUNT") == (None if has_cores else "2000")


@pytest.mark.parametrize("before", [None, CoreTimes(clock=1.0, busy=1.0, own=1.0)])
def test_without_a_look_long_enough_threads_wait_briefly(monkeypatch, before):
    monkeypatch.setattr(CoreTimes, "now", classmethod(lambda cls: before))
    monkeypatch.setattr(os, "environ", environment := {})
    choose_waiting(before)
    assert environment == {"GOMP_SPINCOUNT": "2000"}


def test_torch_is_loaded_without_a_search_for_garbage():
    during, set_aside, is_enabled, set_aside_later, found = printed_by(IMPORTS)
    assert during == 0
    assert set_aside > 100_000
    assert is_enabled
    assert set_aside_later <= 0  # what the command makes is looked through as ever
    assert found > 0
