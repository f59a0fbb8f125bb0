"""Files of word vectors, read one after the other: text, plain or in .gz or .zip, and word2vec's binary form.

A line is a word and its D numbers, separated by single spaces; a first line of two numbers (how many, D) may stand
before them. In the binary form such a line comes first; then a word, a space and D float32 numbers, little-endian,
again and again (Mikolov et al. 2013, the tool word2vec). No pickle is ever read.

Shapes: D numbers of a vector.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import dropwhile
from pathlib import Path
from typing import IO, BinaryIO, cast
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.reading.lines import (
    HEAD,
    bounded_lines,
    has_surrogates,
    open_bytes,
    refuse_archive,
    text_stream,
)
from attnfocus.data.reading.zip_files import open_member
from attnfocus.errors import DataError

Vector = NDArray[np.float32]

_NUMERIC = "0123456789.+-eE "
_NUMBER = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")
_FASTTEXT_MARK = b"\xba\x16\x4f\x2f"
_READ_BYTES = 1 << 20
MAX_NUMBER = 1e6  # of a vector; published ones stay below 100
MAX_SIZE = 100_000
MAX_WORD_BYTES = 10_000


class OddEntries:
    """Entries of a file that are no vectors: counted, the first remembered."""

    def __init__(self) -> None:
        self.total = 0
        self.first = ""

    def add(self, place: str, problem: str) -> None:
        self.total += 1
        self.first = self.first or f"{place}: {problem}"


def name_of(text: str) -> str:
    """What a word is looked for by: one text for all Unicode forms of it."""
    return text if text.isascii() else normalize("NFC", text)


def vector_size(path: Path) -> int:
    """D, by the first line with anything in it.

    Raises:
        DataError: the file cannot be read, or does not begin with a vector.
    """
    with _content(path) as (binary, is_binary):
        if is_binary:
            return _binary_header(binary, path)[1]
        with _lines(binary, path) as lines:
            first = next(dropwhile(str.isspace, lines), "").rstrip(" \r\n")
            size = int(first.split(" ")[1]) if _is_header(first) else first.count(" ")
    if not 0 < size <= MAX_SIZE:
        raise DataError(f"{path}:1: must be a word and its numbers, separated by spaces, got {_shown(first)}.")
    return size


def read_words(path: Path, size: int, wanted: Collection[str], odd: OddEntries) -> Iterator[tuple[str, Vector]]:
    """The words of a file that are wanted, by `name_of`, and their vectors (D,). All are looked at, none is kept.

    Raises:
        DataError: the file cannot be read, is cut off, or holds more odd entries than vectors.
    """
    with _content(path) as (binary, is_binary):
        if is_binary:
            yield from _binary_words(binary, path, wanted, odd)
            return
        with _lines(binary, path) as lines:
            yield from _text_words(lines, path, size, wanted, odd)


@contextmanager
def _content(path: Path) -> Iterator[tuple[BinaryIO, bool]]:
    """What is in a file, and whether it is of word2vec's binary form."""
    if path.suffix != ".zip":
        with open_bytes(path) as binary:
            yield binary, path.name.removesuffix(".gz").endswith(".bin")
        return
    with open_member(path, (".txt", ".vec"), (".bin",)) as (member, name):
        yield member, name.endswith(".bin")


@contextmanager
def _lines(binary: IO[bytes], path: Path) -> Iterator[Iterator[str]]:
    head = binary.read(HEAD)
    binary.seek(0)
    refuse_archive(path, head)
    with text_stream(cast(BinaryIO, binary), head, path, "utf-8") as stream:
        yield bounded_lines(stream, path)


