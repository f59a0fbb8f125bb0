"""What a run answered to its test rows: which to look at, what was taken for what, and how sure the figures are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from attnfocus.runs.predictions_file import answered_rows
from attnfocus.visible import visible

MAX_ROWS = 100_000  # that are read
MAX_WRONG = 400  # in a page
MAX_RIGHT = 4  # in a page, of each class
MAX_TEXT = 400  # characters of a text in a list
NUM_RESAMPLES = 2000
MAX_F1_CLASSES = 60  # of more, intervals of macro figures would take long
LEVEL = 0.95
Member = TypeVar("Member")
GROUPS = {"wrong": 3, "unsure": 2, "right": 3}  # examples that are looked at


@dataclass(frozen=True)
class Row:
    """A test row with its answer.

    Attributes:
        confidence: the probability of the answer, of a text its geometric mean over the words; None: it is not known.
        of_target: the probability of the right class; None where answers are no classes.
    """

    id: str
    source: str
    answer: str
    target: str
    confidence: float | None
    of_target: float | None

    @property
    def is_right(self) -> bool:
        return self.answer == self.target


@dataclass(frozen=True)
class Answers:
    """Rows in the order of the file. `skipped`: rows without an answer. `is_whole`: the file has no more."""

    rows: Sequence[Row] = ()
    skipped: int = 0
    is_whole: bool = True

    @property
    def wrong(self) -> list[Row]:
        """The surest first."""
        return sorted((row for row in self.rows if not row.is_right), key=_sure, reverse=True)

    def groups(self) -> dict[str, list[Row]]:
        """Which rows to look at: wrong and sure, unsure (right or wrong), right and of middling confidence."""
        wrong, right = self.wrong, sorted((row for row in self.rows if row.is_right), key=_sure)
        chosen = {"wrong": wrong[: GROUPS["wrong"]]}
        taken = {row.id for row in chosen["wrong"]}
        known = (row for row in self.rows if row.confidence is not None and row.id not in taken)
        chosen["unsure"] = sorted(known, key=_sure)[: GROUPS["unsure"]]
        taken |= {row.id for row in chosen["unsure"]}
        number = GROUPS["right"]
        middle = [row for row in right if row.id not in taken]
        start = max(0, len(middle) // 2 - number // 2)
        chosen["right"] = middle[start : start + number]
        return {name: rows for name, rows in chosen.items() if rows}

    def listed(self) -> list[Row]:
        """The rows that a page names: the surest wrong ones, and a few right ones of each class."""
        right: dict[str, list[Row]] = {}
        for row in self.rows:
            if row.is_right:
                right.setdefault(row.target, []).append(row)
        some = [row for rows in islice(right.values(), MAX_WRONG // MAX_RIGHT) for row in rows[:MAX_RIGHT]]
        shown = [row for rows in self.groups().values() for row in rows]
        return list({row.id: row for row in [*shown, *self.wrong[:MAX_WRONG], *some]}.values())


def in_turn(groups: Mapping[str, Sequence[Member]]) -> list[tuple[str, Member]]:
    """The first of each group, then the second of each, so that whoever stops early has some of all."""
    ranks = zip_longest(*([(name, row) for row in rows] for name, rows in groups.items()))
    return [pair for rank in ranks for pair in rank if pair is not None]


def read_answers(run_dir: Path, *, is_written: bool) -> Answers:
    """The rows of predictions-test.jsonl; none where it is not there or is damaged.

    Args:
        is_written: answers are texts, whose probability is that of all their words together.
    """
    rows: list[Row] = []
    skipped = 0
    try:
        for number, facts in enumerate(answered_rows(run_dir)):
            if number == MAX_ROWS:
                return Answers(rows, skipped, is_whole=False)
            if "skipped" in facts:
                skipped += 1
            elif isinstance(facts.get("prediction"), float):  # a number, which is neither right nor wrong
                continue
            elif facts.get("target") or facts.get("prediction"):  # else a text that was only read
                rows.append(_row(facts, is_written=is_written))
    except (OSError, ValueError, TypeError, AttributeError):
        return Answers()
    return Answers(rows, skipped)


def _row(facts: Mapping[str, Any], *, is_written: bool) -> Row:
    answer, target = str(facts["prediction"]), str(facts["target"])
    confidence = facts.get("probability")
    if confidence is not None and is_written:
        confidence = float(confidence) ** (1 / (len(answer.split()) + 1))
    of_target = facts.get("probabilities", {}).get(target)
    return Row(str(facts["id"]), str(facts.get("source") or ""), answer, target, confidence, of_target)


def facts_of(row: Row, example: int | None) -> dict[str, Any]:
    """A row for the page. `example`: its place among those that are looked at."""
    texts = {"source": row.source, "answer": row.answer, "target": row.target}
    return {
        "id": visible(row.id),
        **{name: visible(_cut(text)) for name, text in texts.items()},
        "sure": None if row.confidence is None else round(row.confidence, 4),
        "of_target": None if row.of_target is None else round(row.of_target, 4),
        "right": row.is_right,
        "example": example,
    }


def intervals(rows: Sequence[Row], metrics: Mapping[str, Any], extras: Mapping[str, Any]) -> dict[str, list[float]]:
    """Metric -> ends of its 95 % interval by bootstrap over the test rows, of those that follow from the answers alone.

    Resampling rows of a share is drawing from a binomial distribution; of a matrix of classes, from a multinomial one.
    Percentiles (Efron and Tibshirani 1993, chapter 13); the draws have a fixed seed.
    """
    found: dict[str, list[float]] = {}
    random = np.random.default_rng(0)
    if rows:
        share, number = sum(row.is_right for row in rows) / len(rows), len(rows)
        for name in ("accuracy", "exact_match"):
            if name in metrics and abs(metrics[name] - share) < 1e-6:
                found[name] = _ends(random.binomial(number, share, NUM_RESAMPLES) / number)
    matrix = np.asarray(extras.get("confusion_matrix", []), dtype=np.float64)
    if matrix.ndim == 2 and matrix.sum() > 0 and len(matrix) <= MAX_F1_CLASSES and "accuracy" in found:
        total = int(matrix.sum())
        draws = random.multinomial(total, (matrix / total).ravel(), NUM_RESAMPLES).reshape(-1, *matrix.shape)
        value, draw_values = _macro_f1(matrix[None])[0], _macro_f1(draws)
        if "macro_f1" in metrics and abs(metrics["macro_f1"] - value) < 1e-4:
            found["macro_f1"] = _ends(draw_values)
    return found


def _macro_f1(matrices: np.ndarray) -> np.ndarray:
    """(N, C, C), rows the true classes -> (N,): the mean over the classes that have rows or answers."""
    hits = np.einsum("ncc->nc", matrices)
    both = matrices.sum(axis=1) + matrices.sum(axis=2)
    f1 = np.divide(2 * hits, both, out=np.zeros(hits.shape), where=both > 0)
    figures: np.ndarray = f1.sum(axis=1) / np.maximum((both > 0).sum(axis=1), 1)
    return figures


def _ends(values: np.ndarray) -> list[float]:
    return [float(end) for end in np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])]


def most_confused(matrix: Sequence[Sequence[int]], number: int) -> list[int]:
    """The places of the classes that take part in most mistakes, in the order of the labels."""
    counts = np.asarray(matrix)
    mistakes = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
    return sorted(int(place) for place in np.argsort(-mistakes, kind="stable")[:number])


def _sure(row: Row) -> float:
    return -1.0 if row.confidence is None else row.confidence


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}\u2026"
