"""fastText's binary models: the vectors of the words in their dictionary, as the `.vec` file beside them has them.

A word's vector is the mean of its own row of the input matrix and those of its character n-grams, which are found by a
hash (Bojanowski et al. 2017, arXiv:1607.04606, section 3.2; file format 12 of the library).

Shapes: D numbers of a vector.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from attnfocus.errors import DataError

MARK = b"\xba\x16\x4f\x2f"
VERSION = 12
MAX_SIZE = 100_000
MAX_WORD_BYTES = 10_000
_READ_BYTES = 1 << 20
_HEAD = struct.Struct("<4si12id")  # mark, version, and the options of training
_COUNTS = struct.Struct("<iiiqq")  # entries, words, labels, tokens, and pruned n-grams
_ENTRY = struct.Struct("<qb")  # how often, and whether a word or a label
_MATRIX = struct.Struct("<?qq")  # whether compressed, rows, columns


@dataclass(frozen=True)
class _Options:
    size: int
    buckets: int
    shortest: int
    longest: int


def model_size(binary: IO[bytes], path: Path) -> int:
    """D.

    Raises:
        DataError: it is no model that can be read.
    """
    return _options(_Stream(binary, path)).size


def read_model(
    binary: IO[bytes], path: Path, is_wanted: Callable[[str], bool]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The words of the dictionary that are wanted, and their vectors (D,).

    Raises:
        DataError: as `model_size`; or the file is cut off.
    """
    stream = _Stream(binary, path)
    options = _options(stream)
    num_entries, num_words, _, _, num_pruned = stream.take(_COUNTS)
    words: dict[int, bytes] = {}
    for number in range(num_entries):
        word = stream.take_text()
        stream.take(_ENTRY)
        if number < num_words and is_wanted(word.decode("utf-8", "replace")):
            words[number] = word
    is_compressed, num_rows, num_columns = stream.take(_MATRIX)
    if is_compressed or num_pruned >= 0:
        raise DataError(f"{path}: is a compressed model of fastText (.ftz). Give its text file of vectors (.vec).")
    if num_columns != options.size or num_rows != num_words + options.buckets:
        raise DataError(f"{path}: is damaged: its matrix is of another size. Replace it by a whole copy.")
    rows_of = {number: _rows(number, word, num_words, options) for number, word in words.items()}
    words_of: dict[int, list[int]] = {}
    for number, rows in rows_of.items():
        for row in rows:
            words_of.setdefault(row, []).append(number)
    sums = {number: np.zeros(options.size) for number in words}
    at = 0
    for row in sorted(words_of):  # forwards alone, so that a compressed file is read once
        stream.skip(4 * options.size * (row - at))
        values = np.frombuffer(stream.take_bytes(4 * options.size), "<f4")
        at = row + 1
        for number in words_of[row]:
            sums[number] += values
    for number, word in words.items():
        yield word.decode("utf-8", "replace"), (sums[number] / len(rows_of[number])).astype(np.float32)


def _options(stream: _Stream) -> _Options:
    mark, version, size, *_, buckets, shortest, longest, _, _ = stream.take(_HEAD)
    if mark != MARK or version != VERSION or not 0 < size <= MAX_SIZE or buckets < 0:
        raise DataError(
            f"{stream.path}: is no model of fastText of version {VERSION}. Give its text file of vectors (.vec)."
        )
    return _Options(size, buckets, shortest, longest)


def _rows(number: int, word: bytes, num_words: int, options: _Options) -> list[int]:
    """The rows of a word and of its n-grams, one as often as it comes; its ends are marked by `<` and `>`."""
    rows = [number]
    if word == b"</s>":  # the end of a line, which has no letters
        return rows
    letters = f"<{word.decode('utf-8', 'surrogateescape')}>"
    for start in range(len(letters)):
        for stop in range(start + max(options.shortest, 1), min(start + options.longest, len(letters)) + 1):
            is_end_mark = stop - start == 1 and (start == 0 or stop == len(letters))
            if not is_end_mark and options.buckets:
                ngram = letters[start:stop].encode("utf-8", "surrogateescape")
                rows.append(num_words + _hash(ngram) % options.buckets)
    return rows


def _hash(text: bytes) -> int:
    """FNV-1a of 32 bits, whose bytes have a sign, as in the library."""
    value = 2166136261
    for byte in text:
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619) & 0xFFFFFFFF
    return value


class _Stream:
    """Bytes read in large parts and given in small ones."""

    def __init__(self, binary: IO[bytes], path: Path) -> None:
        self._binary, self.path = binary, path
        self._buffer, self._start = b"", 0

    def take(self, form: struct.Struct) -> tuple[int, ...]:
        values: tuple[int, ...] = form.unpack(self.take_bytes(form.size))
        return values

    def take_bytes(self, size: int) -> bytes:
        while len(self._buffer) - self._start < size:
            self._fill()
        taken = self._buffer[self._start : self._start + size]
        self._start += size
        return taken

    def take_text(self) -> bytes:
        """What stands before the next zero, which goes too."""
        while (end := self._buffer.find(b"\0", self._start)) < 0:
            if len(self._buffer) - self._start > MAX_WORD_BYTES:
                raise DataError(f"{self.path}: is damaged: a word of more than {MAX_WORD_BYTES} bytes.")
            self._fill()
        taken = self._buffer[self._start : end]
        self._start = end + 1
        return taken

    def skip(self, size: int) -> None:
        there = len(self._buffer) - self._start
        if size <= there:
            self._start += size
            return
        self._buffer, self._start = b"", 0
        self._binary.seek(size - there, 1)

    def _fill(self) -> None:
        more = self._binary.read(_READ_BYTES)
        if not more:
            raise DataError(f"{self.path}: is cut off. Replace it by a whole copy.")
        self._buffer, self._start = self._buffer[self._start :] + more, 0
