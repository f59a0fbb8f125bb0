"""What stops a run that has gone wrong, and what the user is told."""

from collections.abc import Sequence
from pathlib import Path

from attnfocus.errors import RunError

SHOWN_IDS = 8


def non_finite(step: int, loss: float, norm: float, ids: Sequence[str], lr: float, saved: Path | None) -> RunError:
    """The error for a loss or gradient that is not finite: where it came from and where to go on."""
    rest = f" and {len(ids) - SHOWN_IDS} more" if len(ids) > SHOWN_IDS else ""
    return RunError(
        f"step {step}: loss {loss:g}, gradient norm {norm:g}: not finite. The weights were not updated.\n"
        f"  batch: {', '.join(ids[:SHOWN_IDS])}{rest}\n"
        f"  lr: {lr:g}; last good checkpoint: {saved or 'none yet'}\n"
        "Lower optimizer.lr, set trainer.clip_norm, or use trainer.precision=float32."
    )
