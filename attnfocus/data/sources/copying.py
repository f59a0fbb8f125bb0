"""Copying, all of a sequence or what is not blank of it. Made on the spot."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from attnfocus.data.sources.random_numbers import Integers, RandomNumbers
from attnfocus.data.sources.sequences import Count, Length, Sequences, SequenceSource, VocabSize, filled, is_below

BLANK, SEPARATOR = "_", "|"


class RandomLengths(SequenceSource):
    """Rows of train and valid may be of different lengths.

    Args:
        min_length: the least length of the rows of train and valid, where `length` is the largest; None: all have
            `length`. The rows of test all have `test_length`, where it is given.
    """

    def __init__(self, *, min_length: Length | None = None, **sizes: Any) -> None:
        super().__init__(**sizes)
        self.min_length = self.length if min_length is None else min_length
        if self.min_length > self.length:
            raise ValueError(f"min_length={min_length} is above length={self.length}")

    def lengths(self, numbers: RandomNumbers, num_rows: int, length: int) -> Integers:
        """(N,): of the rows, at most `length`."""
        least = self.min_length if length == self.length else length
        return least + numbers.below(length - least + 1, num_rows)


class Copying(RandomLengths):
    """The same again: `s3 s7 s1 | s3 s7 s1`, the symbols after the bar.

    The copy task of Graves et al. 2014 (Neural Turing machines, arXiv:1410.5401, sec. 4.1), as Transformers were
    tried on it by Jelassi et al. 2024 (arXiv:2402.01032): symbols at random, repeated ones among them. `length` counts
    the symbols before the bar. With rows of several lengths (`min_length`) the distance tells nothing.

    Evidence is the symbol itself, at its first place. A guess is right in one of vocab_size.

    Args:
        vocab_size: symbols besides the bar.
    """

    preset: ClassVar[str] = "copying"

    def __init__(self, *, vocab_size: VocabSize = 32, length: Length = 16, **sizes: Any) -> None:
        super().__init__(length=length, **sizes)
        self.vocab_size = vocab_size

    @property
    def note(self) -> str:
        return f"{self.vocab_size} symbols, and a bar; a guess is right in {1 / self.vocab_size:.2g}"

    def names(self) -> list[str]:
        return [*(f"s{number}" for number in range(self.vocab_size)), SEPARATOR]

    def draw(self, numbers: RandomNumbers, num_rows: int, length: int) -> Sequences:
        first = numbers.below(self.vocab_size, num_rows, length)
        lengths = self.lengths(numbers, num_rows, length)
        places = np.broadcast_to(np.arange(length), first.shape)
        return asked_again(first, lengths, places, self.vocab_size)


class SelectiveCopying(SequenceSource):
    """What is not blank, in order: `_ s3 _ _ s7 s1 _ | s3 s7 s1`, the symbols after the bar.

    Selective copying of Gu and Dao 2023 (Mamba, arXiv:2312.00752, sec. 3.1; after Jing et al. 2019, arXiv:1706.02761):
    num_symbols symbols at random places among blanks. `length` counts the symbols and blanks before the bar.

    Evidence is the symbol itself, at its first place. A guess is right in one of vocab_size.

    Args:
        num_symbols: symbols to be copied.
        vocab_size: symbols besides the blank and the bar.
    """

    preset: ClassVar[str] = "selective_copying"

    def __init__(self, *, num_symbols: Count = 8, vocab_size: VocabSize = 16, **sizes: Any) -> None:
        super().__init__(**sizes)
        self.num_symbols, self.vocab_size = num_symbols, vocab_size
        self.check_lengths(num_symbols, f"num_symbols={num_symbols} have places of their own")

    @property
    def note(self) -> str:
        return (
            f"{self.num_symbols} of {self.vocab_size} symbols, blanks and a bar; a guess is right in "
            f"{1 / self.vocab_size:.2g}"
        )

    def names(self) -> list[str]:
        return [*(f"s{number}" for number in range(self.vocab_size)), SEPARATOR, BLANK]

    def draw(self, numbers: RandomNumbers, num_rows: int, length: int) -> Sequences:
        places = np.sort(numbers.distinct(length, self.num_symbols, num_rows), axis=1)
        first = filled((num_rows, length), self.vocab_size + 1)
        np.put_along_axis(first, places, numbers.below(self.vocab_size, *places.shape), axis=1)
        return asked_again(first, filled((num_rows, 1), length)[:, 0], places, self.vocab_size)


def asked_again(first: Integers, lengths: Integers, places: Integers, separator: int) -> Sequences:
    """A sequence, a separator, then some of the sequence in another order.

    Args:
        first: (N, L), of which the first `lengths` (N,) are there.
        places: (N, A), which of them come again; of those at or above the row's length nothing comes.
    """
    num_rows, length = first.shape
    num_places = places.shape[1]
    symbols = filled((num_rows, length + 1 + num_places), -1)
    symbols[:, :length] = np.where(is_below(lengths, length), first, -1)
    np.put_along_axis(symbols, lengths[:, np.newaxis], separator, axis=1)
    answers = lengths[:, np.newaxis] + 1 + np.arange(num_places)
    is_there = places < lengths[:, np.newaxis]  # the first ones of a row
    again = np.where(is_there, np.take_along_axis(first, places, axis=1), -1)
    np.put_along_axis(symbols, answers, again, axis=1)
    return Sequences(symbols, np.where(is_there, answers, -1), np.where(is_there, places, -1)[..., np.newaxis])
