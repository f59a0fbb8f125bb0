"""Examples as people see them, before anything is turned into numbers, and the protocol of what supplies them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

Links = tuple[tuple[int, int], ...]
SPLITS: Final = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class Row:
    """One example.

    Args:
        id: unique in its split; names the example in predictions and messages.
        input: a text, or a sequence of vectors of one size.
        target: the output text (translation) or the label (classification).
        alignment: known links, as pairs (character of the target, character of the input), both counted from 0 in
            code points; empty where none is known. They are possible ones in the sense of Och and Ney 2003.
        sure: those of the links that are beyond doubt; None: all of them.
        rationale: the spans [start, end) of characters of the input that people name as evidence for the target;
            empty where none is known.
    """

    id: str
    input: str | tuple[tuple[float, ...], ...]
    target: str
    alignment: Links = ()
    sure: Links | None = None
    rationale: tuple[tuple[int, int], ...] = ()


@dataclass
class RawData:
    """What a source supplies: rows per split (any of `train`, `valid`, `test`), and lines for the user about them."""

    splits: dict[str, list[Row]]
    notes: list[str] = field(default_factory=list)


@runtime_checkable
class Source(Protocol):
    """Where rows come from: the class that a dataset's YAML names as its `_target_`.

    `read` is a function of the source's options, the files under `data_dir` and the seed, and of nothing else.
    It raises `DataError` for data that is missing, empty or malformed.
    """

    @property
    def task(self) -> str:
        """`translation` or `classification`."""
        ...

    def read(self, data_dir: Path, seed: int) -> RawData: ...
