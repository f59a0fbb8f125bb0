"""Which examples make a batch where all are of one length and there may be very many: nothing is kept of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.batches import BatchUnit

_ROUNDS = 6  # of the network, of which four are enough to look random


class WindowPlan:
    """Batches of examples of one length in random order, a pure function of (seed, epoch); see `BatchPlan`.

    The order is computed where it is asked for: an array of it would take 8 bytes an example, lists of it 40.

    Args:
        num_examples: N.
        length: positions of nearly every example.
        batch_size, batch_unit, seed: as in `BatchPlan`.
    """

    def __init__(self, num_examples: int, length: int, batch_size: int, batch_unit: BatchUnit, seed: int) -> None:
        self.num_examples = num_examples
        self.seed = seed
        self._size = batch_size if batch_unit == "sentences" else max(1, batch_size // length)

    def epoch(self, number: int) -> Groups:
        """The batches of epoch `number` (from 0), each a list of example numbers."""
        return self._groups(Permutation(self.num_examples, [self.seed, number]))

    def fixed(self) -> Groups:
        """The batches for evaluation, in the order of the examples."""
        return self._groups(lambda numbers: numbers)

    def _groups(self, order: Callable[[NDArray[np.int64]], NDArray[np.int64]]) -> Groups:
        return Groups(order, self.num_examples, self._size, range(-(-self.num_examples // self._size)))


class Groups(Sequence[Sequence[int]]):
    """Lists of example numbers, made when they are asked for.

    Args:
        order: places -> the examples that stand there.
        num_examples: of all.
        size: of each list but the last.
        numbers: of the lists that are meant.
    """

    def __init__(
        self, order: Callable[[NDArray[np.int64]], NDArray[np.int64]], num_examples: int, size: int, numbers: range
    ) -> None:
        self._order = order
        self._num_examples = num_examples
        self._size = size
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> list[int]: ...
    @overload
    def __getitem__(self, index: slice) -> Groups: ...
    def __getitem__(self, index: int | slice) -> list[int] | Groups:
        if isinstance(index, slice):
            return Groups(self._order, self._num_examples, self._size, self._numbers[index])
        first = self._numbers[index] * self._size
        found: list[int] = self._order(np.arange(first, min(first + self._size, self._num_examples))).tolist()
        return found


class Permutation:
    """A random order of 0, ..., N - 1 of which nothing is kept: a Feistel network, walked until it is below N.

    (Black and Rogaway 2002, "Ciphers with arbitrary finite domains".)
    """

    def __init__(self, size: int, seed: Sequence[int]) -> None:
        self._size = size
        self._bits = max(1, -(-(max(size - 1, 1)).bit_length() // 2))  # of each half
        self._mask = np.uint64((1 << self._bits) - 1)
        self._keys = np.random.default_rng(seed).integers(0, 2**64, size=_ROUNDS, dtype=np.uint64)

    def __call__(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """What stands at some places."""
        found = self._turned(places.astype(np.uint64))
        while (outside := found >= self._size).any():
            found[outside] = self._turned(found[outside])
        return found.astype(np.int64)

    def _turned(self, values: NDArray[np.uint64]) -> NDArray[np.uint64]:
        half = np.uint64(self._bits)
        left, right = values >> half, values & self._mask
        for key in self._keys:
            left, right = right, left ^ (_mixed(right ^ key) & self._mask)
        return (left << half) | right


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of splitmix64 (Steele et al. 2014): each bit of the result depends on all bits."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
