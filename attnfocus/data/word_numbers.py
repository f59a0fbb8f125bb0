"""Words of many texts as numbers: each different word is looked at once, whatever is learned or made of it.

A word is what stands between single spaces. A text with other blanks, with several in a row or with some at its ends
is cut as `chunks` says, and its chunks are numbered like words.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.text_blocks import TextBlock
from attnfocus.data.tokens.chunks import subword_chunks

MAX_BYTES = 64_000_000  # of different words, of 100 and more each; texts that have more are not made of words
_TABLE_BITS = 19
_WIDTHS = ((1, 0), (2, 8), (4, 16))  # of tables: how many numbers of 8 bytes hold a word, which has more bytes than ...
_LONGEST = 32
_PRIMES = [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5]  # any large odd numbers
_SPACE = 32
# How blanks other than a space begin and go on in UTF-8
_WIDE_BLANKS = {
    b"\xc2": [b"\xc2\x85", b"\xc2\xa0"],
    b"\xe1": [b"\xe1\x9a\x80"],
    b"\xe2": [b"\xe2\x80" + bytes([code]) for code in (*range(0x80, 0x8B), 0xA8, 0xA9, 0xAF)] + [b"\xe2\x81\x9f"],
    b"\xe3": [b"\xe3\x80\x80"],
}

Ints = NDArray[np.int64]


class BlockWords(NamedTuple):
    """The words of one field of some rows, kept in three bytes each.

    Args:
        low, high: (W,) of the numbers of all words, below 2^24.
        counts: (N,) how many words each row has.
    """

    low: NDArray[np.uint16]
    high: NDArray[np.uint8]
    counts: NDArray[np.unsignedinteger[Any]]

    @classmethod
    def of(cls, numbers: NDArray[np.int32], counts: Ints) -> BlockWords:
        kept = counts.astype(np.min_scalar_type(int(counts.max(initial=0))))  # mostly one byte
        return cls(numbers.astype(np.uint16), (numbers >> 16).astype(np.uint8), kept)

    @property
    def numbers(self) -> NDArray[np.int32]:
        """(W,)"""
        return self.high.astype(np.int32) << 16 | self.low


class WordNumbers:
    """Numbers for different words, given as they come."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}
        self._tables = [_Table(size) for size, _ in _WIDTHS]
        self._num_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether there are more different words than a language has."""
        return self._num_bytes > MAX_BYTES

    def words(self) -> list[str]:
        """The words in the order of their numbers, as members of `subword_chunks`."""
        return [word.decode("utf-8", "surrogatepass") for word in self._known]

    def of(self, block: TextBlock, field: int, numbers: Ints | None = None) -> BlockWords:
        """The words of a field of some rows of a block; None: of all."""
        content = bytes(block.content)
        places = block.places[:, field] if numbers is None else block.places[numbers, field]
        starts, ends = places.astype(np.int64).T
        codes = np.frombuffer(content, np.uint8)
        blanks = np.flatnonzero(codes <= _SPACE)
        spaces = blanks[codes[blanks] == _SPACE]
        is_odd = _with_any(_odd_blanks(content, codes, blanks), starts, ends)
        cut = _Cut.of(starts, ends, spaces)
        is_odd |= cut.has_empty
        if not is_odd.any():
            return BlockWords.of(self._numbers(content, codes, cut.starts, cut.sizes), cut.counts)
        return self._with_odd(content, codes, cut, is_odd, places)

    def _with_odd(
        self, content: bytes, codes: NDArray[np.uint8], cut: _Cut, is_odd: NDArray[np.bool_], places: NDArray[np.int32]
    ) -> BlockWords:
        is_word = np.repeat(~is_odd, cut.counts)
        plain = self._numbers(content, codes, cut.starts[is_word], cut.sizes[is_word])
        counts = cut.counts.copy()
        odd = []
        for row in np.flatnonzero(is_odd).tolist():
            start, end = places[row].tolist()
            found = [self._number(each) for each in _keys(content[start:end].decode("utf-8", "surrogatepass"))]
            counts[row] = len(found)
            odd += found
        is_plain = np.repeat(~is_odd, counts)
        numbers = np.empty(int(counts.sum()), np.int32)
        numbers[is_plain] = plain
        numbers[~is_plain] = odd
        return BlockWords.of(numbers, counts)

    def _numbers(self, content: bytes, codes: NDArray[np.uint8], starts: Ints, sizes: Ints) -> NDArray[np.int32]:
        """Of words at some places."""
        result = np.empty(len(starts), np.int32)
        padded = np.concatenate((codes, np.zeros(_LONGEST, np.uint8)))
        eights = np.ndarray((len(padded) - 7,), dtype="<u8", buffer=padded, strides=(1,))
        for table, (size, above) in zip(self._tables, _WIDTHS, strict=True):
            which = np.flatnonzero((sizes > above) & (sizes <= 8 * size))
            if len(which):
                result[which] = self._looked_up(table, content, eights, starts[which], sizes[which])
        which = np.flatnonzero(sizes > _LONGEST)
        for place, start, size in zip(which.tolist(), starts[which].tolist(), sizes[which].tolist(), strict=True):
            result[place] = self._number(content[start : start + size])
        return result

    def _looked_up(
        self, table: _Table, content: bytes, eights: NDArray[np.uint64], starts: Ints, sizes: Ints
    ) -> NDArray[np.int32]:
        parts = table.parts(eights, starts, sizes)
        slots = table.slots(parts)
        found = table.found(parts, slots)
        for missing in np.flatnonzero(found < 0).tolist():
            start = int(starts[missing])
            number = self._number(content[start : start + int(sizes[missing])])
            found[missing] = number
            table.add(parts[:, missing], int(slots[missing]), number)
        return found

    def _number(self, word: bytes) -> int:
        number = self._known.get(word)
        if number is None:
            number = self._known[word] = len(self._known)
            self._num_bytes += len(word) + 100  # of the object and its place
        return number


class _Table:
    """Words of a few bytes by a hash, as numbers of 8 bytes. Of words with one hash the first has the place."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._words = np.zeros((size, 1 << _TABLE_BITS), np.uint64)
        self._numbers = np.full(1 << _TABLE_BITS, -1, np.int32)

    def parts(self, eights: NDArray[np.uint64], starts: Ints, sizes: Ints) -> NDArray[np.uint64]:
        """(size, W): the bytes of words, with zeros behind; no word has a zero in it."""
        parts = [eights[starts + 8 * number] & _MASKS[number][sizes] for number in range(self._size)]
        return np.stack(parts)

    def slots(self, parts: NDArray[np.uint64]) -> Ints:
        mixed = parts[0] * np.uint64(_PRIMES[0])
        for part, prime in zip(parts[1:], _PRIMES[1:], strict=False):
            mixed ^= part * np.uint64(prime)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(_PRIMES[1])
        return (mixed >> np.uint64(64 - _TABLE_BITS)).astype(np.int64)

    def found(self, parts: NDArray[np.uint64], slots: Ints) -> NDArray[np.int32]:
        """The numbers of words; -1: it is not in its place."""
        numbers = self._numbers[slots]
        is_same = self._words[0][slots] == parts[0]
        for words, part in zip(self._words[1:], parts[1:], strict=True):
            is_same &= words[slots] == part
        numbers[~is_same] = -1
        return numbers

    def add(self, part: NDArray[np.uint64], slot: int, number: int) -> None:
        if self._numbers[slot] < 0:
            self._words[:, slot] = part
            self._numbers[slot] = number


