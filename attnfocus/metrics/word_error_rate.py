"""How many words of the references are missing, wrong, or too many in the outputs."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from attnfocus.events import Direction
from attnfocus.metrics.base import Answer, Metric


class WordErrorRate(Metric):
    """wer = words inserted, deleted and replaced / words of the references, of the whole split, by torchmetrics

    The edits are the fewest that turn outputs into references (Levenshtein distance of words, which blanks separate).
    0 is perfect; more than 1 is possible.
    """

    directions: Mapping[str, Direction] = {"wer": "min"}
    tasks: ClassVar[tuple[str, ...]] = ("translation",)

    def __call__(self, answers: Sequence[Answer]) -> float:
        from torchmetrics.functional.text import word_error_rate

        outputs, references = [answer.text for answer in answers], [answer.target for answer in answers]
        return float(word_error_rate(outputs, references))
