"""Some thousand rows of plain texts as one piece of bytes, with the places of their texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.rows import Row
from attnfocus.errors import DataError

BLOCK = 1024  # rows, of a block that is made of single ones
MAX_BYTES = 2**31 - 1  # of a block: places are int32
_SLOTS: list[Callable[[Row, Any], None]] = [
    getattr(Row, name).__set__
    for name in ("id", "input", "target", "alignment", "sure", "rationale", "answers", "regions", "group")
]
_new = Row.__new__
_set_id, _set_input, _set_target, _set_alignment, _set_sure, _set_rationale, _set_answers, _set_regions, _set_group = (
    _SLOTS
)

Texts = tuple[str, str, str]  # id, input, target
ID, INPUT, TARGET = range(3)

_BLANKS = np.zeros(256, dtype=bool)  # bytes that are a blank alone
_BLANKS[[9, 10, 11, 12, 13, 28, 29, 30, 31, 32]] = True


class TextBlock(NamedTuple):
    """Rows of an id, an input and a target.

    Args:
        content: UTF-8, in which half a surrogate pair is three bytes; there may be more in it than these texts.
        places: (N, 3, 2) int32: where id, input and target start and end. The inputs are in order, as are the targets.
        is_nfc: all of the content is known to be in Unicode's form NFC.
        is_printable: all texts are known to have no characters but printable ones.
    """

    content: bytes | memoryview
    places: NDArray[np.int32]
    is_nfc: bool = False
    is_printable: bool = False

    @classmethod
    def several(cls, rows: Iterable[Texts]) -> list[TextBlock]:
        """Of (id, input, target): one, or several where the texts are larger than a block may be; none of no row.

        Raises:
            DataError: a single row is.
        """
        return cls._of_fields([text.encode("utf-8", "surrogatepass") for text in chain.from_iterable(rows)])

    @classmethod
    def _of_fields(cls, fields: list[bytes]) -> list[TextBlock]:
        """Of id, input and target of each row, one after the other."""
        num_rows, size = len(fields) // 3, sum(map(len, fields))
        if not num_rows:
            return []
        if size > MAX_BYTES and num_rows == 1:
            raise DataError(
                f"row {_text(fields[0])}: its texts have {size:,} bytes; a row may have {MAX_BYTES:,} at most. Leave "
                "it out, or cut it into several."
            )
        if size > MAX_BYTES:
            half = num_rows // 2 * 3
            return [*cls._of_fields(fields[:half]), *cls._of_fields(fields[half:])]
        ends = np.fromiter(accumulate(map(len, fields), initial=0), np.int64, len(fields) + 1)
        return [cls(b"".join(fields), np.stack([ends[:-1], ends[1:]], axis=1).astype(np.int32).reshape(-1, 3, 2))]

    @classmethod
    def named(
        cls, content: bytes, places: NDArray[np.int32], names: Iterable[str], *, is_nfc: bool, is_printable: bool
    ) -> TextBlock:
        """Of inputs and targets in `content`, at `places` (N, 2, 2), with the ids of their rows."""
        ids = [name.encode() for name in names]
        ends = np.fromiter(accumulate(map(len, ids), initial=len(content)), np.int64, len(ids) + 1)
        assert ends[-1] <= MAX_BYTES  # it is read some MB at once
        of_ids = np.stack([ends[:-1], ends[1:]], axis=1).astype(np.int32)[:, np.newaxis]
        whole = np.concatenate([of_ids, places], axis=1)
        return cls(b"".join([content, *ids]), whole, is_nfc=is_nfc, is_printable=is_printable)

    @property
    def size(self) -> int:
        """Rows."""
        return len(self.places)

    def __reduce__(self) -> tuple[Any, ...]:
        return TextBlock, (bytes(self.content), np.array(self.places), self.is_nfc, self.is_printable)

    def row(self, number: int) -> Row:
        content = self.content
        texts = [_text(content[start:end]) for start, end in self.places[number].tolist()]
        return _row(*texts)

    def rows(self) -> Iterator[Row]:
        return map(_row, *(self.texts(field) for field in (ID, INPUT, TARGET)))

    def texts(self, field: int, numbers: NDArray[np.int64] | None = None) -> list[str]:
        """The ids (0), inputs (1) or targets (2) of some rows; None: of all."""
        places = self.places[:, field] if numbers is None else self.places[numbers, field]
        text = _text(self.content)
        if len(text) != len(self.content):  # places of bytes are none of characters
            inner = np.flatnonzero((np.frombuffer(self.content, np.uint8) & 0xC0) == 0x80)
            places = places - np.searchsorted(inner, places)
        starts, ends = places.T.tolist()
        return [text[start:end] for start, end in zip(starts, ends, strict=True)]

    def fields(self, field: int, numbers: NDArray[np.int64] | None = None) -> list[bytes]:
        """The same as bytes."""
        places = self.places[:, field] if numbers is None else self.places[numbers, field]
        content = self.content if isinstance(self.content, bytes) else bytes(self.content)
        starts, ends = places.T.tolist()
        return [content[start:end] for start, end in zip(starts, ends, strict=True)]

    def hashes(self) -> list[int]:
        """Of each row's input and target, as `hash_of` has it."""
        return list(map(hash, zip(self.fields(INPUT), self.fields(TARGET), strict=True)))

    def is_tight(self) -> bool:
        """Whether no input and no target is empty, or has a blank at one of its ends."""
        places = self.places[:, 1:].reshape(-1, 2)
        codes = np.frombuffer(self.content, np.uint8)
        if (places[:, 0] == places[:, 1]).any():
            return False
        edges = np.stack([codes[places[:, 0]], codes[places[:, 1] - 1]], axis=1)
        if _BLANKS[edges].any():
            return False
        content = self.content
        odd = (_text(content[start:end]) for start, end in places[(edges >= 0x80).any(axis=1)].tolist())
        return not any(text[0].isspace() or text[-1].isspace() for text in odd)


