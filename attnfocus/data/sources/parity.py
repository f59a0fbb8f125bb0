"""Is the number of ones odd? Made on the spot."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from attnfocus.data.sources.copying import RandomLengths
from attnfocus.data.sources.random_numbers import RandomNumbers
from attnfocus.data.sources.sequences import Sequences, filled, is_below

SIGN = "="


class Parity(RandomLengths):
    """Whether the number of ones is odd: `0 1 1 0 1 = 1`, the last symbol.

    A control: the answer follows from all bits together and from no part of them, and an attention that looks at few
    positions cannot find it (Hahn 2020, Theoretical limitations of self-attention, arXiv:1906.06755). `length` counts
    the bits.

    Evidence is every bit. A guess is right in one of two.
    """

    preset: ClassVar[str] = "parity"

    def __init__(self, **sizes: Any) -> None:
        super().__init__(**sizes)

    @property
    def note(self) -> str:
        return "bits and their parity; a guess is right in 0.5"

    def names(self) -> list[str]:
        return ["0", "1", SIGN]

    def draw(self, numbers: RandomNumbers, num_rows: int, length: int) -> Sequences:
        lengths = self.lengths(numbers, num_rows, length)
        is_bit = is_below(lengths, length)
        bits = np.where(is_bit, numbers.below(2, num_rows, length), 0)
        symbols = filled((num_rows, length + 2), -1)
        symbols[:, :length] = np.where(is_bit, bits, -1)
        signs = lengths[:, np.newaxis]
        np.put_along_axis(symbols, signs, 2, axis=1)
        np.put_along_axis(symbols, signs + 1, bits.sum(axis=1, keepdims=True) % 2, axis=1)
        evidence = np.where(is_bit, np.arange(length), -1)[:, np.newaxis]
        return Sequences(symbols, signs + 1, evidence)
