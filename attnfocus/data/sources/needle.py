"""One key and its value in a long sequence, asked at the end. Made on the spot."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np

from attnfocus.data.sources.random_numbers import RandomNumbers, past
from attnfocus.data.sources.sequences import Length, Sequences, SequenceSource, VocabSize
from attnfocus.limits import Range, UnitFraction

QUESTION = "?"


class Needle(SequenceSource):
    """What value has this key? `f2 f0 k7 v3 f1 f1 k2 v9 f5 ? k7 v3`: the last symbol.

    A needle in a haystack of symbols, as RULER has it with several keys (Hsieh et al. 2024, arXiv:2404.06654, sec. 3):
    a pair of key and value and num_distractors others, with different keys and values, at places of their own among
    filler that is random; then a question mark, the key again, and its value. `length` counts the symbols of a
    sequence.

    Evidence is the value where it stands first; its key may be looked at, too. A guess among all values is right in
    one of vocab_size / 3, one among those of the row in one of num_distractors + 1.

    Args:
        num_distractors: pairs that are not asked.
        vocab_size: symbols besides the question mark, a third of them keys, a third values, the others filler.
        depth: where the pair stands: 0 = first, 1 = last, None = anywhere.
    """

    preset: ClassVar[str] = "needle"

    def __init__(
        self,
        *,
        num_distractors: Annotated[int, Range(ge=0, le=2**10, why="each is compared with all others of its row")] = 3,
        vocab_size: VocabSize = 48,
        depth: UnitFraction | None = None,
        length: Length = 64,
        **sizes: Any,
    ) -> None:
        super().__init__(length=length, **sizes)
        self.num_pairs, self.depth = num_distractors + 1, depth
        self._third, self._num_fillers = vocab_size // 3, vocab_size - 2 * (vocab_size // 3)
        if self.num_pairs > self._third:
            raise ValueError(
                f"num_distractors={num_distractors}: a vocabulary of {vocab_size} has {self._third} keys, and no key "
                f"is in two pairs; take vocab_size={3 * self.num_pairs} or more"
            )
        self.check_lengths(2 * self.num_pairs + 3, f"{self.num_pairs} pairs and the question need more symbols")

    @property
    def note(self) -> str:
        return (
            f"{self.num_pairs} pairs of {self._third} keys and {self._third} values, one of them asked; a guess is "
            f"right in {1 / self._third:.2g}, one among the row's values in {1 / self.num_pairs:.2g}"
        )

    def names(self) -> list[str]:
        kinds = (("k", self._third), ("v", self._third), ("f", self._num_fillers))
        return [*(f"{kind}{number}" for kind, size in kinds for number in range(size)), QUESTION]

    def draw(self, numbers: RandomNumbers, num_rows: int, length: int) -> Sequences:
        pairs, num_slots = self.num_pairs, (length - 3) // 2
        keys = numbers.distinct(self._third, pairs, num_rows)
        values = self._third + numbers.distinct(self._third, pairs, num_rows)
        symbols = 2 * self._third + numbers.below(self._num_fillers, num_rows, length)
        slot = numbers.below(num_slots, num_rows, 1)
        if self.depth is not None:
            slot[:] = round(self.depth * (num_slots - 1))
        others = past(numbers.distinct(num_slots - 1, pairs - 1, num_rows), slot)
        places = 2 * np.concatenate([slot, others], axis=1)  # the first pair is the one that is asked
        np.put_along_axis(symbols, places, keys, axis=1)
        np.put_along_axis(symbols, places + 1, values, axis=1)
        symbols[:, -3] = 2 * self._third + self._num_fillers
        symbols[:, -2], symbols[:, -1] = keys[:, 0], values[:, 0]
        asked = places[:, :1]
        answers = np.full((num_rows, 1), length - 1)
        return Sequences(symbols, answers, np.stack([asked + 1, asked], axis=-1), num_sure=1)
