"""Rows of plain texts without an object for each: they lie in blocks of bytes, and a row is made when it is taken."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, compress, islice
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.array_rows import ArrayRows
from attnfocus.data.rows import Row, row_key
from attnfocus.data.text_blocks import BLOCK, INPUT, TARGET, TextBlock, Texts, is_plain, texts_of_row

T = TypeVar("T")
R = TypeVar("R")
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class OfInput(Generic[R]):
    """A function of a row that looks at its input alone: of many rows of texts, no row has to be made for it.

    Args:
        of_text: its result for an input that is a text; None: the text itself.
        of_other: its result for a row with another input.
    """

    of_text: Callable[[str], R] | None
    of_other: Callable[[Row], R]

    def __call__(self, row: Row) -> R:
        if not isinstance(row.input, str):
            return self.of_other(row)
        return row.input if self.of_text is None else self.of_text(row.input)  # type: ignore[return-value]


SAME_INPUT: OfInput[Hashable] = OfInput(None, row_key)


class TextRows(Sequence[Row]):
    """Rows with a text as input and nothing known but their target. They are equal to any rows that are the same.

    Args:
        blocks: of all rows that were read.
        chosen: the numbers of those that are meant, in ascending order; None: all.
    """

    def __init__(self, blocks: Sequence[TextBlock], chosen: Numbers | None = None) -> None:
        self._blocks = blocks
        self._chosen = chosen
        self.numbered: object = None  # what `row_words` keeps between learning from these rows and encoding them
        self._starts = list(accumulate((block.size for block in blocks), initial=0))

    @classmethod
    def of(cls, rows: Iterable[Texts]) -> TextRows:
        """Of (id, input, target)."""
        remaining = iter(rows)
        many = iter(lambda: list(islice(remaining, BLOCK)), [])
        return cls([block for some in many for block in TextBlock.several(some)])

    def __len__(self) -> int:
        return self._starts[-1] if self._chosen is None else len(self._chosen)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        place = number if self._chosen is None else int(self._chosen[number])
        block = bisect_right(self._starts, place) - 1
        return self._blocks[block].row(place - self._starts[block])

    def __iter__(self) -> Iterator[Row]:
        for block, numbers in self.by_block():
            if numbers is None or len(numbers) > block.size // 4:
                yield from _of_numbers(block.rows(), numbers, block.size)
            else:
                yield from map(block.row, numbers.tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(left == right for left, right in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def taken(self, is_taken: NDArray[np.bool_]) -> TextRows:
        """Those of the rows where it is true, by the same blocks."""
        numbers = np.flatnonzero(is_taken)
        return TextRows(self._blocks, numbers if self._chosen is None else self._chosen[numbers])

    def by_block(self) -> Iterator[tuple[TextBlock, Numbers | None]]:
        """The blocks that have chosen rows, with the numbers of these in the block; None: all."""
        if self._chosen is None:
            yield from ((block, None) for block in self._blocks)
            return
        starts = np.searchsorted(self._chosen, self._starts).tolist()
        for number, block in enumerate(self._blocks):
            numbers = self._chosen[starts[number] : starts[number + 1]] - self._starts[number]
            if len(numbers):
                yield block, numbers if len(numbers) < block.size else None

    def changed(self, change: Callable[[Row], Row], is_kept: Callable[[TextBlock], bool]) -> Sequence[Row]:
        """The rows as `change` makes them. A block of which no row is another one is kept.

        Args:
            is_kept: whether that is known of a block; `change` is then not called.
        """
        if self._chosen is not None:
            return packed(map(change, self))
        blocks = []
        remaining = iter(self._blocks)
        for block in remaining:
            if is_kept(block):
                blocks.append(block)
                continue
            before = list(block.rows())
            after = list(map(change, before))
            if all(map(_is, before, after)):
                blocks.append(block)
            elif all(map(is_plain, after)):
                blocks += TextBlock.several(map(texts_of_row, after))
            else:
                rest = chain.from_iterable(block.rows() for block in remaining)
                return [*TextRows(blocks), *after, *map(change, rest)]
        return TextRows(blocks)

    def texts(self, field: int) -> Iterator[str]:
        """The inputs (1) or targets (2) of all rows, without making rows."""
        for block, numbers in self.by_block():
            yield from block.texts(field, numbers)

    def fields(self, field: int) -> Iterator[bytes]:
        """The same as bytes: UTF-8, in which half a surrogate pair is three bytes."""
        for block, numbers in self.by_block():
            yield from block.fields(field, numbers)


def packed(rows: Iterable[Row]) -> Sequence[Row]:
    """Rows of plain texts as `TextRows`; others as a list."""
    remaining = iter(rows)
    blocks: list[TextBlock] = []
    while some := list(islice(remaining, BLOCK)):
        if not all(map(is_plain, some)):
            return [*TextRows(blocks), *some, *remaining]
        blocks += TextBlock.several(map(texts_of_row, some))
    return TextRows(blocks)


def changed(
    rows: Sequence[Row], change: Callable[[Row], Row], is_kept: Callable[[TextBlock], bool] = lambda block: False
) -> Sequence[Row]:
    """The rows as `change` makes them; `is_kept`: as in `TextRows.changed`."""
    if isinstance(rows, ArrayRows):
        return rows.changed(change)
    return rows.changed(change, is_kept) if isinstance(rows, TextRows) else list(map(change, rows))


def results(rows: Sequence[Row], function: Callable[[Row], R]) -> Iterator[R]:
    """The function of each row."""
    if not isinstance(function, OfInput) or not isinstance(rows, TextRows):
        return map(function, rows)
    texts: Iterator[Any] = rows.texts(INPUT)
    return texts if function.of_text is None else map(function.of_text, texts)


def taken(rows: Sequence[Row], is_taken: Iterable[bool]) -> Sequence[Row]:
    """The rows for which it is true."""
    if isinstance(rows, TextRows | ArrayRows):
        return rows.taken(np.fromiter(is_taken, dtype=bool, count=len(rows)))
    return list(compress(rows, is_taken))


def targets_of(rows: Sequence[Row]) -> Iterator[str]:
    if isinstance(rows, ArrayRows):
        return rows.targets()
    return rows.texts(TARGET) if isinstance(rows, TextRows) else (row.target for row in rows)


def first_equals(
    rows: Sequence[Row], key: Callable[[Row], Hashable], hashes: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """(N,): for each row the number of the first with an equal key.

    Keys are compared where their hashes are equal: no table of all keys is needed.

    Args:
        hashes: (N,) of the keys, where they are known already.
    """
    if hashes is None:
        hashes = np.fromiter(map(hash, _compared(rows, key)), dtype=np.int64, count=len(rows))
    order = np.argsort(hashes, kind="stable")
    is_same = np.diff(hashes[order]) == 0
    result = np.arange(len(rows), dtype=np.int64)
    first: dict[Hashable, int] = {}
    for number in np.sort(np.unique(np.concatenate([order[1:][is_same], order[:-1][is_same]]))).tolist():
        result[number] = first.setdefault(key(rows[number]), number)
    return result


def _compared(rows: Sequence[Row], key: Callable[[Row], Hashable]) -> Iterator[Hashable]:
    """What is equal where keys are."""
    is_same = isinstance(rows, TextRows) and isinstance(key, OfInput) and key.of_text is None
    return rows.fields(INPUT) if is_same and isinstance(rows, TextRows) else results(rows, key)


def _of_numbers(items: Iterator[T], numbers: Numbers | None, size: int) -> Iterator[T]:
    """Those of a block's items that have some numbers; None: all."""
    if numbers is None:
        return items
    is_chosen = np.zeros(size, dtype=bool)
    is_chosen[numbers] = True
    return compress(items, is_chosen.tolist())


def _is(left: Any, right: Any) -> bool:
    return left is right
