"""What a command asks of its process, looked at in one of its own."""

import json
import os
import subprocess
import sys

import pytest

from attnfocus import threads
from attnfocus.threads import choose_waiting, waiting

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

# Looks at the cores, and again a second later, while OTHERS processes work.
WAITING = """
import json, os, subprocess, sys, time
from attnfocus.threads import choose_waiting, look_at_cores
others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(OTHERS)]
before = look_at_cores()
time.sleep(1)
choose_waiting(before, look_at_cores())
for other in others:
    other.kill()
    other.wait()
print(json.dumps(os.environ.get("GOMP_SPINCOUNT")))
"""

# A command that ends with a mistake.
MISTAKEN = """
import json, sys
from attnfocus.cli.main import main
main(["train", "sead=1"])
print(json.dumps(list(sys.modules)))
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


def waiting_beside(others, **env):
    return printed_by(WAITING.replace("OTHERS", others), **{"GOMP_SPINCOUNT": None, "OMP_WAIT_POLICY": None, **env})


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not say")
def test_threads_wait_briefly_where_others_want_the_cores():
    assert waiting_beside("2", OMP_NUM_THREADS=None) == "2000"
    assert waiting_beside("2", GOMP_SPINCOUNT="70") == "70"
    assert waiting_beside("2", OMP_WAIT_POLICY="active") is None


@pytest.fixture
def environment(monkeypatch):
    for name in threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("num_threads", "others", "expected"),
    [
        *(("4", 0.0, "active"), ("4", 0.4, "active"), ("4", 1.0, "GOMP_SPINCOUNT=2000")),
        *(("2", 1.9, "active"), ("2", 2.9, "GOMP_SPINCOUNT=2000"), ("1", 3.0, "active"), ("x", 0.0, "active")),
    ],
)
def test_threads_wait_actively_where_each_has_a_core_of_four(environment, num_threads, others, expected):
    environment.setenv("OMP_NUM_THREADS", num_threads)
    choose_waiting((10.0, 100.0), (12.0, 100.0 + 2 * others))
    assert waiting() == expected


@pytest.mark.parametrize("looks", [(None, (1.0, 1.0)), ((1.0, 1.0), None), ((1.0, 1.0), (1.04, 1.0))])
def test_without_a_look_long_enough_threads_wait_briefly(environment, looks):
    choose_waiting(*looks)
    assert waiting() == "GOMP_SPINCOUNT=2000"


def test_who_sets_a_variable_has_chosen(environment):
    environment.setenv("OMP_WAIT_POLICY", "passive")
    choose_waiting(None, None)
    assert waiting() == "OMP_WAIT_POLICY=passive"


def test_a_command_looks_at_the_cores_before_it_loads_hydra():
    modules = printed_by(MISTAKEN)
    assert modules.index("attnfocus.cli.process") < modules.index("hydra")


@pytest.mark.slow
def test_torch_is_loaded_without_a_search_for_garbage():
    during, set_aside, is_enabled, set_aside_later, found = printed_by(IMPORTS)
    assert during == 0
    assert set_aside > 100_000
    assert is_enabled
    assert set_aside_later <= 0  # what the command makes is looked through as ever
    assert found > 0
