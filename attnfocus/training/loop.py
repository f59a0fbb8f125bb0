"""The training loop. It never names a model, an attention, or what a task keeps in a batch."""

from __future__ import annotations

import json
import logging
import math
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import torch
from torch import nn
from torch.optim import Optimizer

from attnfocus.errors import CheckpointError, DataError, RunError
from attnfocus.events import Best, Listener, RunFacts, StopRequest
from attnfocus.tasks.base import Task
from attnfocus.training import guards
from attnfocus.training.batch_stream import Epochs, Stream
from attnfocus.training.checkpoints.average import Average
from attnfocus.training.checkpoints.keeper import Keeper
from attnfocus.training.checkpoints.store import CheckpointStore
from attnfocus.training.device import Precision
from attnfocus.training.distributed.processes import PeerLeftError, Processes
from attnfocus.training.memory import fitting_gradients
from attnfocus.training.options import TrainerOptions
from attnfocus.training.progress import Teller
from attnfocus.training.protocols import EvaluationLike, TrainBatch, TrainingResult, monitored
from attnfocus.training.schedulers import Schedule
from attnfocus.training.signals import Interrupted, SignalGuard
from attnfocus.training.state import RunState
from attnfocus.training.step import Gradients, Stepper
from attnfocus.training.stop_rules import evaluation_due, limit_reached, patience_ended

logger = logging.getLogger(__name__)

MAX_SKIPPED_UPDATES = 20  # fp16: the scale is halved each time; 20 in a row are no longer a search for the right one


def fit(
    model: nn.Module,
    task: Task,
    *,
    optimizer: Optimizer,
    scheduler: Schedule,
    batches: Epochs,
    evaluate: Callable[[nn.Module], EvaluationLike],
    options: TrainerOptions,
    store: CheckpointStore,
    device: torch.device,
    seed: int,
    listeners: Sequence[Listener] = (),
    facts: RunFacts | None = None,
    resume: bool = False,
    processes: Processes | None = None,
    precision: Precision | None = None,
    screen_seconds: float = 0.5,
) -> TrainingResult:
    """Trains until a limit, early stopping or a signal; saves; returns how it ended.

    Args:
        model: on `device`; `optimizer` holds its parameters, with the lr that the schedule multiplies.
        batches: the micro-batches of an epoch (from 0), a pure function of its argument, asked for each of them: it
            should remember the last epoch. Items are made when asked for. Sent to worker processes if there are any.
        evaluate: metrics of the validation split; leaves weights as they are.
        resume: goes on from the newest whole checkpoint of `store`; from the start when nothing was saved yet.
        listeners: hear the run; the test metrics and closing them are left to the caller.
        facts: what they may show of the run besides.
        processes: those of this run, if there are several; `batches` and `evaluate` give this one's share.
        precision: None: `options.precision` on `device`.
        screen_seconds: between progress events for the eye alone.

    Raises:
        ConfigError: the device does not compute the model in this precision.
        RunError: a loss or gradient that is not finite, before it reaches the weights; no memory; a dead worker; or
            the last save failed.
        CheckpointError: resuming from a checkpoint that is damaged, or of another run.
        KeyboardInterrupt: a second Ctrl-C.
    """
    processes = processes or Processes()
    average = None if options.ema_decay is None else Average(model, options.ema_decay)
    precision = precision or Precision(options.precision, device)
    precision.require(model)
    stepper = Stepper(model, task, optimizer, options, precision, processes)
    keeper = Keeper(store, model, optimizer, scheduler, stepper.precision.scaler, average, listeners, processes)
    teller = Teller(options, listeners, screen_seconds)
    run = _Run(stepper, keeper, teller, batches, evaluate, monitored(options, task), seed)
    return run.run(resume, facts or RunFacts())


