"""Long texts that are read in pieces, from the beginning to the end, and are never in memory as a whole."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, islice
from typing import Literal, NamedTuple, overload

from attnfocus.data.rows import Row

Documents = Literal["whole", "lines", "paragraphs", "rows"]

PIECE_CHARACTERS = 1 << 20  # of a text that goes on, in memory at a time
_BORDERS = {
    "lines": re.compile(r"\r?\n"),
    "paragraphs": re.compile(r"(?:\r?\n[^\S\n]*)+\r?\n"),  # blank lines
}


class Piece(NamedTuple):
    """A part of a document.

    Attributes:
        begins, ends: whether the document begins, or ends, with it.
    """

    text: str
    begins: bool
    ends: bool


@dataclass(frozen=True, eq=False)
class TextStream(Sequence[Row]):
    """A split as one long text; as a sequence its rows are its pieces, which are read anew for each pass over them.

    Args:
        split: the split's name.
        read: gives the text from its beginning, in parts of any size that joined are the text; of `rows` each part is
            a document.
        documents: what of it is a document of its own: all of it; each line; what blank lines separate; each part.
            Blank ones are none.
        start, end: the characters [start, end) that are meant; None: to its end.
        change: what is done to the text of each piece; it need not keep the number of characters.
    """

    split: str
    read: Callable[[], Iterator[str]]
    documents: Documents = "whole"
    start: int = 0
    end: int | None = None
    change: Callable[[str], str] | None = None

    def pieces(self) -> Iterator[Piece]:
        """All of it, from the beginning to the end."""
        found = _rows(self.parts()) if self.documents == "rows" else _divided(self.parts(), self.documents)
        return found if self.change is None else (piece._replace(text=self.change(piece.text)) for piece in found)

    def parts(self) -> Iterator[str]:
        """The text as it is read."""
        place = 0
        for part in self.read():
            if self.end is not None and place >= self.end:
                return
            first, last = self.start - place, len(part) if self.end is None else self.end - place
            place += len(part)
            if first < len(part):
                yield part if first <= 0 and last >= len(part) else part[max(first, 0) : last]

    @cached_property
    def num_characters(self) -> int:
        """Of all of it, as it is read."""
        return sum(map(len, self.parts()))

    @cached_property
    def fingerprint(self) -> str:
        """Of its text and its documents: equal exactly where these are, however they were read."""
        digest = hashlib.sha256(self.documents.encode())
        for piece in self.pieces():
            digest.update(piece.text.encode("utf-8", "surrogatepass"))
            if piece.ends:
                digest.update(b"\0")
        return digest.hexdigest()[:16]

    def cut(self, split: str, start: int, end: int | None) -> TextStream:
        """The characters [start, end) of it, as a split."""
        last = self.end if end is None else self.start + end
        return replace(self, split=split, start=self.start + start, end=last)

    def border_after(self, place: int) -> int:
        """The first place, from this character on, where a document may begin: `place` where all is one document."""
        if self.documents == "rows":
            ends = accumulate(map(len, self.parts()))
            return next((end for end in ends if end >= place), place)
        border = _BORDERS.get(self.documents)
        if border is None or not place:
            return place
        seen, begun = "", 0
        for part in self.cut(self.split, place - 1, None).parts():  # a document may begin right here
            seen += part
            found = border.search(seen, max(0, begun - 1))
            if found is not None and found.end() < len(seen):
                return place - 1 + found.end()
            begun = found.start() if found is not None else len(seen)
        return place - 1 + len(seen)

    def row(self, number: int, piece: Piece) -> Row:
        return Row(f"{self.split}:{number + 1}", piece.text, "")

    def __len__(self) -> int:
        return sum(1 for _ in self.pieces())

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return list(islice(self, *index.indices(len(self))))
        found = next(islice(self, index if index >= 0 else len(self) + index, None), None)
        if found is None:
            raise IndexError(index)
        return found

    def __iter__(self) -> Iterator[Row]:
        return (self.row(number, piece) for number, piece in enumerate(self.pieces()))


def _rows(parts: Iterator[str]) -> Iterator[Piece]:
    return (Piece(part, True, True) for part in parts if part.strip())


def _divided(parts: Iterator[str], documents: Documents) -> Iterator[Piece]:
    """Documents that a border separates, those that are too long in pieces."""
    border = _BORDERS.get(documents)
    rest, begins = "", True
    for part in parts:
        text = rest + part
        tail = len(text.rstrip())  # of blanks at the end only what follows says whether they are a border
        *found, rest = [text[:tail]] if border is None else border.split(text[:tail])
        for each in found:
            if each.strip() or not begins:
                yield Piece(each, begins, True)
            begins = True
        rest += text[tail:]
        if len(rest) > PIECE_CHARACTERS:
            place = _place_to_cut(rest)
            yield Piece(rest[:place], begins, False)
            rest, begins = rest[place:], False
    if border is not None:
        *found, rest = border.split(rest)
        for each in found:
            if each.strip() or not begins:
                yield Piece(each, begins, True)
            begins = True
    rest = rest if border is None else rest.rstrip("\r\n")
    if not begins or (rest if border is None else rest.strip()):
        yield Piece(rest, begins, True)


def _place_to_cut(text: str) -> int:
    """Where a text is cut that goes on: before its last blanks, as no token reaches into them from the left."""
    last = max(text.rfind("\n"), text.rfind(" "))
    before = len(text[: last + 1].rstrip())
    return before if before else len(text)
