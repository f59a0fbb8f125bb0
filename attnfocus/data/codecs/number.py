"""What codecs of numbers have in common: targets that are measured, not chosen from a list."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from attnfocus.data.codecs.base import Codec
from attnfocus.data.rows import Row
from attnfocus.data.text_rows import targets_of
from attnfocus.errors import DataError

NO_NUMBER = math.nan  # the target of an input that is only to be predicted, so that a loss on it is not finite
MAX_SHOWN = 40  # characters of a target in a message


class Scale(NamedTuple):
    """Of the targets of train, which the model sees as (target - mean) / deviation."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Scale:
        """Of all numbers together; the deviation is that of all, not of a sample (divided by N).

        Raises:
            DataError: they are all the same.
        """
        mean, deviation = float(np.mean(numbers)), float(np.std(numbers))
        if not math.isfinite(deviation) or deviation <= abs(mean) * 1e-12:
            raise DataError(
                f"dataset: all {len(numbers)} training rows have the number {mean:g}: there is nothing to learn.\n"
                "Give rows of different numbers, or the right dataset.label_column."
            )
        return cls(mean, deviation)

    @classmethod
    def saved(cls, content: dict[str, Any]) -> Scale:
        """From a codec's main file.

        Raises:
            KeyError, TypeError, ValueError: it is damaged.
        """
        mean, deviation = (float(number) for number in content["target_scale"])
        if not (math.isfinite(mean) and math.isfinite(deviation) and deviation > 0):
            raise ValueError("target_scale is not a mean and a deviation above 0")
        return cls(mean, deviation)


class NumberCodec(Codec):
    """What codecs with a number as their target have in common. `scale`: of the targets of train."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale

    @classmethod
    def scale_of(cls, rows: Sequence[Row]) -> Scale:
        """The mean and the deviation of the targets of training rows.

        Raises:
            DataError: a target that is no number; or all are the same.
        """
        return Scale.of([_number_of(row) for row in rows])

    def target_of(self, row: Row) -> float:
        """The row's number as the model sees it.

        Raises:
            DataError: its target is no number.
        """
        return (_number_of(row) - self.scale.mean) / self.scale.deviation

    def is_known(self, target: str) -> bool:
        return parsed(target) is not None

    def check(self, split: str, rows: Sequence[Row], notes: Sequence[str] = ()) -> None:
        super().check(split, rows, notes)
        for place, target in enumerate(targets_of(rows)):
            if parsed(target) is None:
                raise DataError("\n".join([f"dataset: {split} {_problem(rows[place])}", *notes]))


def parsed(text: str) -> float | None:
    """The number that a text stands for, with a point before decimals; None: it is none, or not finite."""
    try:
        number = math.nan if "_" in text else float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _number_of(row: Row) -> float:
    number = parsed(row.target)
    if number is None:
        raise DataError(f"dataset: {_problem(row)}")
    return number


def _problem(row: Row) -> str:
    shown = row.target if len(row.target) <= MAX_SHOWN else row.target[:MAX_SHOWN] + "..."
    return (
        f"row {row.id} has the target {shown!r}, which is no finite number such as 3.5.\n"
        "Give numbers, or dataset.task=classification for labels."
    )
