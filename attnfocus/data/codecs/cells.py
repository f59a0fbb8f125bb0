"""Arrays as cells of a grid: what codecs of images, sounds and signals have in common.

Shapes: L positions, D numbers of a cell. Arrays are (rows, columns, channels).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.rows import Region
from attnfocus.errors import ConfigError, Problem
from attnfocus.grid import Cell, Grid

PATCH_KEY = "model.input.patch_size"


@dataclass(frozen=True)
class Cells:
    """How arrays of one shape are cut into positions.

    Args:
        shape: rows (None: any number), columns and channels of an array.
        cell: rows and columns of what a position holds. Where they do not divide an array's, zeros are put behind it.
    """

    shape: tuple[int | None, int, int]
    cell: Cell

    @property
    def grid(self) -> Grid:
        return Grid.of(self.shape, self.cell)

    def num_positions(self, num_rows: int) -> int:
        """Of an array of so many rows."""
        return -(-num_rows // self.cell[0]) * self.grid.columns

    def cut(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
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

    def names(self, num_positions: int) -> list[str]:
        """Row and column of each position, from 1: `2,5`; its number alone where there is one column."""
        grid = self.grid
        if not grid.is_plane:
            return [str(position + 1) for position in range(num_positions)]
        return [f"{row + 1},{column + 1}" for row, column in map(grid.place, range(num_positions))]


def cell_of(given: Any, shape: tuple[int | None, int, int]) -> Cell:
    """`model.input.patch_size` as rows and columns: one number means both.

    Raises:
        ConfigError: a cell that is larger than the array.
    """
    height, width = (given, given) if isinstance(given, int) else tuple(given)
    rows, columns, _ = shape
    if height > (rows or height) or width > columns:
        largest = columns if rows is None else min(rows, columns)
        size = f"{'any number of' if rows is None else rows} rows and {columns} columns"
        text = f"{PATCH_KEY}={given}: is more than an input has, {size}. Use {PATCH_KEY}={largest} or less."
        raise ConfigError(Problem(text, PATCH_KEY, [f"{PATCH_KEY}={largest}"]))
    return height, width


def saved_shape(content: Any) -> tuple[int | None, int, int]:
    """A shape in a codec's file.

    Raises:
        ValueError: it is none.
    """
    rows, columns, channels = content
    if not all(isinstance(size, int) and size > 0 for size in (columns, channels, rows or 1)):
        raise ValueError("shape is not three numbers above 0")
    return rows, columns, channels


def saved_cell(content: Any) -> Cell:
    """A cell in a codec's file.

    Raises:
        ValueError: it is none.
    """
    height, width = content
    if not all(isinstance(size, int) and size > 0 for size in (height, width)):
        raise ValueError("cell is not two numbers above 0")
    return height, width
