"""A listener that cannot write stops; the run goes on."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from attnfocus.events import (
    CheckpointSaved,
    Evaluated,
    FirstStepDone,
    Listener,
    Progress,
    RolledBack,
    StopRequest,
    TrainingEnded,
    TrainingStarted,
)

Event = TypeVar("Event")


class Guarded(Listener):
    """Passes events to `listener` until it fails with an OSError (disk full, closed pipe); then warns once and stops.

    Any other error is a fault of the program and goes up.

    Args:
        warn: called once, with one line. It may fail with an OSError itself.
    """

    def __init__(self, listener: Listener, warn: Callable[[str], object]) -> None:
        self.listener = listener
        self._warn = warn
        self.stopped = False

    def on_start(self, event: TrainingStarted) -> None:
        self._pass(self.listener.on_start, event)

    def on_first_step(self, event: FirstStepDone) -> None:
        self._pass(self.listener.on_first_step, event)

    def on_progress(self, event: Progress) -> None:
        self._pass(self.listener.on_progress, event)

    def on_evaluation(self, event: Evaluated) -> None:
        self._pass(self.listener.on_evaluation, event)

    def on_checkpoint(self, event: CheckpointSaved) -> None:
        self._pass(self.listener.on_checkpoint, event)

    def on_rollback(self, event: RolledBack) -> None:
        self._pass(self.listener.on_rollback, event)

    def on_end(self, event: TrainingEnded) -> None:
        self._pass(self.listener.on_end, event)

    def stop_request(self) -> StopRequest | None:
        return None if self.stopped else self.listener.stop_request()

    def close(self) -> None:
        if self.stopped:
            return
        try:
            self.listener.close()
        except OSError as error:
            self._stop(error)

    def _pass(self, method: Callable[[Event], None], event: Event) -> None:
        if self.stopped:
            return
        try:
            method(event)
        except OSError as error:
            self._stop(error)

    def _stop(self, error: OSError) -> None:
        self.stopped = True
        with suppress(OSError):
            self.listener.close()
        name = type(self.listener).__name__
        where = f" ({error.filename})" if error.filename else ""
        with suppress(OSError):
            self._warn(f"{name} stopped: {error.strerror or error}{where}. The run goes on without it.")
