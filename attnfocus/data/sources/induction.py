"""Induction heads: what followed the same symbol before? Made on the spot."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from attnfocus.data.sources.random_numbers import RandomNumbers
from attnfocus.data.sources.sequences import Sequences, SequenceSource, VocabSize

SPECIAL = "*"


class Induction(SequenceSource):
    """What followed the special symbol? `s3 * s7 s1 s3 s7 * s7`: the symbol after the second *.

    The task of Fu et al. 2022 (H3, arXiv:2212.14052, sec. 3.1), after the induction heads of Olsson et al. 2022
    (arXiv:2209.11895): symbols at random, the special one once among them, anywhere, and again before the end.
    `length` counts the symbols of a sequence.

    Evidence is the symbol that followed; the special one before it may be looked at, too. A guess is right in one of
    vocab_size.

    Args:
        vocab_size: symbols besides the special one.
    """

    preset: ClassVar[str] = "induction"

    def __init__(self, *, vocab_size: VocabSize = 16, **sizes: Any) -> None:
        super().__init__(**sizes)
        self.vocab_size = vocab_size
        self.check_lengths(4, "the special symbol and what follows it are there twice")

    @property
    def note(self) -> str:
        return f"{self.vocab_size} symbols, the special one twice; a guess is right in {1 / self.vocab_size:.2g}"

    def names(self) -> list[str]:
        return [*(f"s{number}" for number in range(self.vocab_size)), SPECIAL]

    def draw(self, numbers: RandomNumbers, num_rows: int, length: int) -> Sequences:
        symbols = numbers.below(self.vocab_size, num_rows, length)
        special = numbers.below(length - 3, num_rows, 1)
        np.put_along_axis(symbols, special, self.vocab_size, axis=1)
        symbols[:, -2] = self.vocab_size
        symbols[:, -1:] = np.take_along_axis(symbols, special + 1, axis=1)
        answers = np.full((num_rows, 1), length - 1)
        return Sequences(symbols, answers, np.stack([special + 1, special], axis=-1), num_sure=1)
