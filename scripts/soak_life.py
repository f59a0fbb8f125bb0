"""One life of a run in a soak: a process of its own, and when it ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from soak_disk import Operation, watch

KILLED = -signal.SIGKILL
STOPPED = 143  # by SIGTERM, after saving
MAX_SECONDS = 300.0  # longer is a run that hangs
ANY = "any disk operation"
SAVE = "mkdir checkpoints/.tmp-step-N-N"  # the first operation of a save


@dataclass(frozen=True)
class Death:
    """When a life ends.

    Attributes:
        operation: before this disk operation, or half-way through it if it has a middle; ANY; None: after `seconds`.
        count: at its how many-th time.
        seconds: since the start of the process.
    """

    operation: str | None = None
    count: int = 1
    seconds: float = MAX_SECONDS

    def __str__(self) -> str:
        if self.operation is None:
            return f"after {self.seconds:.2f} s"
        return f"{self.operation} ({self.count})"

    def hear(self) -> Callable[[Operation], None]:
        """Kills the process that calls it when its time has come."""
        left = self.count

        def count_down(operation: Operation) -> None:
            nonlocal left
            left -= self.operation in (ANY, operation.name)
            if left == 0:
                operation.tear()
                os.kill(os.getpid(), signal.SIGKILL)

        return count_down


def live(command: Sequence[str], run: Path, death: Death, lose: str | None = None) -> int:
    """Runs `attnfocus COMMAND` in a forked process, whose run directory is `run`, until its end or `death`.

    Args:
        lose: what the process forgets when it resumes, None for nothing.

    Returns:
        The exit code, KILLED for SIGKILL.

    Raises:
        TimeoutError: it hangs.
    """
    return _wait(start(command, run, death.hear() if death.operation else None, lose), death.seconds)


def observe(command: Sequence[str], run: Path, stop_in_save: int | None = None) -> tuple[int, list[str]]:
    """Like `live` to the end, or stopped by SIGTERM inside a save (counted from 1); also gives the disk operations."""
    notes = run.with_suffix(".operations")
    num_saves = 0

    def note(operation: Operation) -> None:
        nonlocal num_saves
        with notes.open("a", encoding="utf-8") as file:
            file.write(f"{operation.name}\n")
        num_saves += operation.name == SAVE
        if operation.name == SAVE and num_saves == stop_in_save:
            os.kill(os.getpid(), signal.SIGTERM)

    code = _wait(start(command, run, note, None), MAX_SECONDS)
    return code, notes.read_text(encoding="utf-8").splitlines()


def _wait(process: int, seconds: float) -> int:
    """The exit code; kills the process after `seconds`."""
    end = time.monotonic() + seconds
    while not (done := os.waitpid(process, os.WNOHANG))[0]:
        time.sleep(0.003)
        if time.monotonic() > end:
            os.kill(process, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            if seconds == MAX_SECONDS:
                raise TimeoutError(f"no end after {seconds:g} s")
            return code
    return os.waitstatus_to_exitcode(done[1])


def start(
    command: Sequence[str], run: Path, hear: Callable[[Operation], None] | None = None, lose: str | None = None
) -> int:
    """The process's number; in the new process it never returns."""
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        log = os.open(run.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.argv = ["attnfocus"]
        if lose is not None:
            _forget(lose)
        if hear is not None:
            watch(run, hear)
        from attnfocus.cli import main

        code = main(command)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _forget(what: str) -> None:
    """Negative control: a resumed run begins its epoch anew (position), or has no moments (optimizer)."""
    from attnfocus.training import Checkpoint
    from attnfocus.training.state import RunState

    if what == "optimizer":
        Checkpoint.load_optimizer = lambda *_: None  # type: ignore[method-assign]
    else:
        read = RunState.from_json
        RunState.from_json = lambda saved: replace(read(saved), position=0)  # type: ignore[method-assign]
