"""Valid and test drawn from train, by input and by label: the same input never sits in two splits."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from attnfocus.data.clean import Splits
from attnfocus.data.rows import Row, row_key
from attnfocus.data.strata import Labels, Strata
from attnfocus.data.text_rows import changed, first_equals, taken
from attnfocus.errors import DataError
from attnfocus.limits import NonNegativeFloat, NonNegativeInt, Range
from attnfocus.marks import Before


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """How much of train becomes valid and test, where a set does not bring them.

    Args:
        valid, test: a share of the unique inputs (below 1) or their number (1 and more); 0: no such split.
        seed: which inputs are drawn. Not the run's seed, so that runs of any seed are measured on the same rows.
        folds: cross-validation: the inputs are dealt into so many parts of like size, and a run of seed s is tested on
            part s mod folds; `test` plays no role.
        stratify: where rows have labels: valid and test have each label in the share that it has in all rows, and each
            label keeps a row in train. False: drawn without regard to labels, as runs of before did.
    """

    valid: NonNegativeFloat = 0.05
    test: NonNegativeFloat = 0.05
    seed: NonNegativeInt = 0
    folds: Annotated[int, Range(ge=2)] | None = None
    stratify: Annotated[bool, Before(False)] = True

    def __post_init__(self) -> None:
        for name, size in (("valid", self.valid), ("test", self.test)):
            if size >= 1 and size != int(size):
                raise ValueError(f"{name}={size}: above 1 it is a number of inputs, which must be whole")


def split_train(
    splits: Splits,
    options: SplitOptions,
    seed: int = 0,
    key: Callable[[Row], Hashable] = row_key,
    label: Callable[[Row], str | None] = lambda row: None,
    may_train: Callable[[Row], bool] | None = None,
) -> Splits:
    """All three splits, those that are missing drawn from train. The order of rows is kept.

    Args:
        seed: of the run, which says the part to test on where there are folds.
        key: equal exactly for rows with the same input.
        label: of a row; None where it has none.
        may_train: whether a row would be kept in train; None: each would.

    Raises:
        DataError: train has too few different inputs; or there are folds, and the set brings a test split.
    """
    if options.folds is not None and "test" in splits:
        raise DataError(
            f"dataset.split.folds={options.folds}: this set brings its own test split, and folds are parts of train.\n"
            "Use dataset.split.folds=null."
        )
    rows = splits.get("train", ())
    if not rows or not _missing(splits, options):
        return splits
    keys = first_equals(rows, key)
    inputs: list[Hashable] = np.unique(keys).tolist()  # in the order in which they come first
    fold = None if options.folds is None else _fold(len(inputs), options.folds, seed)
    sizes = _sizes(len(inputs), splits, options, fold)
    _require_enough(len(inputs), sizes, options)
    labels = _labels(rows, keys.tolist(), label) if options.stratify else {}
    if labels:
        may_stay: Collection[Hashable] = labels
        if may_train is not None:
            may_stay = {of_row for row, of_row in zip(rows, keys.tolist(), strict=True) if may_train(row)}
        order = random.Random(options.seed).sample(inputs, len(inputs))
        drawn = _drawn_by_label(Strata(order, labels, may_stay), sizes, options, seed)
    else:
        drawn = _drawn(inputs, sizes, options, fold)
    is_of = {split: np.isin(keys, np.array(of_split, dtype=np.int64)) for split, of_split in drawn.items()}
    is_of["train"] = ~np.logical_or.reduce(list(is_of.values()))
    merged = {**splits, **{split: taken(rows, is_taken.tolist()) for split, is_taken in is_of.items()}}
    return {split: merged[split] for split in ("train", "valid", "test") if split in merged}


def renamed(splits: Splits, drawn: Collection[str]) -> Splits:
    """The splits that were drawn from train with rows of their own name: `test:12` is row 12 of train, once."""
    return {split: _renamed(rows, "train", split) if split in drawn else rows for split, rows in splits.items()}


def named_as_read(splits: Splits, drawn: Collection[str]) -> Splits:
    """What `renamed` was given."""
    return {split: _renamed(rows, split, "train") if split in drawn else rows for split, rows in splits.items()}


def _renamed(rows: Sequence[Row], before: str, after: str) -> Sequence[Row]:
    start = f"{before}:"
    return changed(
        rows,
        lambda row: replace(row, id=f"{after}:{row.id.removeprefix(start)}") if row.id.startswith(start) else row,
    )


def _labels(
    rows: Sequence[Row], keys: Sequence[Hashable], label: Callable[[Row], str | None]
) -> dict[Hashable, Labels]:
    """Input -> its labels; empty where rows have none."""
    found: dict[Hashable, Labels] = {}
    alone: dict[str, Labels] = {}  # one tuple for all inputs of a label
    for row, key in zip(rows, keys, strict=True):
        of_row = label(row)
        if of_row is None:
            return {}
        known = found.get(key)
        if known is None:
            found[key] = alone.setdefault(of_row, (of_row,))
        elif of_row not in known:
            found[key] = tuple(sorted((*known, of_row)))
    return found


def _drawn(
    inputs: Sequence[Hashable], sizes: dict[str, int], options: SplitOptions, fold: range | None
) -> dict[str, list[Hashable]]:
    """Split -> its inputs, without regard to labels."""
    if fold is None:
        drawn = random.Random(options.seed).sample(inputs, sum(sizes.values()))
    else:
        shuffled = random.Random(options.seed).sample(inputs, len(inputs))
        drawn = shuffled[fold.start :] + shuffled[: fold.start]
    result = {}
    for split, size in sizes.items():
        result[split] = drawn[:size]
        drawn = drawn[size:]
    return result


def _drawn_by_label(
    strata: Strata, sizes: dict[str, int], options: SplitOptions, seed: int
) -> dict[str, list[Hashable]]:
    """Split -> its inputs, with the shares of labels that train has.

    Raises:
        DataError: there are too few inputs to leave each label a row in train.
    """
    result: dict[str, list[Hashable]] = {}
    taken: list[Hashable] = []
    for split, size in sizes.items():
        is_part = split == "test" and options.folds is not None
        drawn = strata.part(seed % options.folds, options.folds) if is_part and options.folds else None
        drawn = strata.draw(size, taken) if drawn is None else drawn
        if not drawn:
            num_labels = len({label for labels in strata.counts for label in labels})
            raise DataError(
                f"{_given(sizes, options)}: train has {len(strata.order)} different inputs of {num_labels} labels, "
                f"each of which keeps one in train: too few are left for {' and '.join(sizes)}.\n"
                "Give smaller splits, more data, or files for these splits."
            )
        result[split] = drawn
        taken += drawn
    return result


def _fold(num_inputs: int, folds: int, seed: int) -> range:
    """The places of the inputs to test on, among all of them in a fixed order.

    Raises:
        DataError: there are none, as train has fewer inputs than folds.
    """
    number = seed % folds
    fold = range(num_inputs * number // folds, num_inputs * (number + 1) // folds)
    if not fold:
        raise DataError(
            f"dataset.split.folds={folds}: train has {num_inputs} different inputs.\nUse fewer folds, or more data."
        )
    return fold


def _sizes(num_inputs: int, splits: Splits, options: SplitOptions, fold: range | None) -> dict[str, int]:
    """Number of inputs to draw for each split that is missing and wanted, test first."""
    wanted = {"test": options.test if fold is None else len(fold), "valid": options.valid}
    return {
        split: max(1, round(wanted[split] * num_inputs)) if wanted[split] < 1 else int(wanted[split])
        for split in _missing(splits, options)
    }


def _missing(splits: Splits, options: SplitOptions) -> list[str]:
    """The splits that are to be drawn, test first."""
    wanted = {"test": options.test if options.folds is None else 1, "valid": options.valid}
    return [split for split, size in wanted.items() if size and split not in splits]


def _require_enough(num_inputs: int, sizes: dict[str, int], options: SplitOptions) -> None:
    """Refuses sizes that leave nothing to train on."""
    if sum(sizes.values()) < num_inputs:
        return
    raise DataError(
        f"{_given(sizes, options)}: train has {num_inputs} different inputs, and {sum(sizes.values())} of them would "
        f"be taken for {' and '.join(sizes)}, which leaves none.\n"
        "Give smaller splits, more data, or files for these splits."
    )


def _given(sizes: dict[str, int], options: SplitOptions) -> str:
    """The options that asked for splits of these sizes."""
    given = [f"dataset.split.{split}={getattr(options, split):g}" for split in sizes]
    if options.folds is not None:
        given = [*given[1:], f"dataset.split.folds={options.folds}"]
    return " and ".join(given)
