"""When a run evaluates and ends: pure functions of its options and counts, the same before and after a resume."""

from attnfocus.training.options import TrainerOptions
from attnfocus.training.state import RunState


def evaluation_due(options: TrainerOptions, state: RunState) -> bool:
    """Whether the step just done is one after which the run evaluates."""
    every = options.evaluate_every_steps
    return state.position == 0 if every is None else state.step % every == 0


def limit_reached(options: TrainerOptions, state: RunState, seconds: float) -> str | None:
    """The limit that ends the run, in plain words."""
    if options.max_steps is not None and state.step >= options.max_steps:
        return "max_steps reached"
    if options.max_epochs is not None and state.epoch >= options.max_epochs:
        return "max_epochs reached"
    if options.max_minutes is not None and seconds >= 60 * options.max_minutes:
        return "max_minutes reached"
    return None


def patience_ended(options: TrainerOptions, state: RunState, monitor: str) -> str | None:
    """Early stopping, in plain words."""
    if options.patience is None or state.step < options.min_steps or state.evaluations_since_best < options.patience:
        return None
    return f"no better {monitor} for {state.evaluations_since_best} evaluations"


def fraction_done(options: TrainerOptions, state: RunState, seconds: float) -> float:
    """0..1 of the limit that comes first: each part grows evenly with time, so that is the largest."""
    parts = [0.0]
    if options.max_steps is not None:
        parts.append(state.step / options.max_steps)
    if options.max_epochs is not None:
        parts.append((state.epoch + state.position / state.epoch_batches) / options.max_epochs)
    if options.max_minutes is not None:
        parts.append(seconds / (60 * options.max_minutes))
    return min(1.0, max(parts))
