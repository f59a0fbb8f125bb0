"""Rows of plain texts without an object for each: they lie in blocks of bytes, and a row is made when it is taken."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import accumulate, chain, compress, islice, pairwise
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.rows import Row

BLOCK = 1024  # rows
_SLOTS: list[Callable[[Row, Any], None]] = [
    getattr(Row, name).__set__ for name in ("id", "input", "target", "alignment", "sure", "rationale")
]
_new = Row.__new__
_set_id, _set_input, _set_target, _set_alignment, _set_sure, _set_rationale = _SLOTS

T = TypeVar("T")
Texts = tuple[str, str, str]  # id, input, target


class _Block(NamedTuple):
    """Texts of `BLOCK` rows, the last block has fewer: id, input, target, id, ... in UTF-8, and where each ends."""

    content: bytes
    ends: array[int]

    @classmethod
    def of(cls, rows: Iterable[Texts]) -> _Block:
        fields = [text.encode("utf-8", "surrogatepass") for text in chain.from_iterable(rows)]
        return cls(b"".join(fields), array("Q", accumulate(map(len, fields), initial=0)))

    def row(self, number: int) -> Row:
        content, ends = self
        at, first, second, end = ends[3 * number : 3 * number + 4]
        return _row(_text(content[at:first]), _text(content[first:second]), _text(content[second:end]))

    def rows(self) -> Iterator[Row]:
        content, ends = self.content, self.ends
        text = _text(content)
        if len(text) != len(content):  # places of bytes are none of characters
            yield from map(self.row, range(self.size))
            return
        fields = [text[start:end] for start, end in pairwise(ends)]
        yield from map(_row, fields[::3], fields[1::3], fields[2::3])

    def texts(self, field: int) -> Iterator[str]:
        """The ids (0), inputs (1) or targets (2)."""
        text = _text(self.content)
        places = zip(self.ends[field::3], self.ends[field + 1 :: 3], strict=False)
        if len(text) == len(self.content):
            return (text[start:end] for start, end in places)
        return (_text(self.content[start:end]) for start, end in places)

    @property
    def size(self) -> int:
        """Rows."""
        return len(self.ends) // 3


class TextRows(Sequence[Row]):
    """Rows with a text as input and nothing known but their target. They are equal to any rows that are the same.

    Args:
        blocks: of all rows that were read.
        chosen: the numbers of those that are meant, in ascending order; None: all.
    """

    def __init__(self, blocks: Sequence[_Block], chosen: NDArray[np.int64] | None = None) -> None:
        self._blocks = blocks
        self._chosen = chosen
        self._num_read = (len(blocks) - 1) * BLOCK + blocks[-1].size if blocks else 0

    @classmethod
    def of(cls, rows: Iterable[Texts]) -> TextRows:
        """Of (id, input, target)."""
        remaining = iter(rows)
        return cls([_Block.of(some) for some in iter(lambda: list(islice(remaining, BLOCK)), [])])

    def __len__(self) -> int:
        return self._num_read if self._chosen is None else len(self._chosen)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        block, place = divmod(number if self._chosen is None else int(self._chosen[number]), BLOCK)
        return self._blocks[block].row(place)

    def __iter__(self) -> Iterator[Row]:
        for block, places in self._by_block():
            if places is None or len(places) > BLOCK // 4:
                yield from _of_places(block.rows(), places)
            else:
                yield from map(block.row, places.tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(left == right for left, right in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def taken(self, is_taken: NDArray[np.bool_]) -> TextRows:
        """Those of the rows where it is true, by the same blocks."""
        numbers = np.flatnonzero(is_taken)
        return TextRows(self._blocks, numbers if self._chosen is None else self._chosen[numbers])

    def _by_block(self) -> Iterator[tuple[_Block, NDArray[np.int64] | None]]:
        """The blocks that have chosen rows, with the places of these; None: all."""
        if self._chosen is None:
            yield from ((block, None) for block in self._blocks)
            return
        starts = np.searchsorted(self._chosen, np.arange(len(self._blocks) + 1) * BLOCK).tolist()
        for number, block in enumerate(self._blocks):
            places = self._chosen[starts[number] : starts[number + 1]] - number * BLOCK
            if len(places):
                yield block, places if len(places) < block.size else None

    def changed(self, change: Callable[[Row], Row]) -> Sequence[Row]:
        """The rows as `change` makes them. A block of which no row is another one is kept."""
        if self._chosen is not None:
            return packed(map(change, self))
        blocks = []
        remaining = iter(self._blocks)
        for block in remaining:
            before = list(block.rows())
            after = list(map(change, before))
            if all(map(_is, before, after)):
                blocks.append(block)
            elif all(map(_is_plain, after)):
                blocks.append(_Block.of(map(_texts, after)))
            else:
                rest = chain.from_iterable(block.rows() for block in remaining)
                return [*TextRows(blocks), *after, *map(change, rest)]
        return TextRows(blocks)

    def texts(self, field: int) -> Iterator[str]:
        """The inputs (1) or targets (2) of all rows, without making rows."""
        for block, places in self._by_block():
            yield from _of_places(block.texts(field), places)


def packed(rows: Iterable[Row]) -> Sequence[Row]:
    """Rows of plain texts as `TextRows`; others as a list."""
    remaining = iter(rows)
    blocks: list[_Block] = []
    while some := list(islice(remaining, BLOCK)):
        if not all(map(_is_plain, some)):
            return [*TextRows(blocks), *some, *remaining]
        blocks.append(_Block.of(map(_texts, some)))
    return TextRows(blocks)


def changed(rows: Sequence[Row], change: Callable[[Row], Row]) -> Sequence[Row]:
    """The rows as `change` makes them."""
    return rows.changed(change) if isinstance(rows, TextRows) else list(map(change, rows))


def taken(rows: Sequence[Row], is_taken: Iterable[bool]) -> Sequence[Row]:
    """The rows for which it is true."""
    if isinstance(rows, TextRows):
        return rows.taken(np.fromiter(is_taken, dtype=bool, count=len(rows)))
    return list(compress(rows, is_taken))


def targets_of(rows: Sequence[Row]) -> Iterator[str]:
    return rows.texts(2) if isinstance(rows, TextRows) else (row.target for row in rows)


def first_equals(
    rows: Sequence[Row], key: Callable[[Row], Hashable], hashes: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """(N,): for each row the number of the first with an equal key.

    Keys are compared where their hashes are equal: no table of all keys is needed.

    Args:
        hashes: (N,) of the keys, where they are known already.
    """
    if hashes is None:
        hashes = np.fromiter((hash(key(row)) for row in rows), dtype=np.int64, count=len(rows))
    order = np.argsort(hashes, kind="stable")
    is_same = np.diff(hashes[order]) == 0
    result = np.arange(len(rows), dtype=np.int64)
    first: dict[Hashable, int] = {}
    for number in np.sort(np.unique(np.concatenate([order[1:][is_same], order[:-1][is_same]]))).tolist():
        result[number] = first.setdefault(key(rows[number]), number)
    return result


def _of_places(items: Iterator[T], places: NDArray[np.int64] | None) -> Iterator[T]:
    """Those of a block's items that are at some places; None: all."""
    if places is None:
        return items
    is_chosen = bytearray(BLOCK)
    for place in places.tolist():
        is_chosen[place] = True
    return compress(items, is_chosen)


def _row(id: str, input: str, target: str) -> Row:
    """`Row(id, input, target)`, past the slow way in which a frozen class sets its fields."""
    row = _new(Row)
    _set_id(row, id)
    _set_input(row, input)
    _set_target(row, target)
    _set_alignment(row, ())
    _set_sure(row, None)
    _set_rationale(row, ())
    return row


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")


def _texts(row: Row) -> Texts:
    return row.id, str(row.input), row.target


def _is(left: Any, right: Any) -> bool:
    return left is right


def _is_plain(row: Row) -> bool:
    return isinstance(row.input, str) and not (row.alignment or row.sure or row.rationale)
