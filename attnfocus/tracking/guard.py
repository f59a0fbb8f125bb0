"""A listener that fails stops; the run goes on."""

import logging
import os
from collections.abc import Callable
from contextlib import suppress

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
from attnfocus.redaction import hide

logger = logging.getLogger(__name__)


class Guarded(Listener):
    """Passes events to `listener` until it raises something; then warns once, closes it, and passes nothing on.

    Args:
        warn: called once, with one line. It may fail with an OSError itself.
        name: of the listener in the warning; None: that of its class.
        is_strict: errors other than OSError (disk full, closed pipe) go up. So are our own under test, where such an
            error is a fault to be found: see `own_are_strict`.
    """

    def __init__(
        self, listener: Listener, warn: Callable[[str], object], *, name: str | None = None, is_strict: bool = False
    ) -> None:
        self.listener = listener
        self.name = name or type(listener).__name__
        self._warn = warn
        self._is_strict = is_strict
        self.stopped = False

    def on_start(self, event: TrainingStarted) -> None:
        self._pass(lambda: self.listener.on_start(event))

    def on_first_step(self, event: FirstStepDone) -> None:
        self._pass(lambda: self.listener.on_first_step(event))

    def on_progress(self, event: Progress) -> None:
        self._pass(lambda: self.listener.on_progress(event))

    def on_evaluation(self, event: Evaluated) -> None:
        self._pass(lambda: self.listener.on_evaluation(event))

    def on_checkpoint(self, event: CheckpointSaved) -> None:
        self._pass(lambda: self.listener.on_checkpoint(event))

    def on_rollback(self, event: RolledBack) -> None:
        self._pass(lambda: self.listener.on_rollback(event))

    def on_end(self, event: TrainingEnded) -> None:
        self._pass(lambda: self.listener.on_end(event))

    def stop_request(self) -> StopRequest | None:
        if self.stopped:
            return None
        try:
            request = self.listener.stop_request()
            if request is None or isinstance(request, StopRequest):
                return request
            raise TypeError(f"stop_request gave {type(request).__name__}, not StopRequest or None")
        except Exception as error:
            self._stop(error)
        return None

    def close(self) -> None:
        if self.stopped:
            return
        self.stopped = True
        try:
            self.listener.close()
        except Exception as error:
            self._tell(error)

    def _pass(self, call: Callable[[], None]) -> None:
        if self.stopped:
            return
        try:
            call()
        except Exception as error:
            self._stop(error)

    def _stop(self, error: Exception) -> None:
        self.stopped = True
        with suppress(Exception):
            self.listener.close()
        self._tell(error)

    def _tell(self, error: Exception) -> None:
        if isinstance(error, OSError):
            where = f" ({error.filename})" if error.filename else ""
            what = f"{error.strerror or error}{where}"
        elif self._is_strict:
            raise error
        else:
            logger.info("%s failed", self.name, exc_info=error)  # for its author, in train.log
            first_line = next(iter(str(error).splitlines()), "")
            what = f"{type(error).__name__}: {first_line}".rstrip(": .")
        with suppress(OSError):
            self._warn(hide(f"{self.name} stopped: {what}. The run goes on without it."))


def own_are_strict() -> bool:
    """Whether errors of our own listeners end the run: under our own tests."""
    return os.environ.get("ATTNFOCUS_STRICT_TRACKERS") == "1"
