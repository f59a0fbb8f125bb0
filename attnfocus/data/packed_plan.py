"""Which texts make a batch of packed rows.

Shapes: N texts, W positions of a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.batches import WINDOW_BATCHES
from attnfocus.data.packing import best_fit, in_order


class PackedPlan:
    """Batches of rows of W positions, in each of which several texts stand: a pure function of (seed, epoch).

    Per epoch: shuffle; cut into parts of about 200 batches; lay the texts of each part into rows by best fit (as in
    Krell et al. 2021, arXiv:2107.02027, whose packing goes by a histogram); shuffle the rows; cut them into batches. A
    text longer than W has a row of its own.

    Args:
        lengths: epoch -> positions of each text (N,).
        width: W.
        batch_size: rows of a batch.
        seed: >= 0.
    """

    def __init__(self, lengths: Callable[[int], NDArray[np.int64]], width: int, batch_size: int, seed: int) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self.width = width
        self.seed = seed

    def epoch(self, number: int) -> PackedGroups:
        """The batches of epoch `number` (from 0), each a list of example numbers in the order of its rows."""
        lengths = self._lengths(number)
        random = np.random.default_rng([self.seed, number])
        order = random.permutation(len(lengths))
        size = max(1, int(WINDOW_BATCHES * self._batch_size * self.width / max(float(lengths.mean()), 1.0)))
        texts: list[NDArray[np.int64]] = []
        counts: list[int] = []
        for start in range(0, len(order), size):
            part = order[start : start + size]
            rows = best_fit(lengths[part].tolist(), self.width)
            texts.append(part[np.concatenate(rows)])
            counts += map(len, rows)
        flat, sizes = np.concatenate(texts), np.array(counts, dtype=np.int64)
        starts, shuffled = np.cumsum(sizes) - sizes, random.permutation(len(sizes))
        moved = np.cumsum(sizes[shuffled])  # where each row ends after the shuffle
        index = np.repeat(starts[shuffled] - moved + sizes[shuffled], sizes[shuffled]) + np.arange(len(flat))
        return PackedGroups(flat[index], moved[self._batch_size - 1 :: self._batch_size])

    def notes(self) -> list[str]:
        """How full the rows of the first epoch are, as a line for the user."""
        lengths, groups = self._lengths(0), self.epoch(0)
        rows = sum(len(in_order(lengths[group].tolist(), self.width)) for group in groups)
        share = 100 * int(lengths.sum()) / (rows * self.width)
        return [f"packed: {len(lengths):,} texts in {rows:,} rows of {self.width:,}, {share:.1f} % of which they fill"]


class PackedGroups(Sequence[Sequence[int]]):
    """Lists of example numbers, kept as one array.

    Args:
        flat: (N,) all of them.
        ends: where each list ends, but for the last, which may go on.
    """

    def __init__(self, flat: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        self._flat = flat
        self._ends = ends if len(ends) and ends[-1] == len(flat) else np.append(ends, len(flat))

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> list[int]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[int]]: ...
    def __getitem__(self, index: int | slice) -> list[int] | list[list[int]]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        start = int(self._ends[number - 1]) if number else 0
        found: list[int] = self._flat[start : self._ends[number]].tolist()
        return found
