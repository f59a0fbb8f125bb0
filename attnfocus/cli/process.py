"""What the process of a command is told before it starts to work: about its threads, its memory, its garbage."""

import ctypes
import gc
import os
import sys
import time
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from attnfocus.collector import without_collector

MIN_LOOK = 0.05  # seconds: the system counts in hundredths
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


@dataclass(frozen=True)
class CoreTimes:
    """A look at the cores that this process may use, in seconds since the machine or the process started."""

    clock: float
    busy: float  # of all processes, these cores together
    own: float

    @classmethod
    def now(cls) -> "CoreTimes | None":
        """None where the system does not say (any but Linux)."""
        try:
            rows = [line.split() for line in Path("/proc/stat").read_text(encoding="ascii").splitlines()]
            names = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        except (OSError, AttributeError, ValueError):
            return None
        ticks = sum(sum(map(int, row[1:4])) for row in rows if row[0] in names)  # user, nice, system
        return cls(time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), time.process_time())

    def others(self, later: "CoreTimes") -> float:
        """How many cores other processes had in between, on average."""
        return (later.busy - self.busy - later.own + self.own) / (later.clock - self.clock)


_FIRST_LOOK = CoreTimes.now()  # a command imports this module before Hydra, which takes a few tenths of a second


@cache
def prepare_process() -> None:
    """To be called before torch is loaded: in the process of a command, and where a launcher runs a job in another.

    Later calls in a process do nothing.
    """
    choose_waiting(_FIRST_LOOK)
    keep_memory()


def choose_waiting(before: CoreTimes | None) -> None:
    """How long torch's threads wait for one another before they sleep; read when torch is loaded.

    By themselves they wait for milliseconds, and then two threads train up to a third faster where a step has many
    small parts. But they stand still where another process wants their core, and a step can take ten times as long:
    then they sleep after microseconds. (At once, as with OMP_WAIT_POLICY=PASSIVE, a third of the speed would be lost.)

    Args:
        before: the cores some time ago. Their use since then tells whether there is one for each thread.
    """
    if "OMP_WAIT_POLICY" in os.environ or (before is not None and _has_cores(before)):
        return
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")


def _has_cores(before: CoreTimes) -> bool:
    now = CoreTimes.now()
    if now is None or now.clock - before.clock < MIN_LOOK:
        return False
    cores = len(os.sched_getaffinity(0))
    given = os.environ.get("OMP_NUM_THREADS", "")
    threads = int(given) if given.isdecimal() else cores
    return threads + before.others(now) < cores + 0.5


def keep_memory() -> None:
    """Lets glibc keep what is freed, for the next step, which needs as much again.

    By itself it gives blocks of some MiB back to the system and asks for them anew, page by page and filled with zeros,
    some 12,000 pages in a step of a small Transformer: 5 % of the time of training, 10 % of a beam search. The most
    memory that a run holds is the same. Other systems, and thresholds set in the environment, stay as they are.
    """
    chosen = "MALLOC_TRIM_THRESHOLD_" in os.environ or "trim_threshold" in os.environ.get("GLIBC_TUNABLES", "")
    set_option = None if sys.platform != "linux" else getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None or chosen:
        return
    set_option(M_MMAP_THRESHOLD, 2**25)  # bytes; the most that every version takes
    set_option(M_TRIM_THRESHOLD, 2**31 - 1)


def import_quickly(name: str) -> ModuleType:
    """The module; where it is the one that loads torch, without a search for garbage on the way, or among it later.

    Loading torch makes 300,000 objects that stay until the end. Looking through them as they grow takes a seventh of
    the time that it takes to load it, and as long again in each full search while the command works.
    """
    if "torch" in sys.modules or not gc.isenabled():
        return import_module(name)
    with without_collector():
        module = import_module(name)
        gc.freeze()
    return module
