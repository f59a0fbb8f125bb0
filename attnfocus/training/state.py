"""How far a run is: everything that a resumed run needs besides weights and optimizer, as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from attnfocus.events import Best
from attnfocus.limits import NonNegativeFloat, Range
from attnfocus.records import to_record

if TYPE_CHECKING:
    from attnfocus.training.step import Gradients


Count = Annotated[int, Range(ge=0, lt=10**15)]
Seed = Annotated[int, Range(ge=0, le=2**63 - 1)]


@dataclass
class Window:
    """Sums over the steps since the last progress event."""

    loss_sum: float = 0.0
    num_targets: Count = 0
    grad_norm_sum: float = 0.0
    num_norms: Count = 0  # fewer than steps when fp16 updates were left out
    num_words: Count = 0
    seconds: float = 0.0
    penalty_sums: dict[str, float] = field(default_factory=dict)

    def add(self, gradients: Gradients, seconds: float) -> None:
        """A step, and how long it took."""
        self.loss_sum += gradients.loss * gradients.num_targets
        self.num_targets += gradients.num_targets
        for name, penalty in gradients.penalties.items():
            self.penalty_sums[name] = self.penalty_sums.get(name, 0.0) + penalty * gradients.num_targets
        if math.isfinite(gradients.norm):
            self.grad_norm_sum += gradients.norm
            self.num_norms += 1
        self.num_words += gradients.num_words
        self.seconds += seconds

    @property
    def loss(self) -> float:
        return self.loss_sum / self.num_targets if self.num_targets else math.nan

    @property
    def penalties(self) -> dict[str, float]:
        return {name: total / max(1, self.num_targets) for name, total in self.penalty_sums.items()}

    @property
    def grad_norm(self) -> float:
        return self.grad_norm_sum / self.num_norms if self.num_norms else math.nan

    @property
    def words_per_second(self) -> float:
        return self.num_words / self.seconds if self.seconds else 0.0


@dataclass
class RunState:
    """Counts of a run.

    `epoch` counts finished epochs; `position` is how many micro-batches of the next one are done, of `epoch_batches`.
    `evaluated_step` is the last step whose evaluation is done: a run that ended between a step and the evaluation due
    after it makes up for it when resumed. `seconds` is all time since the start, resumed parts added up;
    `step_seconds` the part spent in training steps.
    """

    seed: Seed
    step: Count = 0
    epoch: Count = 0
    position: Count = 0
    epoch_batches: Count = 0
    evaluated_step: Count = 0
    evaluations_since_best: Count = 0
    skipped_updates: Count = 0  # in a row
    seconds: NonNegativeFloat = 0.0
    step_seconds: NonNegativeFloat = 0.0
    num_words: Count = 0
    recoveries: Count = 0  # skips and rollbacks so far
    dropped: list[list[int]] = field(default_factory=list)  # [epoch, position] of steps that are left out
    parts: Annotated[int, Range(gt=0, le=2**20)] = (
        1  # pieces that each micro-batch is cut into, because it did not fit in memory
    )
    losses: list[float] = field(default_factory=list)  # of the last steps: what is usual
    best: Best | None = None
    best_loss: float = math.inf  # of the best evaluation: decides between equals
    # The best of the evaluations that were due, for the patience: the one that a limit asks for does not count there.
    best_due: float | None = None
    best_due_loss: float = math.inf
    window: Window = field(default_factory=Window)

    @property
    def epoch_of_step(self) -> int:
        """The epoch that the last step belonged to, counted from 1; 0 before the first step."""
        return self.epoch + (1 if self.position else 0)

    @property
    def is_evaluated(self) -> bool:
        """Whether there is nothing left to evaluate at this step, should an evaluation be due."""
        return self.evaluated_step == self.step

    def advance(self, num_batches: int) -> None:
        """Counts a step of `num_batches` micro-batches."""
        self.step += 1
        self.pass_over(num_batches)

    def pass_over(self, num_batches: int) -> None:
        """Counts micro-batches without an optimizer step."""
        self.position += num_batches
        if self.position >= self.epoch_batches:
            self.epoch += 1
            self.position = 0

    def note_evaluation(self, best: Best, loss: float, direction: str, *, is_due: bool) -> bool:
        """Takes notice of an evaluation; between equal values the loss decides.

        Args:
            best: what it is if it is the best so far, which is returned.
            is_due: it counts for the patience too.
        """
        self.evaluated_step = self.step
        value = best.value
        if is_due:
            is_better_due = _is_better((value, loss), (self.best_due, self.best_due_loss), direction)
            self.evaluations_since_best = 0 if is_better_due else self.evaluations_since_best + 1
            if is_better_due:
                self.best_due, self.best_due_loss = value, loss
        best_value = None if self.best is None else self.best.value
        is_best = _is_better((value, loss), (best_value, self.best_loss), direction)
        if is_best:
            self.best, self.best_loss = best, loss
        return is_best

    def forget_best(self) -> None:
        """The monitored metric is another from now on."""
        self.best, self.best_due, self.evaluations_since_best = None, None, 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> RunState:
        """What `to_json` gave.

        Raises:
            ValueError: a value is missing, of another type, out of range, or contradicts another; names its key.
        """
        best = saved.get("best")
        if "best_due" not in saved and isinstance(best, Mapping):  # every evaluation counted for the patience then
            saved = {**saved, "best_due": best.get("value"), "best_due_loss": saved.get("best_loss")}
        state = to_record(cls, saved, key="run")
        if state.evaluated_step > state.step:
            raise ValueError(f"run.evaluated_step: {state.evaluated_step} is after step {state.step}")
        if state.position > state.epoch_batches:
            raise ValueError(f"run.position: {state.position} is beyond the {state.epoch_batches} batches of an epoch")
        if state.best is not None and state.best.step > state.step:
            raise ValueError(f"run.best.step: {state.best.step} is after step {state.step}")
        if any(len(place) != 2 for place in state.dropped):
            raise ValueError("run.dropped: must be pairs of an epoch and a position")
        return state


def _is_better(new: tuple[float, float], best: tuple[float | None, float], direction: str) -> bool:
    """Whether a value, with its loss, beats the best so far; between equals the loss decides."""
    (value, loss), (best_value, best_loss) = new, best
    if not math.isfinite(value):
        return False
    if best_value is None or value == best_value:
        return best_value is None or loss < best_loss
    return value > best_value if direction == "max" else value < best_value
