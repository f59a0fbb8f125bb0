"""How long a run will still take, its evaluations included."""

import math

from attnfocus.training.options import TrainerOptions
from attnfocus.training.state import RunState
from attnfocus.training.stop_rules import evaluation_due


class TimeLeft:
    """Steps and evaluations that this process has timed, and what is left of both.

    The time of a step is what passes between evaluations, saves included.
    """

    def __init__(self, began: float) -> None:
        self._began = began
        self._num_steps = self._num_evaluations = 0
        self._evaluation_seconds = 0.0

    def step(self) -> None:
        self._num_steps += 1

    def evaluation(self, seconds: float) -> None:
        self._num_evaluations += 1
        self._evaluation_seconds += seconds

    def of(self, options: TrainerOptions, state: RunState, now: float, age: float) -> tuple[float | None, bool]:
        """Seconds left, None where nobody can say; and whether evaluations are counted.

        Args:
            now: on the clock of `began`.
            age: of the run, with its earlier processes; a limit of minutes is one of that.
        """
        steps = steps_left(options, state)
        seconds = math.inf
        is_whole = True
        if steps is not None and self._num_steps:
            step_seconds = (now - self._began - self._evaluation_seconds) / self._num_steps
            seconds = steps * step_seconds
            evaluations = evaluations_left(options, state, steps)
            if self._num_evaluations:
                seconds += evaluations * self._evaluation_seconds / self._num_evaluations
            else:
                is_whole = evaluations == 0
        if options.max_minutes is not None:
            left = max(0.0, 60 * options.max_minutes - age)
            if left <= seconds:
                return left, True
        return (seconds, is_whole) if math.isfinite(seconds) else (None, True)


def steps_left(options: TrainerOptions, state: RunState) -> int | None:
    """Updates until the limit of steps or epochs that comes first; None where there is neither."""
    left = []
    if options.max_steps is not None:
        left.append(options.max_steps - state.step)
    if options.max_epochs is not None and state.epoch_batches:
        per_epoch = options.steps_per_epoch(state.epoch_batches)
        rest = math.ceil((state.epoch_batches - state.position) / options.accumulate_steps) if state.position else 0
        whole = options.max_epochs - state.epoch - (1 if state.position else 0)
        left.append(rest + whole * per_epoch)
    return max(0, min(left)) if left else None


def evaluations_left(options: TrainerOptions, state: RunState, steps: int) -> int:
    """Those within the next `steps`, the last of which is evaluated in any case."""
    is_waiting = evaluation_due(options, state) and state.evaluated_step < state.step
    if steps == 0:
        return int(state.evaluated_step < state.step)
    every = options.evaluate_every_steps
    if every is not None:
        last = state.step + steps
        return is_waiting + last // every - state.step // every + (last % every != 0)
    per_epoch = options.steps_per_epoch(state.epoch_batches)
    rest = math.ceil((state.epoch_batches - state.position) / options.accumulate_steps) if state.position else per_epoch
    return is_waiting + (1 if steps <= rest else 1 + math.ceil((steps - rest) / per_epoch))
