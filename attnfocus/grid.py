"""How the positions of an input lie, where they are cells of a grid: patches of an image, frames of a sound.

Shapes: L positions, D numbers of a position's vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

Cell = tuple[int, int]  # rows and columns of what one position holds


class Grid(NamedTuple):
    """Positions in `rows` x `columns`, row by row; the vector of each holds a cell, row by row: D = the cell's numbers.

    Attributes:
        rows: None: as many as the input has, which differ from input to input (time).
        columns: 1 where positions are in a row alone, such as frames of a sound or steps of a signal.
        cell: rows, columns and channels of what one position holds: (4, 4, 1) is a patch of a gray image.
    """

    rows: int | None
    columns: int
    cell: tuple[int, int, int]

    @classmethod
    def of(cls, shape: tuple[int | None, int, int], cell: Cell) -> Grid:
        """The grid of an input of rows (None: any number), columns and channels; cells at its end may be cut short."""
        rows, columns, channels = shape
        return cls(None if rows is None else -(-rows // cell[0]), -(-columns // cell[1]), (*cell, channels))

    @property
    def input_dim(self) -> int:
        """D."""
        height, width, channels = self.cell
        return height * width * channels

    @property
    def num_positions(self) -> int | None:
        """L; None: it differs."""
        return None if self.rows is None else self.rows * self.columns

    @property
    def is_plane(self) -> bool:
        """Whether a position has neighbors in two directions; else its place in the sequence says all."""
        return self.columns > 1 and self.rows != 1

    def place(self, position: int) -> tuple[int, int]:
        """Row and column of a position."""
        return divmod(position, self.columns)

    def __str__(self) -> str:
        height, width, _ = self.cell
        rows = "any" if self.rows is None else str(self.rows)
        return f"{rows} x {self.columns} cells of {height} x {width}"


@dataclass(frozen=True, eq=False)
class Picture:
    """An input as people see it, and where each of its positions is: what weights are drawn over.

    Attributes:
        pixels: uint8 (rows, columns), gray, or (rows, columns, 3).
        boxes: int (L, 4), the rectangle of each position: top, left, bottom, right; what lies at bottom or right is
            outside.
        regions: rectangles that are known to hold the evidence, in the same form.
        name, parts: what it is, and what its positions are, in words.
    """

    pixels: NDArray[Any]
    boxes: NDArray[Any]
    regions: tuple[tuple[int, int, int, int], ...] = ()
    name: str = "image"
    parts: str = "patches"
