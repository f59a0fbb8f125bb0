"""Learning rate schedules: what the optimizer's lr is multiplied by, as a function of the step.

Steps count from 1: `factor(1)` applies to the first update. All but the plateau are pure functions of the step, so
that a resumed run needs nothing but its step. Over the first `warmup_steps` updates the factor also rises linearly
from 0 to 1 (Goyal et al. 2017, section 2.2, arXiv:1706.02677).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from attnfocus.errors import ConfigError
from attnfocus.limits import Finite, NonNegativeFloat, NonNegativeInt, PositiveInt, Range, UnitFraction
from attnfocus.marks import Before
from attnfocus.records import to_record


class Schedule:
    """The program gives `total_steps` (None when only minutes end the run) and the `direction` of the monitor."""

    def __init__(
        self, total_steps: int | None, direction: Literal["max", "min"], *, warmup_steps: NonNegativeInt = 0
    ) -> None:
        self.total_steps = total_steps
        self.direction = direction
        self.warmup_steps = warmup_steps

    def factor(self, step: int) -> float:
        """What the configured lr is multiplied by in update number `step`, from 1."""
        raise NotImplementedError

    def warmup(self, step: int) -> float:
        return min(1.0, step / self.warmup_steps) if self.warmup_steps else 1.0

    def observe(self, value: float) -> None:
        """Hears the monitored metric after each evaluation that is due."""

    def change(self, step: int) -> str | None:
        """What differs, after `load_state_dict`, from the run as it was saved at `step`; None where nothing does."""
        return None

    def state_dict(self) -> dict[str, float | int | None]:
        return {}

    def load_state_dict(self, state: Mapping[str, float | int | None]) -> None: ...


class ConstantSchedule(Schedule):
    """The configured lr throughout, after the warmup."""

    def factor(self, step: int) -> float:
        return self.warmup(step)


@dataclass
class CosineState:
    """What a cosine saves; runs of before have nothing."""

    last_step: NonNegativeInt | None = None


class CosineSchedule(Schedule):
    """Half a cosine from 1 at the end of the warmup to `final_fraction` at the end of the run.

    f + (1 - f) (1 + cos(pi t)) / 2, with t the part of the steps after the warmup that is done
    (Loshchilov and Hutter 2017, equation 5, one cycle, arXiv:1608.03983).

    Args:
        ends: after the last update, so that none is spent at a rate of 0; or at it, as in runs of before.

    Raises:
        ConfigError: the number of steps is not known beforehand.
    """

    def __init__(
        self,
        total_steps: int | None,
        direction: Literal["max", "min"],
        *,
        warmup_steps: NonNegativeInt = 0,
        final_fraction: UnitFraction = 0.0,
        ends: Annotated[Literal["after", "at"], Before("at")] = "after",
    ) -> None:
        if total_steps is None:
            raise ConfigError(
                "scheduler: cosine needs to know the number of steps, but only trainer.max_minutes ends this run. "
                "Set trainer.max_steps or trainer.max_epochs too, or use scheduler=inverse_sqrt."
            )
        super().__init__(total_steps, direction, warmup_steps=warmup_steps)
        self.last_step = self._saved_last_step = total_steps
        self.final_fraction = final_fraction
        self.ends = ends

    def factor(self, step: int) -> float:
        if step <= self.warmup_steps:
            return self.warmup(step)
        updates = step - self.warmup_steps - (1 if self.ends == "after" else 0)
        done = min(1.0, updates / max(1, self.last_step - self.warmup_steps))
        return self.final_fraction + (1 - self.final_fraction) * 0.5 * (1 + math.cos(math.pi * done))

    def change(self, step: int) -> str | None:
        before = self._saved_last_step
        if before == self.last_step:
            return None
        end = f"the cosine ends at step {self.last_step:,} now, not at {before:,}"
        return f"{end}: the rate goes on at {self.factor(step + 1):.3g} of its peak"

    def state_dict(self) -> dict[str, float | int | None]:
        return {"last_step": self.last_step}

    def load_state_dict(self, state: Mapping[str, float | int | None]) -> None:
        self._saved_last_step = to_record(CosineState, state, key="scheduler").last_step or self.last_step


class InverseSqrtSchedule(Schedule):
    """Linear warmup, then a decay with the square root of the step: min(s / w, sqrt(w / s)).

    Vaswani et al. 2017, equation 3, arXiv:1706.03762, scaled so that the configured lr is the peak. Without a warmup
    it is sqrt(1 / s).
    """

    def __init__(
        self, total_steps: int | None, direction: Literal["max", "min"], *, warmup_steps: NonNegativeInt = 400
    ) -> None:
        super().__init__(total_steps, direction, warmup_steps=warmup_steps)

    def factor(self, step: int) -> float:
        peak = max(1, self.warmup_steps)
        return min(step / peak, math.sqrt(peak / step))


@dataclass
class PlateauState:
    """What a plateau remembers of a run."""

    fraction: UnitFraction
    best: Finite | None
    evaluations_since_best: NonNegativeInt


class PlateauSchedule(Schedule):
    """Multiplies the lr by `decay` when the monitored metric has not got better for `patience` evaluations.

    Better means by more than `threshold`, in the metric's own unit. The factor stays above `min_fraction`.
    """

    def __init__(
        self,
        total_steps: int | None,
        direction: Literal["max", "min"],
        *,
        warmup_steps: NonNegativeInt = 0,
        decay: Annotated[float, Range(gt=0, lt=1)] = 0.5,
        patience: PositiveInt = 2,
        threshold: NonNegativeFloat = 0.0,
        min_fraction: UnitFraction = 0.01,
    ) -> None:
        super().__init__(total_steps, direction, warmup_steps=warmup_steps)
        self.decay = decay
        self.patience = patience
        self.threshold = threshold
        self.min_fraction = min_fraction
        self.fraction = 1.0
        self.best: float | None = None
        self.evaluations_since_best = 0

    def factor(self, step: int) -> float:
        return self.warmup(step) * self.fraction

    def observe(self, value: float) -> None:
        gain = math.inf if self.best is None else (value - self.best) * (1 if self.direction == "max" else -1)
        if math.isfinite(value) and gain > self.threshold:
            self.best = value
            self.evaluations_since_best = 0
            return
        self.evaluations_since_best += 1
        if self.evaluations_since_best >= self.patience:
            self.fraction = max(self.min_fraction, self.fraction * self.decay)
            self.evaluations_since_best = 0

    def state_dict(self) -> dict[str, float | int | None]:
        return {
            "fraction": self.fraction,
            "best": self.best,
            "evaluations_since_best": self.evaluations_since_best,
        }

    def load_state_dict(self, state: Mapping[str, float | int | None]) -> None:
        saved = to_record(PlateauState, state, key="scheduler")
        self.fraction, self.best = saved.fraction, saved.best
        self.evaluations_since_best = saved.evaluations_since_best
