"""Rows whose inputs are the items of one array: a row is made when it is taken.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.rows import Row


class ArrayRows(Sequence[Row]):
    """Row n of a split has item n of an array as input; no copy of it is made.

    Args:
        split: rows are called `split:1`, `split:2`, ... by their place in the array.
        inputs: (N, ...), of any number type; it may be mapped from a file.
        targets: (N,) the numbers of their labels.
        labels: of each number.
        regions: (N, R, 4) rectangles that hold the evidence of each, as in `Row.regions`; None: they are not known.
        chosen: (n,) the places of those that are meant, in ascending order; None: all.
    """

    def __init__(
        self,
        split: str,
        inputs: NDArray[Any],
        targets: NDArray[Any],
        labels: Sequence[str],
        *,
        regions: NDArray[np.int64] | None = None,
        chosen: NDArray[np.int64] | None = None,
    ) -> None:
        self._split, self._inputs, self._numbers, self._labels = split, inputs, targets, labels
        self._regions, self._chosen = regions, chosen

    def __len__(self) -> int:
        return len(self._inputs) if self._chosen is None else len(self._chosen)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        place = number if self._chosen is None else int(self._chosen[number])
        regions = () if self._regions is None else tuple(map(tuple, self._regions[place].tolist()))
        label = self._labels[int(self._numbers[place])]
        return Row(f"{self._split}:{place + 1}", self._inputs[place], label, regions=regions)

    def __iter__(self) -> Iterator[Row]:
        return map(self.__getitem__, range(len(self)))

    def taken(self, is_taken: NDArray[np.bool_]) -> ArrayRows:
        """Those of the rows where it is true, of the same array."""
        places = np.flatnonzero(is_taken)
        chosen = places if self._chosen is None else self._chosen[places]
        numbers, labels = self._numbers, self._labels
        return ArrayRows(self._split, self._inputs, numbers, labels, regions=self._regions, chosen=chosen)

    def changed(self, change: Callable[[Row], Row]) -> Sequence[Row]:
        """The rows as `change` makes them: these, where it changes none."""
        for number, row in enumerate(self):
            first = change(row)
            if first is not row:
                rest = range(number + 1, len(self))
                return [*self[:number], first, *(change(self[each]) for each in rest)]
        return self

    def targets(self) -> Iterator[str]:
        """The target of each row, without making rows."""
        numbers = self._numbers if self._chosen is None else self._numbers[self._chosen]
        return (self._labels[number] for number in numbers.tolist())
