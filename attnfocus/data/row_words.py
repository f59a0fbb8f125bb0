"""Rows of texts as numbers of words: read once, to learn a tokenizer from their counts and to make the token ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.rows import Row
from attnfocus.data.text_rows import TextRows
from attnfocus.data.tokens.id_lists import IdLists
from attnfocus.data.tokens.tokenizer import Tokenizer
from attnfocus.data.tokens.words import count_words
from attnfocus.data.word_numbers import BlockWords, WordNumbers
from attnfocus.stages import stage


class RowWords:
    """The words of all rows, by field.

    Args:
        chunks: the different words, as members of `chunks.subword_chunks`.
        blocks: field -> the words of one block of rows after the other. They are given up as ids are made of them.
    """

    def __init__(self, chunks: Sequence[str], blocks: dict[int, list[BlockWords]]) -> None:
        self.chunks = chunks
        self._blocks = blocks
        self._totals = {field: _totals(some, len(chunks)) for field, some in blocks.items()}
        self._sizes = np.fromiter(map(count_words, chunks), np.int32, len(chunks))

    def counts(self, field: int) -> dict[str, int]:
        """Word -> how often it occurs in a field of all rows."""
        totals = self._totals[field]
        return {self.chunks[number]: int(totals[number]) for number in np.flatnonzero(totals).tolist()}

    def num_words(self) -> NDArray[np.int32]:
        """(N,): of each row, as `count_words` counts those of all its fields."""
        of_fields = [
            np.concatenate([_sums(self._sizes[words.numbers], words.counts) for words in blocks])
            for blocks in self._blocks.values()
        ]
        return np.sum(of_fields, axis=0, dtype=np.int32)

    def id_lists(
        self, field: int, tokenizer: Tokenizer, first: Sequence[int] = (), last: Sequence[int] = ()
    ) -> IdLists:
        """The token ids of a field of each row. The field is given up.

        Args:
            tokenizer: one that works word by word.
            first, last: ids that every list begins and ends with.
        """
        totals, blocks = self._totals.pop(field), self._blocks.pop(field)
        blocks.reverse()  # the first is taken from the end
        ids = tokenizer.word_ids(
            word if is_used else None for word, is_used in zip(self.chunks, (totals > 0).tolist(), strict=True)
        )
        num_rows = sum(len(words.counts) for words in blocks)
        around = len(first) + len(last)
        flat = np.empty(int(totals @ ids.sizes) + around * num_rows, ids.flat.dtype)
        ends = np.empty(num_rows, np.int64)
        row = end = 0
        with stage("encoding", num_rows) as encoding:
            while blocks:
                words = blocks.pop()
                numbers = words.numbers
                sizes = ids.sizes[numbers]
                lengths = _sums(sizes, words.counts) + around
                of_block = np.cumsum(lengths)
                size = len(lengths)
                ends[row : row + size] = end + of_block
                part = flat[end : end + int(of_block[-1])]
                is_id = np.ones(len(part), dtype=bool)
                for place, each in enumerate(first):
                    part[of_block - lengths + place], is_id[of_block - lengths + place] = each, False
                for place, each in enumerate(reversed(last), 1):
                    part[of_block - place], is_id[of_block - place] = each, False
                found = ids.of(numbers, sizes)
                if around:
                    part[is_id] = found
                else:
                    part[:] = found
                row, end = row + size, end + len(part)
                encoding.advance(size)
        return IdLists(flat, ends)


def row_words(rows: Sequence[Row], fields: Sequence[int]) -> RowWords | None:
    """The words of some fields of rows, numbered; None: they are no `TextRows`, or not made of words.

    They are kept for whoever asks next, until `without_words`.
    """
    if not isinstance(rows, TextRows) or not len(rows):
        return None
    if rows.numbered is None:
        rows.numbered = _numbered(rows, fields) or False
    return rows.numbered if isinstance(rows.numbered, RowWords) else None


def without_words(rows: Sequence[Row]) -> None:
    """Forgets what `row_words` keeps."""
    if isinstance(rows, TextRows):
        rows.numbered = None


def merged_counts(words: RowWords, fields: Sequence[int]) -> dict[str, int]:
    """Word -> how often it occurs in several fields."""
    counts: Counter[str] = Counter()
    for field in fields:
        counts.update(words.counts(field))
    return counts


def _numbered(rows: TextRows, fields: Sequence[int]) -> RowWords | None:
    numbers = WordNumbers()
    blocks: dict[int, list[BlockWords]] = {field: [] for field in fields}
    with stage("counting words", len(rows)) as counting:
        for block, chosen in rows.by_block():
            for field in fields:
                blocks[field].append(numbers.of(block, field, chosen))
            if numbers.is_full:
                return None
            counting.advance(block.size if chosen is None else len(chosen))
    return RowWords(numbers.words(), blocks)


def _totals(blocks: Sequence[BlockWords], size: int) -> NDArray[np.int64]:
    totals = np.zeros(size, np.int64)
    for words in blocks:
        totals += np.bincount(words.numbers, minlength=size)
    return totals


def _sums(values: NDArray[np.integer[Any]], counts: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """(N,): of the first counts[0] values, of the next counts[1] and so on."""
    until = np.concatenate((_ZERO, np.cumsum(values, dtype=np.int64)))
    return np.diff(until[np.concatenate((_ZERO, np.cumsum(counts, dtype=np.int64)))])


_ZERO = np.zeros(1, np.int64)
