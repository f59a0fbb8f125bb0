"""Valid and test drawn from train, by input: the same input never sits in two splits."""

from __future__ import annotations

import random
from dataclasses import dataclass

from attnfocus.data.clean import Splits
from attnfocus.data.rows import Row
from attnfocus.errors import DataError
from attnfocus.limits import NonNegativeFloat, NonNegativeInt


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """How much of train becomes valid and test, where a set does not bring them.

    Args:
        valid, test: a share of the unique inputs (below 1) or their number (1 and more); 0: no such split.
        seed: which inputs are drawn. Not the run's seed, so that runs of any seed are measured on the same rows.
    """

    valid: NonNegativeFloat = 0.05
    test: NonNegativeFloat = 0.05
    seed: NonNegativeInt = 0

    def __post_init__(self) -> None:
        for name, size in (("valid", self.valid), ("test", self.test)):
            if size >= 1 and size != int(size):
                raise ValueError(f"{name}={size}: above 1 it is a number of inputs, which must be whole")


def split_train(splits: Splits, options: SplitOptions) -> Splits:
    """All three splits, those that are missing drawn from train. The order of rows is kept.

    Raises:
        DataError: train has too few different inputs.
    """
    wanted = {split: size for split, size in (("test", options.test), ("valid", options.valid)) if split not in splits}
    wanted = {split: size for split, size in wanted.items() if size}
    rows = splits.get("train", [])
    if not wanted or not rows:
        return splits
    inputs = list(dict.fromkeys(row.input for row in rows))
    sizes = {split: max(1, round(size * len(inputs))) if size < 1 else int(size) for split, size in wanted.items()}
    if sum(sizes.values()) >= len(inputs):
        asked = " and ".join(f"dataset.split.{split}={wanted[split]:g}" for split in sizes)
        raise DataError(
            f"{asked}: train has {len(inputs)} different inputs, and {sum(sizes.values())} of them would be taken for "
            f"{' and '.join(sizes)}, which leaves none.\nGive smaller splits, more data, or files for these splits."
        )
    drawn = random.Random(options.seed).sample(inputs, sum(sizes.values()))
    split_of = {}
    for split, size in sizes.items():
        split_of.update(dict.fromkeys(drawn[:size], split))
        drawn = drawn[size:]
    result: dict[str, list[Row]] = {"train": [], **{split: [] for split in sizes}}
    for row in rows:
        result[split_of.get(row.input, "train")].append(row)
    merged = {**splits, **result}
    return {split: merged[split] for split in ("train", "valid", "test") if split in merged}
