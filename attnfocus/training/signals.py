"""Turns signals into a polite request: finish the step, save, stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from attnfocus.second_signal import SecondSignal

_NAMES = (
    "SIGINT",
    "SIGTERM",
    "SIGUSR1",
    "SIGUSR2",
)  # the last two: cluster schedulers, before they take a machine away


class Interrupted(BaseException):
    """A signal came inside `SignalGuard.interruptible`. Not an Exception, so that no handler of those swallows it."""


class SignalGuard:
    """While entered, the first signal is remembered in `received`; Ctrl-C after that raises KeyboardInterrupt at once.

    Where the main thread cannot even do that, a second signal ends the process (`second_signal`). Signals that were
    ignored stay ignored (`nohup`, background jobs). Outside the main thread Python allows no handlers: there the guard
    does nothing, and signals act as they did before.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}
        self._may_raise = False
        self._is_saving = False
        self._second: SecondSignal | None = None

    def __enter__(self) -> SignalGuard:
        if threading.current_thread() is threading.main_thread():
            for name in _NAMES:
                number = getattr(signal, name, None)  # Windows lacks some
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._handle) or signal.SIG_DFL
            self._second = SecondSignal(lambda: self._is_saving)
            self._second.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._second is not None:
            self._second.stop()
            self._second = None
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Around a save, which a second SIGTERM lets end."""
        self._is_saving = True
        try:
            yield
        finally:
            self._is_saving = False

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Around work that can be dropped and done again: a signal raises Interrupted there and then."""
        self._may_raise = True
        try:
            if self.received is not None:
                raise Interrupted
            yield
        finally:
            self._may_raise = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        self.received = signal.Signals(number)
        if self._may_raise:
            raise Interrupted
