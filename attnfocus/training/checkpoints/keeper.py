"""Saving a run and going back to what was saved."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Optimizer

from attnfocus.errors import CheckpointError, RunError
from attnfocus.events import CheckpointSaved, Listener
from attnfocus.limits import NonNegativeInt, PositiveFloat, PositiveInt
from attnfocus.records import to_record, to_value
from attnfocus.training.checkpoints.average import Average
from attnfocus.training.checkpoints.checkpoint import STATE, Checkpoint, open_checkpoint
from attnfocus.training.checkpoints.store import CheckpointStore
from attnfocus.training.checkpoints.tensors import model_tensors, optimizer_tensors
from attnfocus.training.distributed.processes import Processes
from attnfocus.training.schedulers import Schedule
from attnfocus.training.state import RunState

logger = logging.getLogger(__name__)


@dataclass
class ScalerState:
    """What torch's GradScaler saves."""

    scale: PositiveFloat
    growth_factor: PositiveFloat
    backoff_factor: PositiveFloat
    growth_interval: PositiveInt
    _growth_tracker: NonNegativeInt


class Keeper:
    """Everything of a run that outlives the process, on its way to the disk and back.

    Attributes:
        unsaved: something was learned since the last save.
        saved_path: the last good checkpoint.
    """

    def __init__(
        self,
        store: CheckpointStore,
        model: nn.Module,
        optimizer: Optimizer,
        scheduler: Schedule,
        scaler: Any,
        average: Average | None,
        listeners: Sequence[Listener],
        processes: Processes,
    ) -> None:
        self.store, self.model, self.optimizer, self.scheduler = store, model, optimizer, scheduler
        self.scaler, self.average, self.listeners, self.processes = scaler, average, listeners, processes
        self.unsaved = False
        self.saved_path: Path | None = None
        self._save_failed = False
        self._started = time.perf_counter()

    def seconds(self, state: RunState) -> float:
        """Time since the start of the run, resumed parts added up."""
        return state.seconds + time.perf_counter() - self._started

    def count_from(self, state: RunState, seconds: float) -> None:
        """Lets the run be `seconds` old now."""
        state.seconds = seconds - (time.perf_counter() - self._started)

    def save(self, state: RunState, *, is_last: bool) -> None:
        """Saves; a disk that is full costs the run only its last save.

        Raises:
            RunError: the last save failed.
        """
        content = {
            "run": replace(state, seconds=self.seconds(state)).to_json(),
            "scheduler": self.scheduler.state_dict(),
            "scaler": None if self.scaler is None else self.scaler.state_dict(),
        }
        is_best = state.best is not None and state.best.step == state.step
        averaged = None if self.average is None else self.average.module
        problem = f"{self.store.folder}: step {state.step} could not be saved"

        def write() -> str:
            nonlocal problem
            try:
                path = self.store.save(
                    state.step, self.model, self.optimizer, content, is_best=is_best, averaged=averaged
                )
            except OSError as error:
                problem += f" ({error.strerror or error})"
                return ""
            return str(path)

        if self.processes.holds_part and not self.processes.is_first:
            optimizer_tensors(self.optimizer, self.model)  # of which the first process asks for the parts
            model_tensors(self.model)
        saved = self.processes.shared(write)
        if not saved:
            if is_last:
                raise RunError(f"{problem}. Last good checkpoint: {self.saved_path or 'none'}. Make room.")
            if not self._save_failed:  # once, not at each try
                logger.warning("%s; training goes on and tries again", problem)
            self._save_failed = True
            return
        self.unsaved = self._save_failed = False
        self.saved_path = Path(saved)
        for listener in self.listeners:
            listener.on_checkpoint(CheckpointSaved(state.step, self.saved_path, is_best))

    def restore(self, seed: int) -> RunState | None:
        """The newest whole checkpoint, into model, optimizer and schedule; None when nothing was ever saved.

        Raises:
            CheckpointError: nothing whole is left, or it is of another run.
        """
        path = self.processes.shared(self._finish_save)
        if not path:
            return None
        checkpoint = open_checkpoint(Path(path))
        saved = checkpoint.state()
        state = _run_state(checkpoint, saved)
        if state.seed != seed:
            raise CheckpointError(f"{checkpoint.path}: was trained with seed={state.seed}, not {seed}. Set that.")
        checkpoint.load_trained(self.model)
        checkpoint.load_optimizer(self.optimizer, self.model)
        if self.average is not None:
            checkpoint.load_average(self.average.module)
            self.average.resume(state.step)
        self._restore_rates(checkpoint, saved)
        self.saved_path = checkpoint.path
        self.unsaved = False
        self._started = time.perf_counter()
        return state

    def _restore_rates(self, checkpoint: Checkpoint, saved: Mapping[str, Any]) -> None:
        """The schedule and the scale of the loss."""
        try:
            schedule, scaler = to_value(saved.get("scheduler"), dict[str, Any], "scheduler"), saved.get("scaler")
            try:
                self.scheduler.load_state_dict(schedule)
            except (KeyError, TypeError, AssertionError) as error:
                raise ValueError(f"scheduler: does not fit this schedule ({error or type(error).__name__})") from None
            if self.scaler is not None and scaler is not None:
                to_record(ScalerState, scaler, key="scaler")
                self.scaler.load_state_dict(scaler)
        except ValueError as error:
            raise _damaged(checkpoint, error) from None

    def _finish_save(self) -> str:
        """The newest whole checkpoint's folder, after the rest of a save that was killed; empty if there is none."""
        checkpoint = self.store.newest()
        if checkpoint is None:
            return ""
        best = _run_state(checkpoint, checkpoint.state()).best
        return str(self.store.finish_save(checkpoint, None if best is None else best.step))


def _run_state(checkpoint: Checkpoint, saved: Mapping[str, Any]) -> RunState:
    """Where the run was.

    Raises:
        CheckpointError: that is not what state.json tells, or not of this checkpoint.
    """
    try:
        state = RunState.from_json(to_value(saved.get("run"), dict[str, Any], "run"))
        if state.step != checkpoint.step:
            raise ValueError(f"run.step: is {state.step}, and the checkpoint is of step {checkpoint.step}")
    except ValueError as error:
        raise _damaged(checkpoint, error) from None
    return state


def _damaged(checkpoint: Checkpoint, error: ValueError) -> CheckpointError:
    return CheckpointError(f"{checkpoint.path / STATE}: {error}. Use an undamaged copy.")
