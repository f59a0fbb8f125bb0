"""A warning when attention is no attention, or about to be none: collapsed, uniform, or with logits that explode."""

import logging
from collections.abc import Mapping, Sequence
from statistics import fmean

from attnfocus.events import Evaluated, Listener, Progress

logger = logging.getLogger(__name__)

COLLAPSED = 0.99  # share of all weight on one position
UNIFORM = 0.999  # normalized entropy; a healthy pooling of short texts can be at 0.99
NARROW = 0.05  # normalized entropy: nearly all weight of each query on one key
WORSE = 1.1  # times the lowest loss: training is going wrong
LARGE = 100.0  # a logit; from where Kimi K2 (arXiv:2507.20534, sec. 2.1) holds logits down
REMEDY = "focus.sigma_reparametrization=true or a lower optimizer.lr may help"
LATE = 0.5  # of the run: before, weights may still be as they started


class FocusWatch(Listener):
    """Warns once for each attention and problem, by the evaluations of valid.

    Collapsed: in every head, nearly all weight of all queries lies on one and the same position of the input
    (`peak_coverage`); a pooling, which has one query, always looks at the first position, or at the last. A query that
    looks at a single position is no collapse: alignments do. Nor is one head at rest on the first token.
    Uniform: half of the run is over, and in every head the weights are still almost equal.
    Entropy collapse (Zhai et al. 2023, arXiv:2303.06296): in every head each query has nearly all weight on one key,
    the entropy is less than half of what it was at the lowest loss, and the loss has risen since. Attention that is
    sharp while the loss falls is none: alignments are.
    Logits explode: the largest is above 100, where softmax passes on no gradient and half precision rounds by halves.
    """

    def __init__(self) -> None:
        self._fraction_done = 0.0
        self._lowest_loss: float | None = None
        self._entropies: Mapping[str, float] = {}  # at that loss, by attention
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
            largest = max(measures.get("max_logit", ()), default=0.0)
            if largest > LARGE:
                text = f"has logits up to {largest:.0f}, which grow without need: attention.score.qk_norm=rms, {REMEDY}"
                self._warn(attention, "exploding", text, event.step)
        self._watch_entropy(event)

    def _watch_entropy(self, event: Evaluated) -> None:
        loss = event.metrics.get("loss")
        measured = {
            name: each["normalized_entropy"] for name, each in event.heads.items() if "normalized_entropy" in each
        }
        if loss is None:
            return
        if self._lowest_loss is None or loss <= self._lowest_loss:
            self._lowest_loss = loss
            self._entropies = {name: fmean(values) for name, values in measured.items()}
            return
        for attention, values in measured.items():
            before = self._entropies.get(attention, 0.0)
            if loss > WORSE * self._lowest_loss and max(values) < NARROW and fmean(values) < before / 2:
                text = (
                    f"lost its entropy, {before:.2f} -> {fmean(values):.2f} (1: uniform), while the loss rose from "
                    f"{self._lowest_loss:.3g} to {loss:.3g}: {REMEDY}"
                )
                self._warn(attention, "entropy", text, event.step)

    def _warn(self, attention: str, problem: str, text: str, step: int) -> None:
        if (attention, problem) not in self._warned:
            self._warned.add((attention, problem))
            logger.warning("step %d: attention %s %s", step, attention, text)


def _all_above(values: Sequence[float], bound: float) -> bool:
    return len(values) > 0 and min(values) > bound
