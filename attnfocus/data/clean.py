"""Cleaning of rows, with a count of what each step dropped from each split.

Rows of valid and test are dropped only when nothing is left of their text: a metric must be over all of a set's rows,
or it cannot be compared. Length limits, duplicates and `max_train_rows` concern train alone.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, Protocol

from attnfocus.data.rows import Row
from attnfocus.data.strata import Labels, Strata
from attnfocus.errors import DataError
from attnfocus.limits import NonNegativeInt, PositiveInt, Range
from attnfocus.marks import Before

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
        equality: when inputs of two splits are the same one: if they are cut into the same tokens, or if they are equal
            letter by letter, as in runs of before.
        max_train_rows: keep at most this many training rows, drawn at random.
    """

    strip: bool = True
    lowercase: bool = False
    normalization: Literal["none", "NFC", "NFKC"] = "NFC"
    min_words: NonNegativeInt = 1
    max_words: PositiveInt | None = None
    max_words_ratio: Annotated[float, Range(ge=1)] | None = None
    deduplicate: bool = True
    equality: Annotated[Literal["tokens", "input"], Before("input")] = "tokens"
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


def train_limits(
    splits: Splits, options: CleanOptions, rules: type[RowRules], key: Callable[[Row], Hashable]
) -> dict[str, Callable[[Row], bool]]:
    """Why rows are left out of train -> what passes: those in no other split, neither too short nor too long.

    Args:
        key: equal exactly for rows with the same input.
    """
    limits: dict[str, Callable[[Row], bool]] = {}
    held_out = {key(row) for split, rows in splits.items() if split != "train" for row in rows}
    known: dict[str, tuple[int, ...]] = {}

    def sizes(row: Row) -> tuple[int, ...]:
        if row.id not in known:
            known[row.id] = rules.sizes(row)
        return known[row.id]

    if options.deduplicate and held_out:
        limits["also in valid or test dropped"] = lambda row: key(row) not in held_out
    if options.min_words > 1:
        limits["too short dropped"] = lambda row: min(sizes(row)) >= options.min_words
    if options.max_words is not None:
        most = options.max_words
        limits["too long dropped"] = lambda row: max(sizes(row)) <= most
    if options.max_words_ratio is not None:
        ratio = options.max_words_ratio
        limits["of unequal lengths dropped"] = lambda row: max(sizes(row)) <= ratio * min(sizes(row))
    return limits


def limit_train(
    splits: Splits,
    limits: Mapping[str, Callable[[Row], bool]],
    options: CleanOptions,
    report: CleanReport,
    *,
    seed: int,
    label: Callable[[Row], str | None] = lambda row: None,
) -> Splits:
    """The splits, train with those rows alone that pass all limits, and of them at most `max_train_rows`.

    Args:
        limits: as `train_limits` gives them.
        label: of a row, whose shares the rows keep that are drawn; None: it has none.

    Raises:
        DataError: fewer rows are asked for than there are labels.
    """
    rows = splits.get("train", [])
    for reason, limit in limits.items():
        rows = report.keep("train", rows, reason, limit)
    if options.max_train_rows is not None and len(rows) > options.max_train_rows:
        drawn = _drawn(rows, options.max_train_rows, seed, label)
        report.count("train", "above max_train_rows dropped", len(rows) - len(drawn))
        rows = [row for index, row in enumerate(rows) if index in drawn]
    return {**splits, "train": rows} if "train" in splits else splits


def _drawn(rows: list[Row], size: int, seed: int, label: Callable[[Row], str | None]) -> set[int]:
    """The places of `size` rows of train that are drawn to stay."""
    generator = random.Random(seed)
    labels: dict[Hashable, Labels] = {
        index: (of_row,) for index, row in enumerate(rows) if (of_row := label(row)) is not None
    }
    if len(labels) < len(rows):
        return set(generator.sample(range(len(rows)), size))
    order = generator.sample(range(len(rows)), len(rows))
    dropped = Strata(order, labels, may_stay=labels.keys()).draw(len(rows) - size, ())
    if dropped is None:
        raise DataError(
            f"dataset.clean.max_train_rows={size}: train has {len(set(labels.values()))} labels, each of which keeps a "
            "row.\nGive a larger number, or null."
        )
    return set(order) - set(dropped)
