"""What the listeners of a run are told: its start, each step, evaluations, rollbacks, its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from torch.optim import Optimizer

from attnfocus.events import (
    Evaluated,
    FirstStepDone,
    Listener,
    Progress,
    RolledBack,
    RunFacts,
    TrainingEnded,
    TrainingStarted,
)
from attnfocus.training.options import TrainerOptions
from attnfocus.training.protocols import EvaluationLike
from attnfocus.training.schedulers import Schedule
from attnfocus.training.state import RunState, Window
from attnfocus.training.step import Gradients
from attnfocus.training.stop_rules import evaluation_due, fraction_done
from attnfocus.training.time_left import TimeLeft

logger = logging.getLogger(__name__)


class Teller:
    """Logged events hold means since the last logged one, and so are the same in every run; others since any.

    Args:
        screen_seconds: at least, between events for the eye alone.
    """

    def __init__(self, options: TrainerOptions, listeners: Sequence[Listener], screen_seconds: float) -> None:
        self.options, self.listeners, self.screen_seconds = options, listeners, screen_seconds
        self._screen = Window()
        self._last_event = time.perf_counter()
        self._is_first = True
        self.time_left = TimeLeft(self._last_event)

    def start(self, state: RunState, run_dir: Path, resumed_from: int | None, facts: RunFacts) -> None:
        options = self.options
        steps = options.steps_per_epoch(state.epoch_batches)
        limits = options.max_steps, options.max_epochs
        self.time_left = TimeLeft(time.perf_counter())  # without what came before
        event = TrainingStarted(run_dir, *limits, steps, resumed_from, state.is_evaluated, facts)
        for listener in self.listeners:
            listener.on_start(event)

    def changes(self, state: RunState, schedule: Schedule) -> None:
        """Says in a line each in what a run that goes on beyond its end differs from one that never ended there."""
        change = schedule.change(state.step)
        if change:
            logger.warning("%s", change)
        ended_here = state.evaluated_step == state.step and not evaluation_due(self.options, state)
        if ended_here and state.best is not None and state.best.step == state.step:
            logger.warning("the run had ended at step %s, which is the best so far and stays a candidate", state.step)

    def progress(
        self,
        state: RunState,
        gradients: Gradients,
        step_seconds: float,
        optimizer: Optimizer,
        seconds: float,
    ) -> None:
        """After a step that took `step_seconds`; `seconds` is the age of the run."""
        state.num_words += gradients.num_words
        state.step_seconds += step_seconds
        self.time_left.step()
        for window in (state.window, self._screen):
            window.add(gradients, step_seconds)
        if self._is_first:
            self._is_first = False
            for listener in self.listeners:
                listener.on_first_step(FirstStepDone(state.step))
        now = time.perf_counter()
        is_logged = state.step % self.options.log_every_steps == 0
        if not is_logged and now - self._last_event < self.screen_seconds:
            return
        window = state.window if is_logged else self._screen
        eta_seconds, is_eta_whole = self.time_left.of(self.options, state, now, seconds)
        event = Progress(
            step=state.step,
            epoch=state.epoch_of_step,
            fraction_done=fraction_done(self.options, state, seconds),
            seconds=seconds,
            eta_seconds=eta_seconds,
            loss=window.loss,
            lr=optimizer.param_groups[0]["lr"],
            grad_norm=window.grad_norm,
            words_per_second=window.words_per_second,
            is_logged=is_logged,
            is_eta_whole=is_eta_whole,
            penalties=window.penalties,
        )
        self._last_event, self._screen = now, Window()
        if is_logged:
            state.window = Window()
        for listener in self.listeners:
            listener.on_progress(event)

    def evaluation(self, state: RunState, seconds: float, evaluation: EvaluationLike, is_best: bool) -> None:
        content = evaluation.metrics, is_best, state.best, evaluation.samples, evaluation.answers, evaluation.heads
        event = Evaluated(state.step, state.epoch_of_step, "valid", seconds, *content)
        for listener in self.listeners:
            listener.on_evaluation(event)

    def rollback(self, state: RunState) -> None:
        for listener in self.listeners:
            listener.on_rollback(RolledBack(state.step, state.is_evaluated))

    def end(self, state: RunState, seconds: float, reason: str) -> None:
        for listener in self.listeners:
            listener.on_end(TrainingEnded(state.step, state.epoch_of_step, seconds, reason, state.best))
