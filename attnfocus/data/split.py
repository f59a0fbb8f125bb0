"""Valid and test drawn from train, by input: the same input never sits in two splits."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Annotated

from attnfocus.data.clean import Splits
from attnfocus.data.rows import Row, row_key
from attnfocus.errors import DataError
from attnfocus.limits import NonNegativeFloat, NonNegativeInt, Range


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """How much of train becomes valid and test, where a set does not bring them.

    Args:
        valid, test: a share of the unique inputs (below 1) or their number (1 and more); 0: no such split.
        seed: which inputs are drawn. Not the run's seed, so that runs of any seed are measured on the same rows.
        folds: cross-validation: the inputs are dealt into so many parts of like size, and a run of seed s is tested on
            part s mod folds; `test` plays no role.
    """

    valid: NonNegativeFloat = 0.05
    test: NonNegativeFloat = 0.05
    seed: NonNegativeInt = 0
    folds: Annotated[int, Range(ge=2)] | None = None

    def __post_init__(self) -> None:
        for name, size in (("valid", self.valid), ("test", self.test)):
            if size >= 1 and size != int(size):
                raise ValueError(f"{name}={size}: above 1 it is a number of inputs, which must be whole")


def split_train(
    splits: Splits, options: SplitOptions, seed: int = 0, key: Callable[[Row], Hashable] = row_key
) -> Splits:
    """All three splits, those that are missing drawn from train. The order of rows is kept.

    Args:
        seed: of the run, which says the part to test on where there are folds.
        key: equal exactly for rows with the same input.

    Raises:
        DataError: train has too few different inputs; or there are folds, and the set brings a test split.
    """
    if options.folds is not None and "test" in splits:
        raise DataError(
            f"dataset.split.folds={options.folds}: this set brings its own test split, and folds are parts of train.\n"
            "Use dataset.split.folds=null."
        )
    rows = splits.get("train", [])
    if not rows:
        return splits
    keys = [key(row) for row in rows]
    inputs = list(dict.fromkeys(keys))
    fold = None if options.folds is None else _fold(len(inputs), options.folds, seed)
    sizes = _sizes(len(inputs), splits, options, fold)
    if not sizes:
        return splits
    _require_enough(len(inputs), sizes, options)
    if fold is None:
        drawn = random.Random(options.seed).sample(inputs, sum(sizes.values()))
    else:
        shuffled = random.Random(options.seed).sample(inputs, len(inputs))
        drawn = shuffled[fold.start :] + shuffled[: fold.start]
    split_of = {}
    for split, size in sizes.items():
        split_of.update(dict.fromkeys(drawn[:size], split))
        drawn = drawn[size:]
    result: dict[str, list[Row]] = {"train": [], **{split: [] for split in sizes}}
    for row, of_row in zip(rows, keys, strict=True):
        result[split_of.get(of_row, "train")].append(row)
    merged = {**splits, **result}
    return {split: merged[split] for split in ("train", "valid", "test") if split in merged}


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
        split: max(1, round(size * num_inputs)) if size < 1 else int(size)
        for split, size in wanted.items()
        if size and split not in splits
    }


def _require_enough(num_inputs: int, sizes: dict[str, int], options: SplitOptions) -> None:
    """Refuses sizes that leave nothing to train on."""
    if sum(sizes.values()) < num_inputs:
        return
    given = [f"dataset.split.{split}={getattr(options, split):g}" for split in sizes]
    if options.folds is not None:
        given = [*given[1:], f"dataset.split.folds={options.folds}"]
    raise DataError(
        f"{' and '.join(given)}: train has {num_inputs} different inputs, and {sum(sizes.values())} of them would be "
        f"taken for {' and '.join(sizes)}, which leaves none.\n"
        "Give smaller splits, more data, or files for these splits."
    )
