"""Ends the process at a second signal, whatever the main thread is doing.

Python runs its handlers between two instructions of the main thread. Inside one long operation (a product of large
matrices) there is no such moment, and any number of signals would only be noted. The interpreter writes the number of
each into a pipe at once, though (`signal.set_wakeup_fd`), and a thread reads there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

SAVE_SECONDS = 10.0  # for a save that is under way
LEAVE_SECONDS = 1.0  # for the main thread to end by itself, with its own last words
SAME_SECONDS = 0.5  # two SIGTERM within this time are one that came on two ways
_FIRST_ONLY = tuple(getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2") if hasattr(signal, name))


class SecondSignal:
    """While entered, in the main thread: a second SIGINT or SIGTERM ends the process with 128 + its number.

    A SIGTERM after SIGUSR1 or SIGUSR2 is no second one: clusters send both. Within one that is entered, another may be:
    the inner one then decides, and what has come counts for both.

    Args:
        is_saving: whether a save is under way, which then gets 10 s.
    """

    def __init__(self, is_saving: Callable[[], bool] = lambda: False) -> None:
        self._is_saving = is_saving
        self._left = threading.Event()
        self._first: tuple[int, float] | None = None  # number, and when it came
        self._write = self._previous = -1

    def start(self) -> None:
        read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._previous = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        _active.append(self)
        threading.Thread(target=self._watch, args=(read,), name="second signal", daemon=True).start()

    def stop(self) -> None:
        self._left.set()
        _active.remove(self)
        signal.set_wakeup_fd(self._previous)
        os.close(self._write)  # which ends the thread

    def _watch(self, read: int) -> None:
        with open(read, "rb", buffering=0) as numbers:
            while number := numbers.read(1):
                if self._previous >= 0:  # somebody else's, such as an event loop
                    with contextlib.suppress(OSError):
                        os.write(self._previous, number)
                self._hear(number[0])

    def _hear(self, number: int) -> None:
        first, self._first = self._first, self._first or (number, time.monotonic())
        if first is None or number not in (signal.SIGINT, signal.SIGTERM) or _active[-1:] != [self]:
            return
        if number == signal.SIGTERM:
            is_same = first[0] == number and time.monotonic() - first[1] < SAME_SECONDS
            if first[0] in _FIRST_ONLY or is_same:
                self._first = (number, time.monotonic() if first[0] in _FIRST_ONLY else first[1])
                return
        end = time.monotonic() + SAVE_SECONDS
        while self._is_saving() and time.monotonic() < end and not self._left.is_set():
            time.sleep(0.05)
        if not self._left.wait(LEAVE_SECONDS if number == signal.SIGINT else 0.0):
            os._exit(128 + number)


_active: list[SecondSignal] = []


@contextlib.contextmanager
def second_signal() -> Iterator[None]:
    """A `SecondSignal` around a whole command. Outside the main thread, where Python has no handlers: nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    watch = SecondSignal()
    watch.start()
    try:
        yield
    finally:
        watch.stop()


def _leave_in_child() -> None:
    """A forked process would write its signals into the pipe of its parent."""
    if _active:
        with contextlib.suppress(ValueError):
            signal.set_wakeup_fd(-1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_in_child)
