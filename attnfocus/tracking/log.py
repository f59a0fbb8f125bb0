"""train.log: what happened, line by line; warnings go to the screen too."""

import io
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from attnfocus.display.text import duration, number
from attnfocus.events import CheckpointSaved, Evaluated, Listener, TrainingEnded, TrainingStarted
from attnfocus.redaction import hide
from attnfocus.regular_files import open_to_append
from attnfocus.visible import visible

PACKAGE = "attnfocus"
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_DATE = "%Y-%m-%dT%H:%M:%S%z"


class RunLog:
    """Sends the package's log to `path`, from INFO up, and to the screen, from WARNING up, until it is closed.

    Warnings of libraries (Python's `warnings`) go to the file only. A file that cannot be written is given up with
    one warning on the screen. Works as a context manager.

    Args:
        path: the file, which is continued when there is one.
        announce: shows a line on the screen, such as `Terminal.announce`.
    """

    def __init__(self, path: str | Path, announce: Callable[[str], object] | None = None) -> None:
        self._logger = logging.getLogger(PACKAGE)
        self._before = (self._logger.level, self._logger.propagate)
        self._screen = None if announce is None else _ScreenHandler(announce)
        self._file = _FileHandler(path, announce)
        self._file.setFormatter(_Formatter(_FORMAT, _DATE))
        for name, logger in logging.root.manager.loggerDict.items():
            if isinstance(logger, logging.Logger) and name.split(".")[0] in (PACKAGE, "py"):
                logger.disabled = False  # between the jobs of a sweep Hydra silences every logger
        self._logger.setLevel(logging.INFO)
        self._logger.propagate = False
        self._logger.addHandler(self._file)
        if self._screen is not None:
            self._logger.addHandler(self._screen)
        self._warnings = logging.getLogger("py.warnings")
        self._warnings_before = (self._warnings.level, self._warnings.propagate)
        self._warnings.setLevel(logging.WARNING)  # Hydra sets the root, from which it would take its level, to ERROR
        self._warnings.propagate = False
        self._warnings.addHandler(self._file)
        logging.captureWarnings(True)

    def close(self) -> None:
        logging.captureWarnings(False)
        self._warnings.level, self._warnings.propagate = self._warnings_before
        self._logger.level, self._logger.propagate = self._before
        self._warnings.removeHandler(self._file)
        self._logger.removeHandler(self._file)
        if self._screen is not None:
            self._logger.removeHandler(self._screen)
        with suppress(OSError):
            self._file.close()

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LogEvents(Listener):
    """Writes the turning points of a run into the log: start, evaluations, checkpoints, end."""

    def __init__(self) -> None:
        self._log = logging.getLogger(f"{PACKAGE}.run")

    def on_start(self, event: TrainingStarted) -> None:
        resumed = "" if event.resumed_from is None else f", resumed from step {event.resumed_from}"
        self._log.info("training started in %s%s", event.run_dir, resumed)

    def on_evaluation(self, event: Evaluated) -> None:
        metrics = " ".join(f"{name}={number(value)}" for name, value in event.metrics.items())
        best = " (best)" if event.is_best else ""
        self._log.info("step %d %s: %s%s", event.step, event.split, metrics, best)

    def on_checkpoint(self, event: CheckpointSaved) -> None:
        self._log.info("step %d: checkpoint %s%s", event.step, event.path, " (best)" if event.is_best else "")

    def on_end(self, event: TrainingEnded) -> None:
        self._log.info("training ended at step %d after %s: %s", event.step, duration(event.seconds), event.reason)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(visible(line) for line in hide(super().format(record)).splitlines())


class _FileHandler(logging.FileHandler):
    def __init__(self, path: str | Path, announce: Callable[[str], object] | None) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace", delay=True)
        self._announce = announce
        self._has_failed = False

    def _open(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(
            io.BufferedWriter(open_to_append(Path(self.baseFilename))), encoding="utf-8", errors=self.errors
        )

    def emit(self, record: logging.LogRecord) -> None:
        if self._has_failed:
            return
        try:
            super().emit(record)
        except OSError as error:  # from opening the file, which emit does outside of handleError
            self._fail(error)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._fail(error)
        else:
            super().handleError(record)

    def _fail(self, error: OSError) -> None:
        self._has_failed = True
        stream, self.stream = self.stream, None
        if stream is not None:
            with suppress(OSError):
                stream.close()
        if self._announce is not None:
            with suppress(OSError):
                self._announce(f"warning: {self.baseFilename} stopped: {error.strerror}. The run goes on without it.")


class _ScreenHandler(logging.Handler):
    """Shows the `brief` of a record, where it has one, in place of its message."""

    def __init__(self, announce: Callable[[str], object]) -> None:
        super().__init__(logging.WARNING)
        self._announce = announce

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # a closed pipe: the file has the line
            self._announce(f"{record.levelname.lower()}: {getattr(record, 'brief', None) or record.getMessage()}")
