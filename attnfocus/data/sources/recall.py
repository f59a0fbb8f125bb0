"""Multi-query associative recall: pairs of keys and values, then some of the keys again. Made on the spot."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from attnfocus.data.sources.random_numbers import RandomNumbers, past
from attnfocus.data.sources.sequences import Count, Sequences, SequenceSource, VocabSize, filled
from attnfocus.limits import Range

Filler = Literal["random", "blank"]
BLANK = "_"


class Recall(SequenceSource):
    """What value did this key have? `k3 v8 k5 v1 v4 k5 v1 k0 k3 v8`: the values after the second k5 and k3.

    MQAR of Arora et al. 2023 (Zoology, arXiv:2312.04927, sec. 3 and appendix E): first the pairs, then each key once
    more, at one of the places with an even distance from the pairs, which are drawn one after the other in proportion
    to distance ** (power_a - 1); symbols at random between them. Here the value stands after the key that asks for it,
    as in a text, where the published generator has another random symbol; and what is random is none of the row's
    keys, so that no key has two values. `length` counts the symbols of a sequence.

    Evidence is the value in the pairs; that of its key may be looked at, too. A guess among all values is right in
    one of vocab_size / 2, one among the values of the row in one of num_pairs.

    Args:
        num_pairs: keys of a row, each asked once.
        vocab_size: symbols, the first half keys, the others values.
        power_a: where keys are asked: 1 = anywhere, smaller ones are nearer to the pairs.
        filler: what stands between the questions: any symbols but the row's keys, or blanks alone.
    """

    preset: ClassVar[str] = "recall"

    def __init__(
        self,
        *,
        num_pairs: Count = 4,
        vocab_size: VocabSize = 64,
        power_a: Annotated[float, Range(gt=0, le=10)] = 0.01,
        filler: Filler = "random",
        **sizes: Any,
    ) -> None:
        super().__init__(**sizes)
        self.num_pairs, self.power_a, self.filler = num_pairs, power_a, filler
        self._num_keys, self._num_values = vocab_size // 2, vocab_size - vocab_size // 2
        if num_pairs > self._num_keys:
            raise ValueError(
                f"num_pairs={num_pairs}: a vocabulary of {vocab_size} has {self._num_keys} keys, and no key is in two "
                f"pairs; take vocab_size={2 * num_pairs} or more"
            )
        self.check_lengths(
            4 * num_pairs, f"num_pairs={num_pairs} take {2 * num_pairs} symbols, and as many when they are asked"
        )

    @property
    def note(self) -> str:
        among_all, among_these = 1 / self._num_values, 1 / self.num_pairs
        return (
            f"{self.num_pairs} pairs of {self._num_keys} keys and {self._num_values} values; a guess is right in "
            f"{among_all:.2g}, one among the row's values in {among_these:.2g}"
        )

    def names(self) -> list[str]:
        return [
            *(f"k{key}" for key in range(self._num_keys)),
            *(f"v{value}" for value in range(self._num_values)),
            BLANK,
        ]

    def draw(self, numbers: RandomNumbers, num_rows: int, length: int) -> Sequences:
        pairs, start = self.num_pairs, 2 * self.num_pairs
        keys = numbers.distinct(self._num_keys, pairs, num_rows)
        values = self._num_keys + numbers.distinct(self._num_values, pairs, num_rows)
        weights = np.arange(1, (length - start) // 2 + 1) ** (self.power_a - 1.0)
        questions = start + 2 * numbers.weighted(weights, pairs, num_rows)  # of the first pair, the second, ...
        blank = self._num_keys + self._num_values
        if self.filler == "random":
            symbols = past(numbers.below(blank - pairs, num_rows, length), keys)
        else:
            symbols = filled((num_rows, length), blank)
        symbols[:, 0:start:2], symbols[:, 1:start:2] = keys, values
        np.put_along_axis(symbols, questions, keys, axis=1)
        np.put_along_axis(symbols, questions + 1, values, axis=1)
        asked = np.argsort(questions, axis=1)  # which pair comes first
        answers = np.take_along_axis(questions, asked, axis=1) + 1
        return Sequences(symbols, answers, np.stack([2 * asked + 1, 2 * asked], axis=-1), num_sure=1)