def hash_of(row: Row) -> int:
    """Of a row's input, which is a text, and its target."""
    return hash((str(row.input).encode("utf-8", "surrogatepass"), row.target.encode("utf-8", "surrogatepass")))


def pair_reprs(block: TextBlock, numbers: NDArray[np.int64] | None = None) -> bytes:
    """`repr((input, target))` of rows, one after the other in UTF-8."""
    if not block.is_printable:
        pairs = zip(block.texts(INPUT, numbers), block.texts(TARGET, numbers), strict=True)
        return "".join(map(repr, pairs)).encode("utf-8", "surrogatepass")
    return b"".join(map(_pair_repr, block.fields(INPUT, numbers), block.fields(TARGET, numbers)))


def _pair_repr(left: bytes, right: bytes) -> bytes:
    """Of printable texts; those without quotes and backslashes, which repr escapes, stay as they are."""
    found = b"('%b', '%b')" % (left, right)
    if found.count(b"'") == 4 and b"\\" not in found:
        return found
    return repr((_text(left), _text(right))).encode("utf-8", "surrogatepass")


def is_plain(row: Row) -> bool:
    """Whether a row is a text with a target and nothing else."""
    known = row.alignment or row.sure or row.rationale or row.answers or row.regions or row.group
    return isinstance(row.input, str) and not known


def texts_of_row(row: Row) -> Texts:
    return row.id, str(row.input), row.target


def _row(id: str, input: str, target: str) -> Row:
    """`Row(id, input, target)`, past the slow way in which a frozen class sets its fields."""
    row = _new(Row)
    _set_id(row, id)
    _set_input(row, input)
    _set_target(row, target)
    _set_alignment(row, ())
    _set_sure(row, None)
    _set_rationale(row, ())
    _set_answers(row, ())
    _set_regions(row, ())
    _set_group(row, "")
    return row


def _text(content: bytes | memoryview) -> str:
    return str(content, "utf-8", "surrogatepass")
