"""A warning when attention is no attention: it collapsed to one position, or stays uniform."""

import logging
from collections.abc import Sequence

from attnfocus.events import Evaluated, Listener, Progress

logger = logging.getLogger(__name__)

COLLAPSED = 0.99  # share of all weight on one position
UNIFORM = 0.999  # normalized entropy; a healthy pooling of short texts can be at 0.99
LATE = 0.5  # of the run: before, weights may still be as they started


class FocusWatch(Listener):
    """Warns once for each attention and problem, by the evaluations of valid.

    Collapsed: in every head, nearly all weight of all queries lies on one and the same position of the input
    (`peak_coverage`); a pooling, which has one query, always looks at the first position, or at the last. A query that
    looks at a single position is no collapse: alignments do. Nor is one head at rest on the first token.
    Uniform: half of the run is over, and in every head the weights are still almost equal.
    """

    def __init__(self) -> None:
        self._fraction_done = 0.0
        self._warned: set[tuple[str, str]] = set()

    def on_progress(self, event: Progress) -> None:
        self._fraction_done = event.fraction_done

    def on_evaluation(self, event: Evaluated) -> None:
        if event.split != "valid":
            return
        for attention, measures in event.heads.items():
            for name, where in (
                ("peak_coverage", "one position, the same for every query"),
                ("first_mass" if "last_mass" in measures else "", "the first position of every input"),
                ("last_mass", "the last position of every input"),
            ):
                if _all_above(measures.get(name, ()), COLLAPSED):
                    text = f"has collapsed: all its weight is on {where}. Its weights depend on nothing"
                    self._warn(attention, "collapsed", f"{text}; a lower optimizer.lr may help", event.step)
            if self._fraction_done >= LATE and _all_above(measures.get("normalized_entropy", ()), UNIFORM):
                text = "is still uniform: it looks everywhere alike, as a mean would"
                self._warn(attention, "uniform", text, event.step)

    def _warn(self, attention: str, problem: str, text: str, step: int) -> None:
        if (attention, problem) not in self._warned:
            self._warned.add((attention, problem))
            logger.warning("step %d: attention %s %s", step, attention, text)


def _all_above(values: Sequence[float], bound: float) -> bool:
    return len(values) > 0 and min(values) > bound
