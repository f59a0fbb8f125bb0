"""How far answers agree with labels beyond what the sizes of the classes give."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar

from attnfocus.events import Direction
from attnfocus.metrics.base import Answer, Metric


class MatthewsCorrelation(Metric):
    """mcc = (c s - sum_k p_k t_k) / sqrt((s^2 - sum_k p_k^2) (s^2 - sum_k t_k^2))   (Gorodkin 2004)

    c of s answers are right; class k was answered p_k times and is the label of t_k examples. From -1 to 1; 0 is
    chance, and what a single class in all answers or labels gives.
    """

    directions: Mapping[str, Direction] = {"mcc": "max"}
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def __call__(self, answers: Sequence[Answer]) -> float:
        size, right = len(answers), sum(answer.text == answer.target for answer in answers)
        predicted, labels = Counter(answer.text for answer in answers), Counter(answer.target for answer in answers)
        agreement = right * size - sum(count * labels[label] for label, count in predicted.items())
        spread = math.prod(size**2 - sum(n**2 for n in counts.values()) for counts in (predicted, labels))
        return agreement / math.sqrt(spread) if spread else 0.0
