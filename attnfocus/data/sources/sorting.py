"""Numbers, sorted. Made on the spot."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from attnfocus.data.sources.copying import SEPARATOR, RandomLengths, asked_again
from attnfocus.data.sources.random_numbers import RandomNumbers
from attnfocus.data.sources.sequences import Length, Sequences, VocabSize, is_below


class Sorting(RandomLengths):
    """The numbers in ascending order: `7 3 12 | 3 7 12`, the symbols after the bar.

    The sort task of Graves et al. 2014 (Neural Turing machines, arXiv:1410.5401, sec. 4.5) with numbers for priorities;
    no number is there twice, so that each answer has one place. `length` counts the numbers before the bar.

    Evidence is the number itself, at its first place. A guess is right in one of vocab_size, a guess among the row's
    numbers that are left in one of them: (1 + 1/2 + ... + 1/length) / length on average.

    Args:
        vocab_size: numbers that there are, from 0.
    """

    preset: ClassVar[str] = "sorting"

    def __init__(self, *, vocab_size: VocabSize = 64, length: Length = 16, **sizes: Any) -> None:
        super().__init__(length=length, **sizes)
        self.vocab_size = vocab_size
        for key, size in (("length", self.length), ("test_length", self.test_length)):
            if size > vocab_size:
                raise ValueError(
                    f"{key}={size}: there are vocab_size={vocab_size} numbers, and none is there twice; take "
                    f"vocab_size={size} or more"
                )

    @property
    def note(self) -> str:
        left = sum(1 / number for number in range(1, self.length + 1)) / self.length
        return (
            f"{self.vocab_size} numbers; a guess is right in {1 / self.vocab_size:.2g}, one among those of the row "
            f"that are left in {left:.2g}"
        )

    def names(self) -> list[str]:
        return [*map(str, range(self.vocab_size)), SEPARATOR]

    def draw(self, numbers: RandomNumbers, num_rows: int, length: int) -> Sequences:
        first = numbers.distinct(self.vocab_size, length, num_rows)
        lengths = self.lengths(numbers, num_rows, length)
        places = np.argsort(np.where(is_below(lengths, length), first, self.vocab_size), axis=1, kind="stable")
        return asked_again(first, lengths, places, self.vocab_size)
