"""How many edits turn outputs into their references."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from attnfocus.events import Direction
from attnfocus.metrics.base import Answer, Metric


class TranslationEditRate(Metric):
    """ter = 100 * edits / words of the references   (Snover et al. 2006, sec. 2), by sacrebleu

    An edit inserts, deletes, replaces or moves words; 0 is a perfect output, and more than 100 is possible. It takes
    the time of many BLEUs.

    Args:
        case_sensitive: whether `The` is another word than `the`.
        normalized: take punctuation off words, and split Chinese and Japanese into characters. True for languages
            without blanks between words, whose sentences would each be one word.
    """

    directions: Mapping[str, Direction] = {"ter": "min"}
    tasks: ClassVar[tuple[str, ...]] = ("translation",)

    def __init__(self, case_sensitive: bool = False, normalized: bool = False) -> None:
        self.case_sensitive = case_sensitive
        self.normalized = normalized

    def __call__(self, answers: Sequence[Answer]) -> float:
        from sacrebleu.metrics.ter import TER

        outputs, references = [answer.text for answer in answers], [answer.target for answer in answers]
        scorer = TER(case_sensitive=self.case_sensitive, normalized=self.normalized, asian_support=self.normalized)
        return float(scorer.corpus_score(outputs, [references]).score)
