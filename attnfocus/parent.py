"""A process that a command has started ends when the command has died, wherever it is: no kill leaves any behind."""

import ctypes
import os
import signal
import sys
import threading
import time

OUR_AGENT = "ATTNFOCUS_AGENT"  # in the environment of processes that a command has started and watches: its pid
GRACE_SECONDS = 7.0  # to save and end after the command's death
_LOOK_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1  # of Linux's prctl.h
_TERMINATED = 143


def end_with_parent() -> None:
    """To be called first of all. In a process that no command has started it does nothing.

    The death of the command is a SIGTERM: before training it ends this process, in training it saves first. Whoever is
    then still here, such as one that waits for others, ends without more.
    """
    given = os.environ.get(OUR_AGENT, "")
    if not given.isdecimal() or sys.platform == "win32":
        return
    parent = int(given)
    is_signaled = sys.platform == "linux" and ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) == 0
    if os.getppid() != parent:  # it died before this was asked for
        os._exit(_TERMINATED)
    threading.Thread(target=_watch, args=(parent, is_signaled), name="attnfocus-parent", daemon=True).start()


def _watch(parent: int, is_signaled: bool) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    if not is_signaled:
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(_TERMINATED)