def _text_words(
    lines: Iterator[str], path: Path, size: int, wanted: Collection[str], odd: OddEntries
) -> Iterator[tuple[str, Vector]]:
    number = 0
    for number, line in enumerate(lines, 1):
        text = line.rstrip(" \r\n")
        if number == 1 and _is_header(text):
            continue
        word, numbers = _split(text, size)
        if not word or numbers.count(" ") != size - 1 or numbers.strip(_NUMERIC):
            odd.add(f"{path}:{number}", f"must be a word and {size} numbers, got {_shown(text)}")
        elif has_surrogates(word):
            odd.add(f"{path}:{number}", "the word is not UTF-8")
        elif name_of(word) in wanted:
            vector = _vector(numbers)
            if vector is None:
                odd.add(
                    f"{path}:{number}", f"must be a word and {size} numbers below {MAX_NUMBER:g}, got {_shown(text)}"
                )
            else:
                yield name_of(word), vector
    if odd.total > number // 2:
        raise DataError(f"{path}: {odd.total:,} of its {number:,} lines are no vectors, the first: {odd.first}.")


def _binary_header(binary: IO[bytes], path: Path) -> tuple[int, int]:
    """How many vectors, and D."""
    line = binary.readline(64)
    if line.startswith(_FASTTEXT_MARK):
        raise DataError(f"{path}: is a binary model of fastText. Give the text file of the same vectors (.vec).")
    text = line.decode("ascii", "replace").rstrip("\n")
    size = int(text.split(" ")[1]) if len(text) < 40 and _is_header(text) else 0
    if not 0 < size <= MAX_SIZE:
        raise DataError(f"{path}: is not of word2vec's binary form, which begins with how many vectors of which size.")
    return int(text.split(" ")[0]), size


def _binary_words(
    binary: IO[bytes], path: Path, wanted: Collection[str], odd: OddEntries
) -> Iterator[tuple[str, Vector]]:
    count, size = _binary_header(binary, path)
    buffer, start, num_bytes = b"", 0, 4 * size
    for number in range(1, count + 1):
        while (end := buffer.find(b" ", start)) < 0 or len(buffer) < end + 1 + num_bytes:
            more = binary.read(max(_READ_BYTES, num_bytes))
            if not more or (end < 0 and len(buffer) - start > MAX_WORD_BYTES):
                what = "is damaged" if more else "is cut off"
                raise DataError(f"{path}: {what} at vector {number:,} of {count:,}. Replace it by a whole copy.")
            buffer, start = buffer[start:] + more, 0
        word = buffer[start:end].lstrip(b"\n").decode("utf-8", "surrogateescape")
        start = end + 1 + num_bytes
        if not word.strip() or has_surrogates(word):
            odd.add(f"{path}, vector {number}", "the word is not UTF-8" if word.strip() else "the word is blank")
        elif name_of(word) in wanted:
            vector = np.frombuffer(buffer, "<f4", size, end + 1)
            if np.isfinite(vector).all() and np.abs(vector).max() <= MAX_NUMBER:
                yield name_of(word), vector.astype(np.float32)
            else:
                odd.add(f"{path}, vector {number}", f"holds a number that is not below {MAX_NUMBER:g}")


def _vector(numbers: str) -> Vector | None:
    """Numbers separated by spaces; None where one is none, or too large."""
    try:
        vector = np.array(numbers.split(" "), dtype=np.float64)
    except ValueError:
        return None
    return vector.astype(np.float32) if np.abs(vector).max() <= MAX_NUMBER else None


def _split(text: str, size: int) -> tuple[str, str]:
    """Word and numbers. A few words of published files hold spaces (`. . .`): the last `size` fields are numbers."""
    word, _, numbers = text.partition(" ")
    extra = numbers.count(" ") + 1 - size
    if extra > 0:
        parts = numbers.split(" ", extra)
        if parts[extra - 1] and not _NUMBER.fullmatch(parts[extra - 1]):
            return " ".join((word, *parts[:extra])), parts[extra]
    return word, numbers


def _is_header(text: str) -> bool:
    fields = text.split(" ")
    return len(fields) == 2 and all(field.isascii() and field.isdecimal() for field in fields)


def _shown(text: str) -> str:
    """The beginning of a line, and how many fields it has."""
    start = text if len(text) <= 40 else text[:40] + "..."
    return f"{start!r} ({len(text.split(' '))} fields)"
