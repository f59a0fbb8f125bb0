"""Encoded texts in a few arrays, without an object for each."""

from __future__ import annotations

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


class PackedExamples(Sequence[Encoded]):
    """What a codec makes of rows of texts; an `Encoded` is made when it is taken. Nothing here is ever written again.

    Args:
        inputs: the ids of each row.
        targets: the ids of each row, or its class.
        num_words: of each row.
    """

    ARRAYS: ClassVar = ("inputs", "input_ends", "targets", "target_ends", "num_words")

    def __init__(
        self,
        rows: Sequence[Row],
        inputs: IdLists,
        targets: IdLists | array[int] | NDArray[np.int64],
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

    def _encoded(self, index: int) -> Encoded:
        row = self.rows[index]
        target = self._targets[index]
        targets = target if isinstance(self._targets, IdLists) else int(target)
        return Encoded(row.id, self._inputs[index], targets, int(self._num_words[index]), row)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N, 2): ids of each input, and of its target (0 where it is a class)."""
        inputs = self._inputs.lengths
        targets = self._targets.lengths if isinstance(self._targets, IdLists) else np.zeros_like(inputs)
        return np.stack([inputs, targets], axis=1)
