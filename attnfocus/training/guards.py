"""What notices that a run goes wrong, and what the user is told."""

from __future__ import annotations

import logging
import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from attnfocus.errors import RunError
from attnfocus.training.protocols import TrainBatch
from attnfocus.training.step import Gradients

logger = logging.getLogger(__name__)

SHOWN_IDS = 8  # examples that a message names
BRIEF_IDS = 3  # ... on the screen, while the run goes on
WINDOW = 100  # steps whose losses say what is usual
ENOUGH = 30  # before that nothing is usual yet
MIN_RISE = 0.5  # in the loss's own unit: a run that has nearly nothing left to learn leaps by less


def spike_score(loss: float, losses: Sequence[float]) -> float:
    """How unusual a loss is after `losses`: its robust z-score, (loss - median) / (1.4826 MAD).

    MAD is the median of the distances to the median (Iglewicz and Hoaglin 1993). 0 while too little is known, and for
    a rise of less than `MIN_RISE`: once a model makes next to no mistakes, the losses differ by thousandths, and a
    batch with a single one is hundreds of deviations away without harm to anything.
    """
    if len(losses) < ENOUGH or not math.isfinite(loss):
        return 0.0
    middle = statistics.median(losses)
    if loss - middle < MIN_RISE:
        return 0.0
    spread = 1.4826 * statistics.median(abs(value - middle) for value in losses)
    # Losses that hardly differ from each other have hardly a spread, against which anything would be a spike.
    return (loss - middle) / max(spread, 0.01 * abs(middle), 1e-6)


def not_finite(gradients: Gradients) -> str:
    """Loss and gradient of a step of which one is not finite, and the penalties that are not."""
    wrong = {name: value for name, value in gradients.penalties.items() if not math.isfinite(value)}
    penalties = "".join(f", penalty {name} {value:g}" for name, value in wrong.items())
    return f"loss {gradients.loss:g}{penalties}, gradient norm {gradients.norm:g}: not finite"


def non_finite(
    step: int, gradients: Gradients, batches: Sequence[TrainBatch], lr: float, saved: Path | None, tried: str
) -> RunError:
    """The error for a loss, penalty or gradient that is not finite: where it came from and where to go on."""
    return RunError(
        f"step {step}: {not_finite(gradients)}. The weights were not updated{tried}.\n"
        f"  batch: {shown_ids(batches)}\n"
        f"  lr: {lr:g}; last good checkpoint: {saved or 'none yet'}\n"
        "Lower optimizer.lr, set trainer.clip_norm, or use trainer.precision=float32 or trainer.on_non_finite=skip."
    )


def warn_of(batches: Sequence[TrainBatch], text: str) -> None:
    """Warns of something in batches. The screen shows the record's `brief`, with fewer of their examples."""
    brief = f"{text}; batch: {shown_ids(batches, BRIEF_IDS)}"
    logger.warning("%s; batch: %s", text, shown_ids(batches), extra={"brief": brief})


def shown_ids(batches: Sequence[TrainBatch], most: int = SHOWN_IDS) -> str:
    """The first examples of the batches."""
    return first_of([name for batch in batches for name in batch.ids], most)


def first_of(names: Sequence[str], most: int = SHOWN_IDS) -> str:
    """`a, b, c and 61 more`."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{rest}"
