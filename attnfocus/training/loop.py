"""The training loop. It never names a model, an attention, or what a task keeps in a batch."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from attnfocus.errors import CheckpointError, DataError, RunError
from attnfocus.events import Best, CheckpointSaved, Evaluated, Listener, Progress, TrainingEnded, TrainingStarted
from attnfocus.tasks.base import Task
from attnfocus.training.checkpoint import CheckpointStore
from attnfocus.training.device import Precision
from attnfocus.training.guards import non_finite
from attnfocus.training.interface import EvaluationLike, TrainBatch, TrainingResult, monitored
from attnfocus.training.options import TrainerOptions
from attnfocus.training.schedulers import Schedule
from attnfocus.training.seeding import seed_step
from attnfocus.training.signals import Interrupted, SignalGuard
from attnfocus.training.state import RunState, Window
from attnfocus.training.stopping import evaluation_due, fraction_done, limit_reached, patience_ended

logger = logging.getLogger(__name__)

SCREEN_SECONDS = 0.5  # between progress events for the eye alone
MAX_SKIPPED_UPDATES = 20  # fp16: the scale is halved each time; 20 in a row are no longer a search for the right one


def fit(
    model: nn.Module,
    task: Task,
    *,
    optimizer: Optimizer,
    scheduler: Schedule,
    batches: Callable[[int], Sequence[TrainBatch]],
    evaluate: Callable[[nn.Module], EvaluationLike],
    options: TrainerOptions,
    store: CheckpointStore,
    device: torch.device,
    seed: int,
    listeners: Sequence[Listener] = (),
    resume: bool = False,
) -> TrainingResult:
    """Trains until a limit, early stopping or a signal; saves; returns how it ended.

    Args:
        model: on `device`; `optimizer` holds its parameters, with the lr that the schedule multiplies.
        batches: the micro-batches of an epoch (from 0), a pure function of its argument. Items are made when asked for.
        evaluate: metrics of the validation split; leaves weights as they are.
        resume: goes on from the newest whole checkpoint of `store`; from the start when nothing was saved yet.
        listeners: hear the run; closing them is left to the caller.

    Raises:
        RunError: a loss or gradient that is not finite, before it reaches the weights; or the last save failed.
        CheckpointError: resuming from a checkpoint that is damaged, or of another run.
        KeyboardInterrupt: a second Ctrl-C.
    """
    run = _Run(model, task, optimizer, scheduler, batches, evaluate, options, store, device, seed, listeners)
    return run.run(resume)


@dataclass
class _Run:
    model: nn.Module
    task: Task
    optimizer: Optimizer
    scheduler: Schedule
    batches: Callable[[int], Sequence[TrainBatch]]
    evaluate: Callable[[nn.Module], EvaluationLike]
    options: TrainerOptions
    store: CheckpointStore
    device: torch.device
    seed: int
    listeners: Sequence[Listener]

    def __post_init__(self) -> None:
        self.monitor, self.direction = monitored(self.options, self.task)
        self.precision = Precision(self.options.precision, self.device)
        self.trained = cast(nn.Module, torch.compile(self.model)) if self.options.compile else self.model
        self.parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        self.base_lrs = [float(group["lr"]) for group in self.optimizer.param_groups]
        self.guard = SignalGuard()
        self.state = RunState(self.seed)
        self.screen = Window()
        self.opened_epoch: int | None = None
        self.unsaved = self.save_failed = False
        self.saved_path: Path | None = None
        self.started = self.last_event = time.perf_counter()

    def run(self, resume: bool) -> TrainingResult:
        with self.guard:
            resumed_from = self.restore() if resume else None
            self.open_epoch()
            self.tell_start(resumed_from)
            self.model.train()
            options, state = self.options, self.state
            while True:
                interrupted = self.guard.received is not None
                limit = limit_reached(options, state, self.seconds())
                if not interrupted and state.evaluated_step < state.step and (limit or evaluation_due(options, state)):
                    self.run_evaluation()
                reason = self.interruption() or limit or patience_ended(options, state, self.monitor)
                if self.save_due(reason):
                    self.save(is_last=reason is not None)
                if reason:
                    return self.end(reason)
                self.train_step()

    def interruption(self) -> str | None:
        return None if self.guard.received is None else f"interrupted by {self.guard.received.name}"

    # One step

    def train_step(self) -> None:
        """One update from up to `accumulate_steps` micro-batches: the sum of their losses over all of their targets."""
        state, began = self.state, time.perf_counter()
        if self.opened_epoch != state.epoch:
            self.open_epoch()
        stop = min(state.position + self.options.accumulate_steps, state.epoch_batches)
        taken = [self.epoch_items[index] for index in range(state.position, stop)]
        num_targets = sum(self.task.num_targets(cast(Any, batch)) for batch in taken)  # its task knows its kind
        factor = self.scheduler.factor(state.step + 1)
        for group, lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = lr * factor
        losses = []
        for index, batch in enumerate(taken):
            seed_step(state.seed, state.step + 1, index, self.device)
            with self.precision.autocast():
                loss = self.task.step(self.trained, batch.to(self.device)).loss_sum / max(1, num_targets)
            self.precision.backward(loss)
            losses.append(loss.detach())
        loss_value, grad_norm = self.update(losses, taken)
        state.advance(len(taken))
        self.unsaved = True
        num_words, seconds = sum(batch.num_words for batch in taken), time.perf_counter() - began
        state.num_words += num_words
        state.step_seconds += seconds
        for window in (state.window, self.screen):
            window.add(loss_value, num_targets, grad_norm, num_words, seconds)
        self.tell_progress()

    def update(self, losses: list[Tensor], taken: Sequence[TrainBatch]) -> tuple[float, float]:
        """Clips and updates; returns the loss and the norm of the gradients before clipping."""
        self.precision.unscale(self.optimizer)
        grads = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(grads).to(self.device)
        # The step's only wait for the device: what is not finite must be known before it reaches the weights.
        loss_value, norm_value = torch.stack([torch.stack(losses).sum().float(), norm.float()]).tolist()
        self.check_finite(loss_value, norm_value, taken)
        clip_norm = self.options.clip_norm
        if clip_norm is not None and clip_norm < norm_value < math.inf:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, clip_norm, norm)
        self.precision.update(self.optimizer)
        self.optimizer.zero_grad()
        return loss_value, norm_value

    def check_finite(self, loss: float, norm: float, taken: Sequence[TrainBatch]) -> None:
        state = self.state
        if math.isfinite(loss) and math.isfinite(norm):
            state.skipped_updates = 0
            return
        if self.precision.scaler is not None and math.isfinite(loss) and state.skipped_updates < MAX_SKIPPED_UPDATES:
            state.skipped_updates += 1  # an overflow of the scaled gradients; the scaler leaves the update out
            return
        ids = [name for batch in taken for name in batch.ids]
        raise non_finite(state.step + 1, loss, norm, ids, self.optimizer.param_groups[0]["lr"], self.saved_path)

    def open_epoch(self) -> None:
        self.epoch_items = self.batches(self.state.epoch)
        if not len(self.epoch_items):
            raise DataError(
                f"epoch {self.state.epoch + 1}: there is no training batch. Look at the sizes of the splits."
            )
        if self.state.position and self.state.epoch_batches != len(self.epoch_items):
            raise CheckpointError(
                f"the checkpoint was saved inside an epoch of {self.state.epoch_batches} batches, now there are "
                f"{len(self.epoch_items)}: the data or the batch size has changed. Resume with those of the run."
            )
        self.state.epoch_batches, self.opened_epoch = len(self.epoch_items), self.state.epoch

    # Evaluating, saving, resuming

    def save_due(self, reason: str | None) -> bool:
        every = self.options.save_every_steps
        due = every is not None and self.state.step % every == 0
        return self.unsaved and (due or reason is not None or self.state.evaluated_step == self.state.step)

    def seconds(self) -> float:
        return self.state.seconds + time.perf_counter() - self.started

    def run_evaluation(self) -> None:
        """Evaluates unless a signal came; then the evaluation is made up for when the run is resumed."""
        state = self.state
        try:
            with self.guard.interruptible():
                evaluation = self.evaluate(self.model)
        except Interrupted:
            return
        finally:
            self.model.train()
        if self.monitor not in evaluation.metrics:
            raise RunError(
                f"trainer.monitor: the evaluation gave no {self.monitor}, but {', '.join(sorted(evaluation.metrics))}."
            )
        value = float(evaluation.metrics[self.monitor])
        sign = 1 if self.direction == "max" else -1
        loss = float(evaluation.metrics.get("loss", math.nan))
        is_tie = state.best is not None and value == state.best.value and loss < state.best_loss
        is_best = math.isfinite(value) and (state.best is None or sign * value > sign * state.best.value or is_tie)
        if is_best:
            state.best, state.best_loss = Best(self.monitor, value, state.step), loss
        state.evaluations_since_best = 0 if is_best else state.evaluations_since_best + 1
        state.evaluated_step = state.step
        self.scheduler.observe(value)
        self.unsaved = True
        for listener in self.listeners:
            listener.on_evaluation(
                Evaluated(
                    state.step,
                    state.epoch_of_step,
                    "valid",
                    self.seconds(),
                    evaluation.metrics,
                    is_best,
                    state.best,
                    evaluation.samples,
                )
            )

    def save(self, *, is_last: bool) -> None:
        """Saves; a disk that is full costs the run only its last save."""
        state, scaler = self.state, self.precision.scaler
        content = {
            "run": replace(state, seconds=self.seconds()).to_json(),
            "scheduler": self.scheduler.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
        }
        is_best = state.best is not None and state.best.step == state.step
        try:
            path = self.store.save(state.step, self.model, self.optimizer, content, is_best=is_best)
        except OSError as error:
            problem = f"{self.store.folder}: step {state.step} could not be saved ({error})"
            if is_last:
                raise RunError(f"{problem}. Last good checkpoint: {self.saved_path or 'none'}. Make room.") from error
            if not self.save_failed:  # once, not at each try
                logger.warning("%s; training goes on and tries again", problem)
            self.save_failed = True
            return
        self.unsaved = self.save_failed = False
        self.saved_path = path
        for listener in self.listeners:
            listener.on_checkpoint(CheckpointSaved(state.step, path, is_best))

    def restore(self) -> int:
        """Goes back to the newest whole checkpoint; returns its step, 0 when the run was killed before its first."""
        checkpoint = self.store.newest()
        if checkpoint is None:
            return 0
        saved = checkpoint.state()
        state = RunState.from_json(saved.get("run", {}))
        if state.seed != self.state.seed:
            raise CheckpointError(
                f"{checkpoint.path}: was trained with seed={state.seed}, not {self.state.seed}. Set that."
            )
        checkpoint.load_model(self.model)
        checkpoint.load_optimizer(self.optimizer, self.model)
        self.scheduler.load_state_dict(saved["scheduler"])
        if self.precision.scaler is not None and saved["scaler"] is not None:
            self.precision.scaler.load_state_dict(saved["scaler"])
        if state.best is not None and state.best.metric != self.monitor:
            logger.warning("the best so far was by %s; from here on by %s", state.best.metric, self.monitor)
            state.best, state.evaluations_since_best = None, 0
        if state.best is not None:
            self.store.point_best(state.best.step)
        self.state, self.saved_path = state, checkpoint.path
        return state.step

    # Telling

    def tell_start(self, resumed_from: int | None) -> None:
        steps = self.options.steps_per_epoch(self.state.epoch_batches)
        event = TrainingStarted(
            self.store.folder.parent, self.options.max_steps, self.options.max_epochs, steps, resumed_from
        )
        for listener in self.listeners:
            listener.on_start(event)

    def tell_progress(self) -> None:
        """Logged events hold means since the last logged one, and so are the same in every run; others since any."""
        state, now = self.state, time.perf_counter()
        is_logged = state.step % self.options.log_every_steps == 0
        if not is_logged and now - self.last_event < SCREEN_SECONDS:
            return
        window = state.window if is_logged else self.screen
        seconds = self.seconds()
        done = fraction_done(self.options, state, seconds)
        event = Progress(
            step=state.step,
            epoch=state.epoch_of_step,
            fraction_done=done,
            seconds=seconds,
            eta_seconds=seconds * (1 - done) / done if done else None,
            loss=window.loss,
            lr=self.optimizer.param_groups[0]["lr"],
            grad_norm=window.grad_norm,
            words_per_second=window.words_per_second,
            is_logged=is_logged,
        )
        self.last_event, self.screen = now, Window()
        if is_logged:
            state.window = Window()
        for listener in self.listeners:
            listener.on_progress(event)

    def end(self, reason: str) -> TrainingResult:
        state, seconds = self.state, self.seconds()
        for listener in self.listeners:
            listener.on_end(TrainingEnded(state.step, state.epoch_of_step, seconds, reason, state.best))
        speed = state.num_words / state.step_seconds if state.step_seconds else 0.0
        received = self.guard.received
        return TrainingResult(reason, state.step, state.epoch_of_step, seconds, state.best, received, speed)
