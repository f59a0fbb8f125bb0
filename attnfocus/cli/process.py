"""What the process of a command is told before it starts to work: about its threads, its memory, its garbage."""

import ctypes
import gc
import os
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from attnfocus.collector import without_collector
from attnfocus.threads import choose_waiting, look_at_cores

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h

_FIRST_LOOK = look_at_cores()  # a command imports this module before Hydra, which takes a few tenths of a second


@cache
def prepare_process() -> None:
    """To be called before torch is loaded: in the process of a command, and where a launcher runs a job in another.

    Later calls in a process do nothing.
    """
    choose_waiting(_FIRST_LOOK, look_at_cores())
    keep_memory()
    keep_path_safe()


def is_further_process() -> bool:
    """Whether torchrun has started this process beside the first, which has the same command line."""
    return "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("RANK", "0") != "0"


def keep_path_safe() -> None:
    """Processes that are started from here import nothing from the current folder: no `yaml.py` that lies there.

    Where this package itself is found only because it lies there, they are told its folder.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    folder = str(Path(__file__).resolve().parents[2])
    if folder not in sys.path[1:]:  # the first is the current folder, or that of the command
        given = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = f"{given}{os.pathsep}{folder}" if given else folder


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
