"""Arrays as cells of a grid: what codecs of images, sounds and signals have in common.

Shapes: L positions, D numbers of a cell. Arrays are (rows, columns, channels).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.rows import Region
from attnfocus.errors import ConfigError, Problem
from attnfocus.grid import Cell, Grid

PATCH_KEY = "model.input.patch_size"


Shape = tuple[int | None, int, int]


@dataclass(frozen=True, eq=False)
class Cells:
    """How arrays of one shape become the vectors of positions: standardized by channel, and cut into cells.

    Args:
        shape: rows (None: any number), columns and channels of an array.
        cell: rows and columns of what a position holds. Where they do not divide an array's, zeros are put behind it.
        scale: (2, channels), the mean and the deviation of each channel in train.
    """

    shape: Shape
    cell: Cell
    scale: NDArray[np.float32]

    @classmethod
    def learned(cls, arrays: Iterable[NDArray[Any]], shape: Shape, cell: Cell, least: float = 1e-6) -> Cells:
        """With the mean and the deviation of arrays (rows, columns, channels) of train, all of their numbers together.

        Args:
            least: is added to deviations, so that a channel that never changes can be divided by it.
        """
        channels, count = shape[2], 0
        sums = np.zeros((2, channels))
        for array in arrays:
            values = array.reshape(-1, channels).astype(np.float64)
            sums += values.sum(axis=0), np.square(values).sum(axis=0)
            count += len(values)
        mean, square = sums / max(count, 1)
        deviation = np.sqrt(np.maximum(square - mean**2, 0.0)) + least
        return cls(shape, cell, np.stack([mean, deviation]).astype(np.float32))

    @property
    def grid(self) -> Grid:
        return Grid.of(self.shape, self.cell)

    def recut(self, patch_size: Any) -> Cells:
        """With the cell that `model.input.patch_size` asks for: one number means rows and columns; None: as it is.

        Raises:
            ConfigError: a cell that is larger than the array.
        """
        return self if patch_size is None else replace(self, cell=_cell_of(patch_size, self.shape))

    def num_positions(self, num_rows: int) -> int:
        """Of an array of so many rows."""
        return -(-num_rows // self.cell[0]) * self.grid.columns

    def vectors(self, array: NDArray[Any]) -> NDArray[np.float32]:
        """(rows, columns, channels) as it comes -> (L, D), standardized."""
        return self.cut((array.astype(np.float32) - self.scale[0]) / self.scale[1])

    def cut(self, array: NDArray[Any]) -> NDArray[Any]:
        """(rows, columns, channels) -> (L, D): the cells row by row, each row by row itself."""
        (height, width), (rows, columns, channels) = self.cell, array.shape
        padded = np.pad(array, ((0, -rows % height), (0, -columns % width), (0, 0)))
        blocks = padded.reshape(-1, height, padded.shape[1] // width, width, channels)
        return np.ascontiguousarray(blocks.swapaxes(1, 2)).reshape(-1, height * width * channels)

    def touched(self, regions: Sequence[Region], num_positions: int) -> tuple[bool, ...]:
        """For each position whether a part of its cell lies in one of the rectangles."""
        height, width = self.cell
        is_touched = np.zeros((num_positions // self.grid.columns, self.grid.columns), dtype=bool)
        for top, left, bottom, right in regions:
            is_touched[top // height : -(-bottom // height), left // width : -(-right // width)] = True
        return tuple(is_touched.flatten().tolist())

    def boxes(self) -> NDArray[np.int64]:
        """(L, 4): top, left, bottom, right of each cell of an array of so many rows and columns, cut at its edges."""
        grid, (height, width), (rows, columns, _) = self.grid, self.cell, self.shape
        assert rows is not None
        top, left = np.divmod(np.arange(grid.num_positions or 0), grid.columns)
        places = [top * height, left * width, (top + 1) * height, (left + 1) * width]
        return np.minimum(np.stack(places, axis=1), [rows, columns, rows, columns])

    def names(self, num_positions: int) -> list[str]:
        """Row and column of each position, from 1: `2,5`; its number alone where there is one column."""
        grid = self.grid
        if not grid.is_plane:
            return [str(position + 1) for position in range(num_positions)]
        return [f"{row + 1},{column + 1}" for row, column in map(grid.place, range(num_positions))]

    def saved(self) -> dict[str, Any]:
        """For a codec's file."""
        return {"shape": list(self.shape), "cell": list(self.cell), "scale": self.scale.tolist()}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Cells:
        """From what `saved` gave.

        Raises:
            KeyError, TypeError, ValueError: it is damaged.
        """
        rows, columns, channels = content["shape"]
        height, width = content["cell"]
        sizes = (columns, channels, height, width, *(() if rows is None else (rows,)))
        if not all(isinstance(size, int) and size > 0 for size in sizes):
            raise ValueError("shape and cell are not numbers above 0")
        scale = np.array(content["scale"], dtype=np.float32)
        if scale.shape != (2, channels) or not (np.isfinite(scale).all() and (scale[1] > 0).all()):
            raise ValueError("scale is not a mean and a deviation of each channel")
        return cls((rows, columns, channels), (height, width), scale)


def pair_of(key: str, given: Any) -> tuple[int, int]:
    """One number as rows and columns, or both as they are.

    Raises:
        ConfigError: another number of numbers.
    """
    numbers = [given, given] if isinstance(given, int) else list(given)
    if len(numbers) != 2:
        one = numbers[0] if numbers else 4
        text = f"{key}={numbers}: takes one number, or rows and columns. Use {key}=[{one},{one}]."
        raise ConfigError(Problem(text, key, [f"{key}=[{one},{one}]"]))
    return numbers[0], numbers[1]


def _cell_of(given: Any, shape: Shape) -> Cell:
    height, width = pair_of(PATCH_KEY, given)
    rows, columns, _ = shape
    if height > (rows or height) or width > columns:
        largest = columns if rows is None else min(rows, columns)
        size = f"{'any number of' if rows is None else rows} rows and {columns} columns"
        text = f"{PATCH_KEY}={given}: is more than an input has, {size}. Use {PATCH_KEY}={largest} or less."
        raise ConfigError(Problem(text, PATCH_KEY, [f"{PATCH_KEY}={largest}"]))
    return height, width
