"""Cleaning of rows, with a count of what each step dropped from each split.

Rows of valid and test are dropped only when nothing is left of their text: a metric must be over all of a set's rows,
or it cannot be compared. Length limits, duplicates and `max_train_rows` concern train alone.
"""

from __future__ import annotations

import random
import unicodedata
from array import array
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, Protocol

import numpy as np

from attnfocus.data.rows import Row
from attnfocus.data.strata import Labels, Strata
from attnfocus.data.text_blocks import BLOCK, TextBlock, hash_of
from attnfocus.data.text_rows import OfInput, TextRows, changed, first_equals, results, taken
from attnfocus.errors import DataError
from attnfocus.limits import NonNegativeInt, PositiveInt, Range
from attnfocus.marks import Before
from attnfocus.stages import Stage, stage

Splits = Mapping[str, Sequence[Row]]


class RowRules(Protocol):
    """What cleaning asks of a codec's class; see `data.codecs.base.Codec`."""

    @classmethod
    def clean(cls, row: Row, options: CleanOptions) -> Row: ...

    @classmethod
    def has_content(cls, row: Row) -> bool: ...

    @classmethod
    def input_key(cls, row: Row) -> Hashable: ...

    @classmethod
    def has_plain_keys(cls) -> bool: ...

    @classmethod
    def sizes(cls, row: Row) -> tuple[int, ...]: ...

    @classmethod
    def is_clean(cls, block: TextBlock, options: CleanOptions) -> bool: ...


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

    def keep(self, split: str, rows: Sequence[Row], reason: str, test: Callable[[Row], bool]) -> Sequence[Row]:
        """The rows that pass the test; the others are counted under `reason`."""
        kept = taken(rows, results(rows, test))
        self.count(split, reason, len(rows) - len(kept))
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
    """A row of texts, cleaned. Alignments, rationales and answers are lost when a text changes its length."""
    if not isinstance(row.input, str):
        return row
    cleaned = clean_text(row.input, options)
    target = clean_text(row.target, options) if target_is_text else row.target
    if cleaned == row.input and target == row.target:
        return row
    same_places = len(cleaned) == len(row.input) and len(target) == len(row.target)
    known = row if same_places else replace(row, alignment=(), sure=None, rationale=(), answers=())
    return replace(known, input=cleaned, target=target)


def is_clean_block(block: TextBlock, options: CleanOptions) -> bool:
    """Whether `clean_texts` is known to change no row of a block, and none of them is empty."""
    if options.lowercase or not block.is_tight():
        return False
    return options.normalization == "none" or (options.normalization == "NFC" and block.is_nfc)


def clean_splits(splits: Splits, options: CleanOptions, report: CleanReport, rules: type[RowRules]) -> Splits:
    """Every split with its rows cleaned and empty ones dropped; train without repeated rows."""
    result: dict[str, Sequence[Row]] = {}
    with stage("cleaning", sum(map(len, splits.values()))) as cleaning:
        for split, rows in splits.items():
            report.read[split] = len(rows)
            result[split] = _clean_split(split, rows, options, report, rules, cleaning)
    return result


def _clean_split(
    split: str,
    rows: Sequence[Row],
    options: CleanOptions,
    report: CleanReport,
    rules: type[RowRules],
    cleaning: Stage,
) -> Sequence[Row]:
    """One split. All is asked of a row while it is at hand: of many rows making it takes longest."""
    is_full, hashes = array("b"), array("q")
    drops_repeated = options.deduplicate and split == "train"

    is_hashed_by_text = isinstance(rows, TextRows) and rules.has_plain_keys()  # equal keys need equal hashes

    def key(row: Row) -> Hashable:
        return rules.input_key(row), row.target

    def clean(row: Row) -> Row:
        row = rules.clean(row, options)
        is_full.append(rules.has_content(row))
        if drops_repeated:
            hashes.append(hash_of(row) if is_hashed_by_text else hash(key(row)))
        if not len(is_full) % BLOCK:
            cleaning.advance(BLOCK)
        return row

    def is_kept(block: TextBlock) -> bool:
        if not rules.is_clean(block, options):
            return False
        is_full.frombytes(b"\1" * block.size)
        if drops_repeated:
            hashes.extend(block.hashes() if is_hashed_by_text else map(hash, map(key, block.rows())))
        cleaning.advance(block.size)
        return True

    cleaned = changed(rows, clean, is_kept)
    if not all(is_full):
        cleaned = taken(cleaned, map(bool, is_full))
        report.count(split, "empty dropped", len(is_full) - len(cleaned))
    if not drops_repeated:
        return cleaned
    of_full = np.array(hashes, dtype=np.int64)[np.array(is_full, dtype=bool)]
    is_first = first_equals(cleaned, key, of_full) == np.arange(len(cleaned))
    if is_first.all():
        return cleaned
    report.count(split, "repeated dropped", len(cleaned) - int(is_first.sum()))
    return taken(cleaned, is_first.tolist())


def train_limits(
    splits: Splits, options: CleanOptions, rules: type[RowRules], key: Callable[[Row], Hashable]
) -> dict[str, Callable[[Row], bool]]:
    """Why rows are left out of train -> what passes: those in no other split, neither too short nor too long.

    Args:
        key: equal exactly for rows with the same input.
    """
    limits: dict[str, Callable[[Row], bool]] = {}
    held_out = {each for split, rows in splits.items() if split != "train" for each in results(rows, key)}
    sizes = rules.sizes
    if options.deduplicate and held_out:
        limits["also in valid or test dropped"] = _not_in(held_out, key)
    if options.min_words > 1:
        limits["too short dropped"] = lambda row: min(sizes(row)) >= options.min_words
    if options.max_words is not None:
        most = options.max_words
        limits["too long dropped"] = lambda row: max(sizes(row)) <= most
    if options.max_words_ratio is not None:
        ratio = options.max_words_ratio
        limits["of unequal lengths dropped"] = lambda row: max(sizes(row)) <= ratio * min(sizes(row))
    return limits


def _not_in(held_out: Collection[Hashable], key: Callable[[Row], Hashable]) -> Callable[[Row], bool]:
    """Whether a row's key is none of some."""
    if not isinstance(key, OfInput):
        return lambda row: key(row) not in held_out
    of_text = key.of_text or str
    return OfInput(lambda text: of_text(text) not in held_out, lambda row: key(row) not in held_out)


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
    rows = splits.get("train", ())
    for reason, limit in limits.items():
        rows = report.keep("train", rows, reason, limit)
    if options.max_train_rows is not None and len(rows) > options.max_train_rows:
        drawn = _drawn(rows, options.max_train_rows, seed, label)
        report.count("train", "above max_train_rows dropped", len(rows) - len(drawn))
        rows = taken(rows, (index in drawn for index in range(len(rows))))
    return {**splits, "train": rows} if "train" in splits else splits


def _drawn(rows: Sequence[Row], size: int, seed: int, label: Callable[[Row], str | None]) -> set[int]:
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
