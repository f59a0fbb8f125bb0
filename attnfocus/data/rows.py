"""Examples as people see them, before anything is turned into numbers, and the protocol of what supplies them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    from numpy.typing import NDArray

Links = tuple[tuple[int, int], ...]
Region = tuple[int, int, int, int]  # top, left, bottom, right of a rectangle; what lies at bottom or right is outside
SPLITS: Final = ("train", "valid", "test")


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One example.

    Args:
        id: unique in its split; names the example in predictions and messages.
        input: a text, or an array: vectors (L, D), an image (rows, columns), a signal (samples,), of any number type.
            Nested lists and tuples of numbers become one. The path of a file that is read when the row is encoded is a
            text, too.
        target: the output text (translation), the label (classification), or what else a task reads from a text.
        alignment: known links, as pairs (character of the target, character of the input), both counted from 0 in
            code points; empty where none is known. They are possible ones in the sense of Och and Ney 2003.
        sure: those of the links that are beyond doubt; None: all of them.
        rationale: the spans [start, end) of characters of the input that people name as evidence for the target;
            empty where none is known.
        answers: the spans [start, end) of characters of the input, in order, that a language model is to predict, each
            from all that stands before it; empty: all of the input. `target` is then these texts, joined by a blank.
        regions: rectangles of the array's rows and columns that hold the evidence for the target; empty where none is
            known.
        group: whom or what it is of, such as a person; rows of one group are never drawn into two splits. Empty: none.
    """

    id: str
    input: str | NDArray[Any]
    target: str
    alignment: Links = ()
    sure: Links | None = None
    rationale: tuple[tuple[int, int], ...] = ()
    answers: tuple[tuple[int, int], ...] = ()
    regions: tuple[Region, ...] = ()
    group: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.input, str) and not hasattr(self.input, "dtype"):
            import numpy as np  # late: naming a data set costs nothing

            object.__setattr__(self, "input", np.asarray(self.input))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Row):
            return NotImplemented
        rest = [each.name for each in fields(self) if each.name != "input"]
        same = all(getattr(self, name) == getattr(other, name) for name in rest)
        return same and row_key(self) == row_key(other)

    def __hash__(self) -> int:
        return hash((self.id, self.target))


def row_key(row: Row) -> Hashable:
    """Equal exactly for rows with the same input."""
    if isinstance(row.input, str):
        return row.input
    return row.input.shape, row.input.dtype.str, row.input.tobytes()


@dataclass
class RawData:
    """What a source supplies: rows per split (any of `train`, `valid`, `test`), and lines for the user about them."""

    splits: Mapping[str, Sequence[Row]]
    notes: list[str] = field(default_factory=list)


@runtime_checkable
class Source(Protocol):
    """Where rows come from: the class that a dataset's YAML names as its `_target_`.

    `read` is a function of the source's options, the files under `data_dir` and the seed, and of nothing else.
    It raises `DataError` for data that is missing, empty or malformed.
    """

    @property
    def task(self) -> str:
        """Name of the task that the rows are for: `translation`, `classification`, or one of your own."""
        ...

    def read(self, data_dir: Path, seed: int) -> RawData: ...
