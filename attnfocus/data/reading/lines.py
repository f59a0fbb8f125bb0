"""Text files as lines, gzip or not; what is wrong is named by place.

A place is `file:line:column`, the column a character of the line, both counted from 1.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, cast

from attnfocus.data.reading.encodings import fitting_encoding, is_wide, marked_encoding, shown_in, unmarked_wide
from attnfocus.errors import DataError, Problem
from attnfocus.stages import stage

OnBadRow = Literal["fail", "skip"]

MAX_LINE_CHARACTERS = 10_000_000  # a longer line means that the file is no text, or meant to exhaust the memory
MAX_GZIP_RATIO = 200  # text shrinks 3 to 20 times; a bomb about 1000 times
MAX_UNPACKED_ALWAYS_FINE = 100_000_000
ROW_BYTES = 250  # of memory that a row takes beside its characters
MAX_ROWS_ALWAYS_FINE = 1_000_000
PART_CHARACTERS = 1 << 16
LINES_A_MOVE = 1000  # of the bar
NUM_SHOWN = 3  # with the first and the last line a message of five

HEAD = 512  # bytes that say what a file is
TABLE_MARKS = ((b"PAR1", "parquet"), (b"ARROW1", "arrow"))
COMPRESSED = (".gz", ".zip")
ARCHIVE_MARKS = (  # where in the file, and what: zip, tar, 7z, rar, bzip2, xz, zstd
    (0, b"PK\x03\x04"),
    (257, b"ustar"),
    (0, b"7z\xbc\xaf\x27\x1c"),
    (0, b"Rar!\x1a\x07"),
    (4, b"1AY&SY"),
    (0, b"\xfd7zXZ\x00"),
    (0, b"\x28\xb5\x2f\xfd"),
)

SURROGATE = re.compile("[\ud800-\udfff]")  # what `surrogateescape` makes of a byte that cannot be decoded
OTHER_ENCODINGS = "gb18030 (Chinese), cp1252 or latin-1 (Western Europe), utf-16"
MAX_SAMPLE = 20_000  # bytes of undecodable rows that a guess of their encoding looks at


class BadRows:
    """Rows that cannot be used: counted, the first few remembered.

    Args:
        on_bad_row: `fail`: `finish` raises; `skip`: they are left out and `finish` says so.
        remedy: the way out that the message ends with; None: what a user can do about files of their own.
    """

    def __init__(self, on_bad_row: OnBadRow = "fail", remedy: str | None = None) -> None:
        self._skip = on_bad_row == "skip"
        self._remedy = remedy
        self._shown: list[str] = []
        self._warnings: list[str] = []
        self._num_undecodable = 0
        self._num_more_lines = 0
        self._sample = bytearray()
        self._encoding = "utf-8"
        self.total = 0

    def add(
        self, path: Path, line: int, column: int, reason: str, num_lines: int = 1, number: int | None = None
    ) -> None:
        """A row, which takes `num_lines` lines of its file with it. `number`: what it is called by, if not its line."""
        self.total += 1
        self._num_more_lines += num_lines - 1
        if len(self._shown) < NUM_SHOWN:
            self._shown.append(f"{path}:{line}:{column}: {reason}")

    def add_undecodable(self, path: Path, line: int, raw: str, encoding: str, number: int | None = None) -> None:
        """A row, which begins in a line, with bytes that are none of the encoding: surrogates in `raw`."""
        broken = SURROGATE.search(raw)
        assert broken is not None
        self._num_undecodable += 1
        self._encoding = encoding
        if len(self._sample) < MAX_SAMPLE and not is_wide(encoding):
            self._sample += raw.encode(encoding, "surrogateescape")
        byte = ord(broken.group()) & 0xFF
        self.add(path, *place_of(raw, line, broken.start()), f"byte 0x{byte:02x} is not {encoding}", number=number)

    def warn(self, text: str) -> None:
        """Something odd about rows that are used all the same; the first is said."""
        self._warnings.append(text)

    def finish(self) -> list[str]:
        """Notes for the user.

        Raises:
            DataError: there are bad rows, and they are not to be skipped.
        """
        if not self.total:
            return self._warnings[:1]
        if not self._skip:
            raise self.error()
        hint = f". {self._other_encoding(self._fitting())}" if self._num_undecodable == self.total else ""
        return [f"{self._counted()} skipped, the first: {self._shown[0]}{hint}", *self._warnings[:1]]

    def error(self) -> DataError:
        """What `finish` raises; for a row that cannot be done without, to be raised at once."""
        shown = "" if self.total <= NUM_SHOWN else f", the first {NUM_SHOWN} of them"
        lines = [f"{self._counted()}{shown}:", *(f"  {line}" for line in self._shown)]
        if self._remedy is not None:
            return DataError("\n".join([*lines, self._remedy]))
        way_out, key, value = self._way_out()
        return DataError(Problem("\n".join([*lines, way_out]), key, [f"{key}={value}"] if value else None))

    def _counted(self) -> str:
        rows = "1 bad row" if self.total == 1 else f"{self.total} bad rows"
        return f"{rows} ({self.total + self._num_more_lines} lines)" if self._num_more_lines else rows

    def _way_out(self) -> tuple[str, str, str]:
        """What is said, and the key and value that it proposes; no value where nobody can know."""
        encoding = self._fitting()
        if self._num_undecodable == self.total:
            return self._other_encoding(encoding), "dataset.encoding", encoding
        these = "this row, or leave out such rows" if self.total == 1 else "these rows, or leave them out"
        correct = f"Correct {these} with dataset.on_bad_row=skip."
        correct = f"{correct} {self._other_encoding(encoding)}" if self._num_undecodable else correct
        return correct, "dataset.on_bad_row", "" if self._num_undecodable else "skip"

    def _fitting(self) -> str:
        """The encoding that undecodable bytes are probably of; empty where there are none to look at."""
        return fitting_encoding(bytes(self._sample), self._encoding) if self._sample else ""

    def _other_encoding(self, fitting: str) -> str:
        if not fitting:
            return f"Give the encoding of these files, dataset.encoding=...: {OTHER_ENCODINGS}."
        shown = shown_in(bytes(self._sample), fitting)
        return (
            f"Read as {fitting}, it says {shown!r}. If that looks right, add dataset.encoding={fitting}; others: "
            f"{OTHER_ENCODINGS}."
        )


def read_lines(path: Path, encoding: str, bad: BadRows) -> list[str | None]:
    """The lines of a file without their ends; None for one that cannot be decoded, which goes to `bad`."""
    result: list[str | None] = []
    with text_lines(path, encoding) as lines:
        for number, line in enumerate(lines, 1):
            is_broken = has_surrogates(line)
            if is_broken:
                bad.add_undecodable(path, number, line, encoding)
            result.append(None if is_broken else line.rstrip("\r\n"))
    return result


def read_line_pairs(source: Path, target: Path, encoding: str, bad: BadRows) -> list[tuple[int, str, str]]:
    """(line number, source, target) of two files whose lines belong together.

    Raises:
        DataError: the files differ in their number of lines, so that none of the pairs can be trusted.
    """
    sides = read_lines(source, encoding, bad), read_lines(target, encoding, bad)
    if len(sides[0]) != len(sides[1]):
        shorter = min(len(sides[0]), len(sides[1]))
        longer = source if len(sides[0]) > shorter else target
        raise DataError(
            f"{source} has {len(sides[0])} lines and {target} has {len(sides[1])}: line n of one must be the "
            f"translation of line n of the other.\nThe first line without a partner is {longer}:{shorter + 1}:1. "
            "Since a line may be missing anywhere, none can be skipped: give the files that belong together."
        )
    pairs = []
    for number, (left, right) in enumerate(zip(*sides, strict=True), 1):
        if left is None or right is None:
            continue
        if left.strip() and right.strip():
            pairs.append((number, left, right))
        else:
            bad.add(target if left.strip() else source, number, 1, "empty line")
    return pairs


def has_surrogates(text: str) -> bool:
    """Whether there is a byte in it that could not be decoded."""
    return not text.isascii() and SURROGATE.search(text) is not None


def place_of(raw: str, line: int, offset: int) -> tuple[int, int]:
    """Line and column of a character of a row that begins in a line."""
    before = raw[:offset]
    return line + before.count("\n"), offset - (before.rfind("\n") + 1) + 1


@contextmanager
def text_lines(path: Path, encoding: str) -> Iterator[Iterator[str]]:
    r"""The lines of a file with their ends (\n or \r\n only); undecodable bytes become lone surrogates.

    A file that begins with the mark of UTF-16 is read as such where UTF-8 was expected.

    Raises:
        DataError: the file cannot be read, is no whole gzip file, or is no text.
    """
    with _text(path, encoding) as (stream, move):
        yield _moved(bounded_lines(stream, path), move, LINES_A_MOVE)


@contextmanager
def text_parts(path: Path, encoding: str) -> Iterator[Iterator[str]]:
    """The content of a file in parts of some size, for what is no text of lines. Raises as `text_lines`."""
    with _text(path, encoding) as (stream, move):
        yield _moved(_bounded(lambda: stream.read(PART_CHARACTERS), path), move, 1)


@contextmanager
def _text(path: Path, encoding: str) -> Iterator[tuple[io.TextIOWrapper, Callable[[], None]]]:
    """The text, and a function that says to those who watch how far it has been read."""
    with open_bytes(path) as binary, stage(f"reading {path.name}", path.stat().st_size) as reading:
        head = binary.read(HEAD)
        binary.seek(0)
        refuse_archive(path, head)
        place = (binary.fileobj if isinstance(binary, gzip.GzipFile) else binary).tell
        with text_stream(binary, head, path, encoding) as stream:
            yield stream, lambda: reading.advance(place() - reading.done)


def _moved(parts: Iterator[str], move: Callable[[], None], size: int) -> Iterator[str]:
    """The parts; `move` is called after so many."""
    for number, part in enumerate(parts, 1):
        yield part
        if not number % size:
            move()


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """The content of a file, unpacked where it ends in .gz.

    Raises:
        DataError: the file cannot be read, or is no whole gzip file; also while it is read inside.
    """
    try:
        with path.open("rb") as raw:
            yield cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if path.suffix == ".gz" else raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: not a whole gzip file ({error}). Replace it by an undamaged copy.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}.") from error


@contextmanager
def text_stream(binary: BinaryIO, head: bytes, path: Path, encoding: str) -> Iterator[io.TextIOWrapper]:
    """Bytes as text. `head`: how they begin.

    Raises:
        DataError: they are no text.
    """
    used = text_encoding(head, path, encoding)
    try:
        with io.TextIOWrapper(binary, used, errors="surrogateescape", newline="\n") as stream:
            yield stream
    except UnicodeError as error:
        reason = error.reason if isinstance(error, UnicodeDecodeError) else error
        raise DataError(
            f"{path}: not {encoding} ({reason}). Give the file's encoding by dataset.encoding=..."
        ) from error


def text_encoding(head: bytes, path: Path, encoding: str) -> str:
    """What decodes a file that begins with `head`: the encoding that is given, or that of its mark.

    Raises:
        DataError: it is no text.
    """
    used = marked_encoding(head, encoding)
    if b"\0" in head and not is_wide(used):
        wide = unmarked_wide(head)
        way_out = f"It looks like UTF-16: dataset.encoding={wide}." if wide else "Give a text file."
        raise DataError(f"{path}: is not a text file in {encoding}. {way_out}")
    return used


def refuse_archive(path: Path, head: bytes) -> None:
    """Archives are told by their content and never unpacked: what is inside might write anywhere."""
    kind = next((name for mark, name in TABLE_MARKS if head.startswith(mark)), None)
    if kind is not None:
        raise DataError(f"{path}: is a {kind} file, not text. Let its name end in .{kind}, or convert it to csv.")
    if any(head[offset:].startswith(mark) for offset, mark in ARCHIVE_MARKS):
        raise DataError(f"{path}: is an archive; nothing was unpacked. Unpack it and give the text file inside.")


def bounded_lines(stream: io.TextIOWrapper, path: Path) -> Iterator[str]:
    """The lines of a file, none of which may be too long, within the bounds of `_bounded`."""
    readline, at_most = stream.readline, MAX_LINE_CHARACTERS + 1
    return _bounded(lambda: readline(at_most), path)


def too_long(path: Path, number: int) -> DataError:  # of a line that has more than MAX_LINE_CHARACTERS
    return DataError(f"{path}:{number}: a line of more than {MAX_LINE_CHARACTERS} characters: not a text file.")


def _bounded(read: Callable[[], str], path: Path) -> Iterator[str]:
    """What `read` gives. Of a compressed file: characters, and the memory that rows take, in proportion to its size.

    Ordinary rows take a byte or more when they are compressed, even a sorted list of words takes three.
    """
    is_compressed = path.suffix in COMPRESSED
    fine = MAX_GZIP_RATIO * path.stat().st_size
    limit, row_limit = max(MAX_UNPACKED_ALWAYS_FINE, fine), max(MAX_ROWS_ALWAYS_FINE, fine // ROW_BYTES)
    number = characters = 0
    while part := read():
        number += 1
        length = len(part)
        if length > MAX_LINE_CHARACTERS:
            raise too_long(path, number)
        if is_compressed:
            characters += length
            if characters > limit or number > row_limit:
                what = f"{MAX_GZIP_RATIO} times its size" if characters > limit else f"{row_limit:,} rows"
                size = "" if characters > limit else f" for its {path.stat().st_size} bytes"
                raise DataError(
                    f"{path}: unpacks to more than {what}{size}, which text never does. "
                    "Unpack it yourself if you trust it."
                )
        yield part