class _Cut(NamedTuple):
    """Fields cut at spaces: where words start, their sizes, how many each field has, and where one is empty."""

    starts: Ints
    sizes: Ints
    counts: Ints
    has_empty: NDArray[np.bool_]

    @classmethod
    def of(cls, starts: Ints, ends: Ints, spaces: Ints) -> _Cut:
        first, last = np.searchsorted(spaces, starts), np.searchsorted(spaces, ends)
        counts = last - first + 1
        until = np.cumsum(counts)
        begins = until - counts  # the first word of each field
        within = np.arange(int(until[-1]) if len(until) else 0)
        space = within - np.repeat(begins - first, counts)  # the one behind each word
        bounded = np.append(spaces, 0)  # the last word of a field has none
        word_starts = bounded[space - 1] + 1
        word_starts[begins] = starts
        word_ends = bounded[np.minimum(space, len(spaces))]
        word_ends[until - 1] = ends
        sizes = word_ends - word_starts
        num_empty = np.bincount(np.repeat(np.arange(len(counts)), counts)[sizes <= 0], minlength=len(counts))
        return cls(word_starts, sizes, counts, num_empty > 0)


_MASKS = [
    np.array([(1 << 8 * min(max(size - 8 * part, 0), 8)) - 1 for size in range(_LONGEST + 1)], dtype=np.uint64)
    for part in range(_LONGEST // 8)
]


def _odd_blanks(content: bytes, codes: NDArray[np.uint8], blanks: Ints) -> Ints:
    """Where blanks are that are no space, and zeros; in ascending order."""
    places = [blanks[codes[blanks] != _SPACE]]
    if not content.isascii():
        for lead, patterns in _WIDE_BLANKS.items():
            if lead in content:
                places += [np.array(_all_of(content, pattern), dtype=np.int64) for pattern in patterns]
    return np.sort(np.concatenate(places))


def _all_of(content: bytes, pattern: bytes) -> list[int]:
    found, at = [], content.find(pattern)
    while at >= 0:
        found.append(at)
        at = content.find(pattern, at + 1)
    return found


def _with_any(places: Ints, starts: Ints, ends: Ints) -> NDArray[np.bool_]:
    """Which of the fields [start, end) hold one of some places."""
    return np.searchsorted(places, starts) < np.searchsorted(places, ends)


def _keys(text: str) -> list[bytes]:
    """The chunks of a text as they are numbered: one that is a word behind a space as the word."""
    chunks = subword_chunks(f" {text}") if text else []
    bare = (each[1:] if each[0] == " " and each[1:] and not each[1].isspace() else each for each in chunks)
    return [each.encode("utf-8", "surrogatepass") for each in bare]