class _Run:
    def __init__(
        self,
        stepper: Stepper,
        keeper: Keeper,
        teller: Teller,
        batches: Epochs,
        evaluate: Callable[[nn.Module], EvaluationLike],
        monitor: tuple[str, str],
        seed: int,
    ) -> None:
        self.stepper, self.keeper, self.teller = stepper, keeper, teller
        self.batches, self.evaluate = batches, evaluate
        self.options, self.listeners = teller.options, teller.listeners
        self.monitor, self.direction = monitor
        self.processes = stepper.processes
        self.guard = SignalGuard()
        self.received: signal.Signals | None = None  # in any process
        self.stop: StopRequest | None = None  # of a listener, which the first process alone has
        self.state = RunState(seed)
        self.stream: Stream | None = None
        self.opened_epoch: int | None = None

    def run(self, resume: bool, facts: RunFacts) -> TrainingResult:
        try:
            with self.guard:
                return self.train(resume, facts)
        except RuntimeError as error:  # a dying worker is reported wherever the main process happens to be
            raise (self.stream and self.stream.death(error)) or self.processes.explained(error) or error from None
        finally:
            if self.stream is not None:
                self.stream.close()

    def train(self, resume: bool, facts: RunFacts) -> TrainingResult:
        resumed_from = self.restore() if resume else None
        self.open_epoch()
        self.teller.start(self.state, self.keeper.store.folder.parent, resumed_from, facts)
        if self.state.step and not limit_reached(self.options, self.state, self.seconds()):
            self.teller.changes(self.state, self.keeper.scheduler)
        self.keeper.model.train()
        options = self.options
        if "rollback" in (options.on_non_finite, options.on_spike) and self.keeper.saved_path is None:
            self.save(is_last=False)  # so that there is something to go back to
        while True:
            state = self.state
            limit = limit_reached(options, state, self.listen())
            is_due = evaluation_due(options, state)
            if (limit or is_due) and state.evaluated_step < state.step and self.received is None:
                self.run_evaluation(is_due)
                self.listen()
            ended = self.interruption() or limit or patience_ended(options, state, self.monitor)
            stop = None if ended else self.stop
            reason = stop.reason if stop else ended
            if self.save_due(reason):
                self.save(is_last=reason is not None)
            if reason:
                return self.end(reason, stop)
            self.train_step()

    def listen(self) -> float:
        """The run's age; notes what is to end it in whichever process, so that all end after the same step."""
        asked = next((request for each in self.listeners if (request := each.stop_request())), None)
        own = signal.SIGTERM if self.processes.is_orphan else self.guard.received or 0
        number, is_asked, seconds = self.processes.largest([own, bool(asked), self.seconds()])
        self.received = signal.Signals(int(number)) if number else None
        if is_asked:
            self.stop = StopRequest(**json.loads(self.processes.shared(lambda: json.dumps(vars(asked)))))
        return seconds

    def interruption(self) -> str | None:
        return None if self.received is None else f"interrupted by {self.received.name}"

    def seconds(self) -> float:
        return self.keeper.seconds(self.state)

    # One step

    def train_step(self) -> None:
        """One update from up to `accumulate_steps` micro-batches, unless something is wrong with it."""
        state, began = self.state, time.perf_counter()
        if self.opened_epoch != state.epoch:
            self.open_epoch()
        assert self.stream is not None
        count = min(self.options.accumulate_steps, state.epoch_batches - state.position)
        taken = [self.stream.take() for _ in range(count)]
        if [state.epoch, state.position] in state.dropped:
            state.pass_over(count)
            return
        factor = self.keeper.scheduler.factor(state.step + 1)
        gradients = fitting_gradients(self.stepper, state, taken, self.keeper.saved_path)
        if self.is_bad(gradients, taken, factor):
            return
        self.stepper.apply(gradients, factor)
        state.advance(count)
        if self.keeper.average is not None:
            self.keeper.average.update()
        self.keeper.unsaved = True
        state.losses = [*state.losses[1 - guards.WINDOW :], gradients.loss]
        seconds = time.perf_counter() - began
        self.teller.progress(state, gradients, seconds, self.stepper.optimizer, self.seconds())

    def is_bad(self, gradients: Gradients, taken: Sequence[TrainBatch], factor: float) -> bool:
        """Whether the step must not be applied; then it has been dealt with: left out, or the run gone back."""
        state, options = self.state, self.options
        if gradients.is_finite:
            state.skipped_updates = 0
            return self.is_spike(gradients, taken)
        scaler = self.stepper.precision.scaler
        if scaler is not None and math.isfinite(gradients.loss) and state.skipped_updates < MAX_SKIPPED_UPDATES:
            state.skipped_updates += 1  # no step: it counts for no schedule, average or log
            self.stepper.drop(has_overflowed=True)
            state.pass_over(len(taken))
            return True
        if options.on_non_finite == "stop" or state.recoveries >= options.max_recoveries:
            if gradients.is_own_finite and not math.isfinite(gradients.loss):
                raise PeerLeftError(f"step {state.step + 1}: the loss of another process is not finite.")
            lr = self.stepper.base_lrs[0] * factor
            tried = f"; {state.recoveries} recoveries were made before" if state.recoveries else ""
            raise guards.non_finite(state.step + 1, gradients, taken, lr, self.keeper.saved_path, tried)
        self.recover(options.on_non_finite, guards.not_finite(gradients), taken)
        return True

    def is_spike(self, gradients: Gradients, taken: Sequence[TrainBatch]) -> bool:
        state, options = self.state, self.options
        score = 0.0 if options.on_spike == "ignore" else guards.spike_score(gradients.loss, state.losses)
        if score <= options.spike_score:
            return False
        problem = f"loss {gradients.loss:.4g} is a spike (robust z-score {score:.0f})"
        if options.on_spike == "warn" or state.recoveries >= options.max_recoveries:
            guards.warn_of(taken, f"step {state.step + 1}: {problem}")
            return False
        self.recover("rollback", problem, taken)
        return True

    def recover(self, how: str, problem: str, taken: Sequence[TrainBatch]) -> None:
        """Leaves the step out: goes on after it, or first back to the last checkpoint."""
        self.stepper.drop()
        state = self.state
        state.recoveries += 1
        what, times = f"step {state.step + 1}: {problem}", f"({state.recoveries} of {self.options.max_recoveries})"
        place, recoveries = [state.epoch, state.position], state.recoveries
        if how == "skip":
            guards.warn_of(taken, f"{what}. Left out {times}")
            state.pass_over(len(taken))
            return
        dropped, seconds = [*state.dropped, place], self.seconds()
        if self.restore() == 0 and self.keeper.saved_path is None:
            raise RunError(f"{what}; batch: {guards.shown_ids(taken)}. There is no checkpoint to go back to.")
        self.state.dropped, self.state.recoveries = dropped, recoveries
        self.keeper.count_from(self.state, seconds)
        guards.warn_of(taken, f"{what}. Back to step {self.state.step}, and without it {times}")
        self.teller.rollback(self.state)

    def open_epoch(self) -> None:
        state = self.state
        num_batches = len(self.batches(state.epoch))
        if not num_batches:
            raise DataError(f"epoch {state.epoch + 1}: there is no training batch. Look at the sizes of the splits.")
        if state.position and state.epoch_batches != num_batches:
            raise CheckpointError(
                f"the checkpoint was saved inside an epoch of {state.epoch_batches} batches, now there are "
                f"{num_batches}: the data or the batch size has changed. Resume with those of the run."
            )
        state.epoch_batches, self.opened_epoch = num_batches, state.epoch
        if self.stream is None:
            place, options = (state.epoch, state.position), self.options
            self.stream = Stream(self.batches, place, options.num_workers, options.worker_timeout_seconds)

    # Evaluating, saving, resuming

    def save_due(self, reason: str | None) -> bool:
        every, state = self.options.save_every_steps, self.state
        due = every is not None and state.step % every == 0
        return self.keeper.unsaved and (due or reason is not None or state.evaluated_step == state.step)

    def save(self, *, is_last: bool) -> None:
        with self.guard.saving():
            self.keeper.save(self.state, is_last=is_last)

    def run_evaluation(self, is_due: bool) -> None:
        """Evaluates unless a signal came; then the evaluation is made up for when the run is resumed.

        Args:
            is_due: a run with a later limit would evaluate here too. Otherwise neither the patience nor the schedule
                hears of it: when this run is extended, it is the one that had the later limit from the start.
        """
        state, average, began = self.state, self.keeper.average, time.perf_counter()
        try:
            # Several processes wait for each other in an evaluation, which none of them may leave.
            with self.guard.interruptible() if self.processes.size == 1 else nullcontext():
                evaluation = self.evaluate(self.keeper.model if average is None else average.module)
        except Interrupted:
            return
        finally:
            self.keeper.model.train()
        if self.monitor not in evaluation.metrics:
            raise RunError(
                f"trainer.monitor: the evaluation gave no {self.monitor}, but {', '.join(sorted(evaluation.metrics))}."
            )
        value, loss = float(evaluation.metrics[self.monitor]), float(evaluation.metrics.get("loss", math.nan))
        is_best = state.note_evaluation(Best(self.monitor, value, state.step), loss, self.direction, is_due=is_due)
        if is_due:
            self.keeper.scheduler.observe(value)
        self.keeper.unsaved = True
        self.teller.evaluation(state, self.seconds(), evaluation, is_best)
        self.teller.time_left.evaluation(time.perf_counter() - began)

    def restore(self) -> int:
        """Goes back to the newest whole checkpoint; returns its step, 0 when the run was killed before its first."""
        state = self.keeper.restore(self.state.seed)
        if state is None:
            return 0
        if state.best is not None and state.best.metric != self.monitor:
            logger.warning("the best so far was by %s; from here on by %s", state.best.metric, self.monitor)
            state.forget_best()
        self.state, self.opened_epoch = state, None
        if self.stream is not None:
            self.stream.close()
            self.stream = None
        return state.step

    def end(self, reason: str, stop: StopRequest | None) -> TrainingResult:
        state, seconds = self.state, self.seconds()
        self.teller.end(state, seconds, reason)
        speed = state.num_words / state.step_seconds if state.step_seconds else 0.0
        return TrainingResult(reason, state.step, state.epoch_of_step, seconds, state.best, self.received, speed, stop)
