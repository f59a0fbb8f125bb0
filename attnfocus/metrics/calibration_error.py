"""How far a model's probabilities are from how often it is right."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from attnfocus.events import Direction
from attnfocus.limits import Range
from attnfocus.metrics.base import Answer, Metric, mean


class CalibrationError(Metric):
    """ece = sum_b |B_b| / n * |accuracy(B_b) - confidence(B_b)|   (Naeini et al. 2015; Guo et al. 2017, eq. 3)

    The answers are put into bins B_b of equal width by the probability that the model gives to them. 0 (as sure as it
    is right) to 1. An example without an answer counts in n alone.

    Args:
        num_bins: how many; more need more examples.
    """

    directions: Mapping[str, Direction] = {"ece": "min"}
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def __init__(self, num_bins: Annotated[int, Range(ge=1, le=1000)] = 15) -> None:
        self.num_bins = num_bins

    def __call__(self, answers: Sequence[Answer]) -> float:
        bins: dict[int, list[tuple[float, float]]] = {}  # bin -> (confidence, is right)
        for answer in answers:
            if not math.isnan(answer.score):
                confidence = min(1.0, math.exp(answer.score))
                place = max(0, math.ceil(confidence * self.num_bins) - 1)  # the upper edge belongs to a bin
                bins.setdefault(place, []).append((confidence, float(answer.text == answer.target)))
        gaps = []
        for inside in bins.values():
            confidences, rights = zip(*inside, strict=True)
            gaps.append(len(inside) * abs(mean(rights) - mean(confidences)))
        return math.fsum(gaps) / len(answers)
