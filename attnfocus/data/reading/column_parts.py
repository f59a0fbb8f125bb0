"""Columns of plain tables, some thousand rows at once: what is regular is found by arrays, without an object a row."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.reading.tables import Record
from attnfocus.data.text_blocks import TextBlock

_NEWLINE = 10
_MAY_BE_BLANK = np.zeros(256, dtype=bool)  # bytes that a blank begins with
_MAY_BE_BLANK[[9, 10, 11, 12, 13, 28, 29, 30, 31, 32, 0xC2, 0xE1, 0xE2, 0xE3]] = True


class ColumnPart(NamedTuple):
    """Rows that follow one another in a file, each a line with all its fields, none of which is empty or blank.

    Args:
        content: the lines, in UTF-8.
        first: the number of the first line.
        places: (N, C, 2) int32: where the C wanted fields of each line start and end.
        is_nfc: the content is in Unicode's form NFC.
        is_printable: it holds no characters but printable ones, and what separates fields and lines.
    """

    content: bytes
    first: int
    places: NDArray[np.int32]
    is_nfc: bool
    is_printable: bool

    def column(self, index: int) -> list[bytes]:
        """The fields of a wanted column, from 0, in UTF-8."""
        content = self.content
        return [content[start:end] for start, end in self.places[:, index].tolist()]

    def blocks(self, prefix: str) -> list[TextBlock]:
        """Rows whose input and target are the first two wanted columns, and whose ids are the line after a prefix."""
        names = (f"{prefix}{line}" for line in range(self.first, self.first + len(self.places)))
        places = self.places[:, :2]
        if 2 * int((places[:, :, 1] - places[:, :, 0]).sum()) < len(self.content):  # there is much else in the table
            fields = (map(bytes.decode, self.column(number)) for number in (0, 1))
            return TextBlock.several(zip(names, *fields, strict=True))
        return [TextBlock.named(self.content, places, names, is_nfc=self.is_nfc, is_printable=self.is_printable)]

    def records(self) -> Iterator[Record]:
        """The same as single rows."""
        lines = self.content.decode().split("\n")
        columns = (map(bytes.decode, self.column(number)) for number in range(self.places.shape[1]))
        for number, (line, *values) in enumerate(zip(lines, *columns, strict=False), self.first):
            yield Record(number, f"{line}\n", tuple(values), number)


def column_part(
    content: bytes, first: int, separator: str, width: int, indices: list[int], *, quotes: bool
) -> ColumnPart | None:
    """Whole lines as columns; None where any of them is not regular, so that it has to be looked at.

    Args:
        content: lines of a UTF-8 file, the last with its end.
        first: the number of the first line.
        separator: one ASCII character.
        width: fields that each line must have.
        indices: the fields that are wanted.
        quotes: a quote means something.
    """
    if (quotes and b'"' in content) or b"\0" in content:
        return None
    num_returns = content.count(b"\r")
    if num_returns and (num_returns != content.count(b"\r\n") or num_returns != content.count(b"\n")):
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    places = _places(content, ord(separator), width, indices, num_end=1 + (num_returns > 0))
    if places is None or not _are_full(content, places):
        return None
    shown = text.replace(separator, " ").replace("\r", "").replace("\n", "")
    return ColumnPart(content, first, places, unicodedata.is_normalized("NFC", text), shown.isprintable())


def _places(content: bytes, separator: int, width: int, indices: list[int], num_end: int) -> NDArray[np.int32] | None:
    """(N, C, 2) of the wanted fields; None where a line has another number than `width`. num_end: bytes of its end."""
    codes = np.frombuffer(content, np.uint8)
    marks = np.flatnonzero((codes == separator) | (codes == _NEWLINE))
    if len(marks) % width:
        return None
    ends = marks.reshape(-1, width)
    is_newline = codes[ends] == _NEWLINE
    if is_newline[:, :-1].any() or not is_newline[:, -1].all():
        return None
    starts = np.concatenate(([0], marks[:-1] + 1)).reshape(-1, width)
    ends[:, -1] -= num_end - 1
    return np.stack([starts[:, indices], ends[:, indices]], axis=2).astype(np.int32)


def _are_full(content: bytes, places: NDArray[np.int32]) -> bool:
    """Whether no field is empty or only blanks."""
    flat = places.reshape(-1, 2)
    if (flat[:, 0] >= flat[:, 1]).any():
        return False
    odd = flat[_MAY_BE_BLANK[np.frombuffer(content, np.uint8)[flat[:, 0]]]].tolist()
    return not any(content[start:end].decode().isspace() for start, end in odd)
