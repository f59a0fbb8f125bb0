"""Text files as lines, gzip or not; what is wrong is named by place.

A place is `file:line:column`, the column a character of the line, both counted from 1.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from attnfocus.errors import DataError

OnBadRow = Literal["fail", "skip"]

EMBEDDED_SETS = ("dates", "languages", "identity")
MAX_LINE_CHARACTERS = 10_000_000  # a longer line means that the file is no text, or meant to exhaust the memory
MAX_GZIP_RATIO = 200  # text shrinks 3 to 20 times; a bomb about 1000 times
MAX_UNPACKED_ALWAYS_FINE = 100_000_000
ROW_BYTES = 250  # of memory that a row takes beside its characters
MAX_ROWS_ALWAYS_FINE = 1_000_000
NUM_SHOWN = 3  # with the first and the last line a message of five

ARCHIVE_HEAD = 512
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
OTHER_ENCODINGS = "dataset.encoding=gb18030 (Chinese), latin-1 (Western Europe) or utf-16"


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
        self._num_undecodable = 0
        self.total = 0

    def add(self, path: Path, line: int, column: int, reason: str) -> None:
        self.total += 1
        if len(self._shown) < NUM_SHOWN:
            self._shown.append(f"{path}:{line}:{column}: {reason}")

    def add_undecodable(self, path: Path, line: int, column: int, character: str, encoding: str) -> None:
        """A row with a byte that is none of the encoding; `character` is its surrogate."""
        self._num_undecodable += 1
        self.add(path, line, column, f"byte 0x{ord(character) & 0xFF:02x} is not {encoding}")

    def finish(self) -> list[str]:
        """Notes for the user.

        Raises:
            DataError: there are bad rows, and they are not to be skipped.
        """
        if not self.total:
            return []
        if not self._skip:
            raise self.error()
        hint = f"; another encoding is {OTHER_ENCODINGS}" if self._num_undecodable == self.total else ""
        return [f"{self._counted()} skipped, the first: {self._shown[0]}{hint}"]

    def error(self) -> DataError:
        """What `finish` raises; for a row that cannot be done without, to be raised at once."""
        shown = "" if self.total <= NUM_SHOWN else f", the first {NUM_SHOWN} of them"
        lines = (f"  {line}" for line in self._shown)
        return DataError("\n".join([f"{self._counted()}{shown}:", *lines, self._remedy or self._way_out()]))

    def _counted(self) -> str:
        return "1 bad row" if self.total == 1 else f"{self.total} bad rows"

    def _way_out(self) -> str:
        encoding = f"Give the encoding of these files: {OTHER_ENCODINGS}."
        if self._num_undecodable == self.total:
            return encoding
        correct = "Correct these rows, or leave them out with dataset.on_bad_row=skip."
        return f"{correct} {encoding}" if self._num_undecodable else correct


def read_lines(path: Path, encoding: str, bad: BadRows) -> list[str | None]:
    """The lines of a file without their ends; None for one that cannot be decoded, which goes to `bad`."""
    result: list[str | None] = []
    with text_lines(path, encoding) as lines:
        for number, line in enumerate(lines, 1):
            broken = SURROGATE.search(line)
            if broken:
                bad.add_undecodable(path, number, broken.start() + 1, broken.group(), encoding)
            result.append(None if broken else line.rstrip("\r\n"))
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


class MissingFileError(DataError):
    """A file that a configuration key names is not there.

    Args:
        key: of the configuration.
        problem: what is at its place, as a sentence.
        way_out: what to do about it in a new run; a run that was saved before has others.
    """

    def __init__(self, key: str, problem: str, way_out: str) -> None:
        super().__init__(f"{problem}\n{way_out}")
        self.key, self.problem, self.way_out = key, problem, way_out

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return type(self), (self.key, self.problem, self.way_out)


def find_file(given: str, key: str) -> Path:
    """The absolute path of a file that a configuration key names.

    Raises:
        MissingFileError: there is no such file.
    """
    path = Path(given).expanduser().absolute()
    if path.is_file():
        return path
    problem = "is a folder, not a file" if path.is_dir() else "does not exist"
    raise MissingFileError(
        key,
        f"{key}={given}: {path} {problem}.",
        "Give a path that is absolute or relative to the current folder. "
        f"Sets that need no file: {', '.join(f'dataset={name}' for name in EMBEDDED_SETS)}.",
    )


@contextmanager
def text_lines(path: Path, encoding: str) -> Iterator[Iterator[str]]:
    r"""The lines of a file with their ends (\n or \r\n only); undecodable bytes become lone surrogates.

    Raises:
        DataError: the file cannot be read, is no whole gzip file, or is no text.
    """
    encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    try:
        with path.open("rb") as raw:
            binary = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
            _refuse_archive(path, binary)
            with io.TextIOWrapper(binary, encoding, errors="surrogateescape", newline="\n") as stream:
                yield _bounded_lines(stream, path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: not a whole gzip file ({error}). Replace it by an undamaged copy.") from error
    except UnicodeError as error:
        reason = error.reason if isinstance(error, UnicodeDecodeError) else error
        raise DataError(
            f"{path}: not {encoding} ({reason}). Give the file's encoding by dataset.encoding=..."
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}.") from error


def _refuse_archive(path: Path, binary: gzip.GzipFile | io.BufferedReader) -> None:
    """Archives are told by their content and never unpacked: what is inside might write anywhere."""
    head = binary.read(ARCHIVE_HEAD)
    binary.seek(0)
    if any(head[offset:].startswith(mark) for offset, mark in ARCHIVE_MARKS):
        raise DataError(f"{path}: is an archive; nothing was unpacked. Unpack it and give the text file inside.")


def _bounded_lines(stream: io.TextIOWrapper, path: Path) -> Iterator[str]:
    """Of a compressed file: characters, and the memory that rows take, in proportion to its size.

    Ordinary rows take a byte or more when they are compressed, even a sorted list of words takes three.
    """
    fine = MAX_GZIP_RATIO * path.stat().st_size
    limit, row_limit = max(MAX_UNPACKED_ALWAYS_FINE, fine), max(MAX_ROWS_ALWAYS_FINE, fine // ROW_BYTES)
    number = characters = 0
    while line := stream.readline(MAX_LINE_CHARACTERS + 1):
        number += 1
        characters += len(line)
        if len(line) > MAX_LINE_CHARACTERS:
            raise DataError(f"{path}:{number}: a line of more than {MAX_LINE_CHARACTERS} characters: not a text file.")
        if path.suffix == ".gz" and (characters > limit or number > row_limit):
            what = f"{MAX_GZIP_RATIO} times its size" if characters > limit else f"{row_limit:,} rows"
            size = "" if characters > limit else f" for its {path.stat().st_size} bytes"
            raise DataError(
                f"{path}: unpacks to more than {what}{size}, which text never does. Unpack it yourself if you trust it."
            )
        yield line
