"""Token ids of many texts, end to end in one array: no object for each text, so that processes can share them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

Pieces = Callable[[str], list[bytes]]  # the ids of a text's pieces, as bytes of the array


class IdLists(Sequence[NDArray[np.int64]]):
    """Lists of ids; an array of int64 is made when one is taken.

    Args:
        flat: all ids, one list after the other, of any integer type.
        ends: (N,) where each list ends in `flat`.
    """

    def __init__(self, flat: NDArray[Any], ends: NDArray[np.int64]) -> None:
        self.flat = flat
        self.ends = ends

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.int64]: ...
    @overload
    def __getitem__(self, index: slice) -> list[NDArray[np.int64]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.int64] | list[NDArray[np.int64]]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        start = self.ends[number - 1] if number else 0
        return self.flat[start : self.ends[number]].astype(np.int64)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N,)"""
        return np.diff(self.ends, prepend=0)


def places_of(starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(sum of sizes,): where the members of some lists stand, one list after the other, in an array of many.

    Args:
        starts, sizes: (N,) where each begins in that array, and how many members it has.
    """
    ends = np.cumsum(sizes)
    places = np.arange(int(ends[-1]) if len(ends) else 0)
    places += np.repeat(starts - ends + sizes, sizes)
    return places


class Packer:
    """Makes `IdLists`, a text at a time.

    Args:
        pieces: a text -> its ids in parts, as bytes of the type `dtype`.
        first, last: ids that every list begins and ends with.
    """

    def __init__(self, pieces: Pieces, dtype: DTypeLike, first: Sequence[int] = (), last: Sequence[int] = ()) -> None:
        self._pieces = pieces
        self._dtype = np.dtype(dtype)
        self._first = np.array(first, self._dtype).tobytes()
        self._last = np.array(last, self._dtype).tobytes()
        self._flat = bytearray()
        self._ends = array("q")

    def add(self, text: str) -> None:
        flat = self._flat
        if self._first:
            flat += self._first
        flat += b"".join(self._pieces(text))
        if self._last:
            flat += self._last
        self._ends.append(len(flat))

    def lists(self) -> IdLists:
        """Of all texts that were added, in their order."""
        ends = np.frombuffer(self._ends, np.int64) if self._ends else np.zeros(0, np.int64)
        return IdLists(np.frombuffer(self._flat, self._dtype), ends // self._dtype.itemsize)
