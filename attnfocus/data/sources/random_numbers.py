"""Random numbers for rows that are made on the spot: many rows at once, the same with every version of numpy."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]


class RandomNumbers:
    """Made of the raw numbers of PCG64, whose stream numpy promises to keep; that of its distributions it does not.

    Args:
        key: what the numbers are a function of.
    """

    def __init__(self, *key: object) -> None:
        seed = int.from_bytes(hashlib.sha256(repr(key).encode()).digest(), "big")
        self._bits = np.random.PCG64(seed)

    def shares(self, *shape: int) -> Floats:
        """Numbers in [0, 1), multiples of 2**-53."""
        raw = np.asarray(self._bits.random_raw(int(np.prod(shape))), dtype=np.uint64)
        return ((raw >> np.uint64(11)) * 2.0**-53).reshape(shape)

    def below(self, end: Any, *shape: int) -> Integers:
        """Whole numbers from 0 to end - 1. `end`: one number, or an array that fits the shape."""
        return np.floor(self.shares(*shape) * end).astype(np.int64)

    def distinct(self, end: int, count: int, num_rows: int) -> Integers:
        """(num_rows, count): whole numbers below `end` in a random order, no two of a row the same.

        Few of many by Floyd's method (Bentley and Floyd 1987, Programming pearls: a sample of brilliance): the i-th
        number is drawn from one more than the one before, and is the last of them if what was drawn is there already.
        """
        if end <= 16 * count:
            return np.argsort(self.shares(num_rows, end), axis=1)[:, :count]
        found = np.empty((num_rows, count), dtype=np.int64)
        for place, last in enumerate(range(end - count, end)):
            drawn = self.below(last + 1, num_rows)
            is_there = (found[:, :place] == drawn[:, np.newaxis]).any(axis=1)
            found[:, place] = np.where(is_there, last, drawn)
        order = np.argsort(self.shares(num_rows, count), axis=1)
        return np.take_along_axis(found, order, axis=1)

    def weighted(self, weights: Floats, count: int, num_rows: int) -> Integers:
        """(num_rows, count): places of `weights`, drawn one after the other in their proportion, none twice in a row.

        Each place waits a time of an exponential law with its weight as rate; the first ones are taken (Efraimidis and
        Spirakis 2006, Weighted random sampling with a reservoir).
        """
        waits = -np.log1p(-self.shares(num_rows, len(weights))) / weights
        return np.argsort(waits, axis=1)[:, :count]


def past(numbers: Integers, excluded: Integers) -> Integers:
    """(N, L): the numbers moved up so that none of their row's excluded ones occurs, all others in their order.

    Args:
        numbers: (N, L), below the count of all numbers less E.
        excluded: (N, E), different ones.
    """
    for each in np.sort(excluded, axis=1).T:
        numbers = numbers + (numbers >= each[:, np.newaxis])
    return numbers
