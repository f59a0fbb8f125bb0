"""Cleaning of rows, with a count of what each step dropped from each split.

Rows of valid and test are dropped only when nothing is left of their text: a metric must be over all of a set's rows,
or it cannot be compared. Length limits, duplicates and `max_train_rows` concern train alone.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, Protocol

from attnfocus.data.rows import Row
from attnfocus.limits import NonNegativeInt, PositiveInt, Range

Splits = dict[str, list[Row]]


class RowRules(Protocol):
    """What cleaning asks of a codec's class; see `data.codecs.base.Codec`."""

    @classmethod
    def clean(cls, row: Row, options: CleanOptions) -> Row: ...

    @classmethod
    def has_content(cls, row: Row) -> bool: ...

    @classmethod
    def input_key(cls, row: Row) -> Hashable: ...

    @classmethod
    def sizes(cls, row: Row) -> tuple[int, ...]: ...


@dataclass(frozen=True, kw_only=True)
class CleanOptions:
    """What is done to rows before they are tokenized.

    Args:
        strip: remove blanks at both ends.
        lowercase: all texts, the references of valid and test too.
        normalization: Unicode form (UAX 15).
        min_words, max_words: limits of either side of a training row; a CJK character counts as one word, a vector
            as one; of the input alone where the target is a label.
        max_words_ratio: the longer side of a training pair may have at most this many times the words of the other.
        deduplicate: drop repeated training rows, and those whose input is also in valid or test.
        max_train_rows: keep at most this many training rows, drawn at random.
    """

    strip: bool = True
    lowercase: bool = False
    normalization: Literal["none", "NFC", "NFKC"] = "NFC"
    min_words: NonNegativeInt = 1
    max_words: PositiveInt | None = None
    max_words_ratio: Annotated[float, Range(ge=1)] | None = None
    deduplicate: bool = True
    max_train_rows: PositiveInt | None = None

    def __post_init__(self) -> None:
        if self.max_words is not None and self.max_words < self.min_words:
            raise ValueError(f"max_words={self.max_words} is less than min_words={self.min_words}")


@dataclass
class CleanReport:
    """How many rows were read and dropped, and why, per split; in the order in which it happened."""

    read: dict[str, int] = field(default_factory=dict)
    drops: dict[str, dict[str, int]] = field(default_factory=dict)

    def keep(self, split: str, rows: Iterable[Row], reason: str, test: Callable[[Row], bool]) -> list[Row]:
        """The rows that pass the test; the others are counted under `reason`."""
        before = list(rows)
        kept = [row for row in before if test(row)]
        self.count(split, reason, len(before) - len(kept))
        return kept

    def count(self, split: str, reason: str, number: int) -> None:
        if number:
            reasons = self.drops.setdefault(split, {})
            reasons[reason] = reasons.get(reason, 0) + number

    def line(self, split: str, num_kept: int) -> str:
        """`train: 29000 rows read, 12 repeated dropped, 28988 kept`; for a split drawn from train only what is kept."""
        parts = [f"{self.read[split]} rows read"] if split in self.read else []
        parts += [f"{number} {reason}" for reason, number in self.drops.get(split, {}).items()]
        return f"{split}: {', '.join([*parts, f'{num_kept} kept'])}"


def clean_text(text: str, options: CleanOptions) -> str:
    """One text, as every text of a set is treated; also for what is to be predicted."""
    if options.normalization != "none":
        text = unicodedata.normalize(options.normalization, text)
    if options.lowercase:
        text = text.lower()
    return text.strip() if options.strip else text


def clean_texts(row: Row, options: CleanOptions, *, target_is_text: bool) -> Row:
    """A row of texts, cleaned. Known alignments and rationales are lost when a text changes its length."""
    if not isinstance(row.input, str):
        return row
    cleaned = clean_text(row.input, options)
    target = clean_text(row.target, options) if target_is_text else row.target
    if cleaned == row.input and target == row.target:
        return row
    same_places = len(cleaned) == len(row.input) and len(target) == len(row.target)
    known = row if same_places else replace(row, alignment=(), sure=None, rationale=())
    return replace(known, input=cleaned, target=target)


def clean_splits(splits: Splits, options: CleanOptions, report: CleanReport, rules: type[RowRules]) -> Splits:
    """Every split with its rows cleaned and empty ones dropped; train without repeated rows."""
    result: Splits = {}
    for split, rows in splits.items():
        report.read[split] = len(rows)
        cleaned = [rules.clean(row, options) for row in rows]
        result[split] = report.keep(split, cleaned, "empty dropped", rules.has_content)
    if options.deduplicate and "train" in result:
        result["train"] = drop_repeated(result["train"], report, rules)
    return result


def drop_repeated(rows: list[Row], report: CleanReport, rules: type[RowRules]) -> list[Row]:
    """Train with the first of the rows whose input and target are both the same."""
    first = {(rules.input_key(row), row.target): row for row in reversed(rows)}
    return report.keep("train", rows, "repeated dropped", lambda row: first[rules.input_key(row), row.target] is row)


def limit_train(
    splits: Splits, options: CleanOptions, report: CleanReport, rules: type[RowRules], *, seed: int
) -> Splits:
    """The splits, train without what is in the other splits, too short, too long, or more than `max_train_rows`."""
    rows = splits.get("train", [])
    if options.deduplicate:
        held_out = {rules.input_key(row) for split, others in splits.items() if split != "train" for row in others}
        reason = "also in valid or test dropped"
        rows = report.keep("train", rows, reason, lambda row: rules.input_key(row) not in held_out)
    sizes = {row.id: rules.sizes(row) for row in rows} if _limits_length(options) else {}
    if options.min_words > 1:
        rows = report.keep("train", rows, "too short dropped", lambda row: min(sizes[row.id]) >= options.min_words)
    if options.max_words is not None:
        most = options.max_words
        rows = report.keep("train", rows, "too long dropped", lambda row: max(sizes[row.id]) <= most)
    if options.max_words_ratio is not None:
        ratio = options.max_words_ratio
        reason = "of unequal lengths dropped"
        rows = report.keep("train", rows, reason, lambda row: max(sizes[row.id]) <= ratio * min(sizes[row.id]))
    if options.max_train_rows is not None and len(rows) > options.max_train_rows:
        drawn = set(random.Random(seed).sample(range(len(rows)), options.max_train_rows))
        report.count("train", "above max_train_rows dropped", len(rows) - len(drawn))
        rows = [row for index, row in enumerate(rows) if index in drawn]
    return {**splits, "train": rows} if "train" in splits else splits


def _limits_length(options: CleanOptions) -> bool:
    return options.min_words > 1 or options.max_words is not None or options.max_words_ratio is not None
