"""Encoded texts in a few arrays, without an object for each."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.codecs.base import Encoded
from attnfocus.data.rows import Row
from attnfocus.data.tokens.id_lists import IdLists
from attnfocus.stages import counted

T = TypeVar("T")
MANY = 1000  # rows that are worth a bar


def shown(rows: Iterable[T], count: int) -> Iterable[T]:
    """What is encoded, as a stage that moves with it where there is much."""
    return counted(rows, "encoding", count) if count >= MANY else rows


class EncodedExamples(Sequence[Encoded]):
    """What a codec makes of the rows of a split, whose examples need not be these rows; each is made when it is taken.

    Attributes:
        rows: one for each example.
        alike: how many positions nearly all examples have, where that is so; None: they differ.
    """

    rows: Sequence[Row]
    alike: int | None = None

    @property
    @abstractmethod
    def lengths(self) -> NDArray[np.int64]:
        """(N, 2): positions of each input, and of its target (0 where that takes no room of its own)."""

    def drawn(self, number: int, seed: int, epoch: int) -> Encoded:
        """Example `number` as training sees it in an epoch."""
        return self[number]

    def drawn_lengths(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """(N,) positions of the input of each in that epoch."""
        return self.lengths[:, 0]

    def notes(self, split: str) -> list[str]:
        """Lines for the user about the examples of a split."""
        return []

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Encoded: ...
    @overload
    def __getitem__(self, index: slice) -> list[Encoded]: ...
    def __getitem__(self, index: int | slice) -> Encoded | list[Encoded]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return self._encoded(index)

    @abstractmethod
    def _encoded(self, index: int) -> Encoded: ...


class PackedExamples(EncodedExamples):
    """What a codec makes of rows of texts. Nothing here is ever written again.

    Args:
        inputs: the ids of each row.
        targets: the ids of each row, its class, or its number.
        num_words: of each row.
    """

    ARRAYS: ClassVar = ("inputs", "input_ends", "targets", "target_ends", "num_words")

    def __init__(
        self,
        rows: Sequence[Row],
        inputs: IdLists,
        targets: IdLists | array[int] | array[float] | NDArray[np.int64],
        num_words: array[int] | NDArray[np.int32],
    ) -> None:
        self.rows = rows
        self._inputs = inputs
        self._targets = targets
        self._num_words = num_words

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that is in it but the rows, by the names of `ARRAYS`."""
        found: dict[str, Any] = {"inputs": self._inputs.flat, "input_ends": self._inputs.ends}
        if isinstance(self._targets, IdLists):
            found |= {"targets": self._targets.flat, "target_ends": self._targets.ends}
        else:
            found["targets"] = self._targets
        return {name: np.asarray(array) for name, array in {**found, "num_words": self._num_words}.items()}

    def _encoded(self, index: int) -> Encoded:
        row = self.rows[index]
        target = self._targets[index]
        if isinstance(target, np.integer):
            target = int(target)
        return Encoded(row.id, self._inputs[index], target, int(self._num_words[index]), row)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N, 2): ids of each input, and of its target (0 where it is a class)."""
        inputs = self._inputs.lengths
        targets = self._targets.lengths if isinstance(self._targets, IdLists) else np.zeros_like(inputs)
        return np.stack([inputs, targets], axis=1)
