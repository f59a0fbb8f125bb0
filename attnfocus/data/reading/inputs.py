"""What a trained model is to answer for: texts of the command line, lines, or a column of a table.

Each is read as training reads its files, one after another: memory holds no more than a few of them. One that cannot be
read is there all the same, marked, so that answer n belongs to input n.
"""

from __future__ import annotations

import codecs
import glob
import gzip
import io
import select
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from attnfocus.data.reading.data_files import DATA_ENDINGS, MissingFileError, find_files
from attnfocus.data.reading.encodings import undecodable_bytes
from attnfocus.data.reading.lines import MAX_LINE_CHARACTERS, SURROGATE, refuse_archive, text_encoding
from attnfocus.data.reading.media_files import media_in
from attnfocus.errors import ConfigError, DataError, Problem
from attnfocus.files import near_file

BYTES_AT_ONCE = 65_536
STDIN = "-"
STDIN_PATH = Path("standard input")  # what it is called


@dataclass(frozen=True, slots=True)
class Input:
    """One input. `problem`: why it cannot be read; None where it can.

    `id` is the number of the line where it begins, or of the text among several. `undecodable`: the bytes of its
    line, where these are not in the encoding. `target`: what is right, where that stands beside it.
    """

    id: str
    text: str
    problem: str | None = None
    undecodable: bytes = field(default=b"", compare=False, repr=False)
    target: str = ""


def numbered(texts: Sequence[str]) -> Iterator[Input]:
    """Texts that were given one by one."""
    return (Input(str(number), text) for number, text in enumerate(texts, 1))


def is_stream(name: str) -> bool:
    """Whether it is standard input, or another pipe, of which everything can be read only once."""
    return name == STDIN or not Path(name).expanduser().is_file()


def input_files(given: str | Sequence[str]) -> list[str]:
    """The names of the files of inputs, or `-` alone: of a list, a pattern, a folder of tables or images each once.

    Raises:
        ConfigError: there is none, or standard input is one of several.
    """
    if isinstance(given, str) and not _is_several(given):
        require_input(given)
        return [given]
    if isinstance(given, str) and Path(given).expanduser().is_dir() and (media := media_in(Path(given).expanduser())):
        return list(map(str, media))
    if not isinstance(given, str) and STDIN in given:
        raise ConfigError(f"input: {STDIN} is standard input, which is read alone. Leave it out of the list.")
    try:
        return [str(found) for found in find_files(given, "input")]
    except MissingFileError as error:
        raise ConfigError(error.said(error.way_out)) from error
    except DataError as error:
        raise ConfigError(str(error)) from error


def _is_several(name: str) -> bool:
    path = Path(name).expanduser()
    return path.is_dir() or (glob.has_magic(name) and not path.exists())


def require_input(name: str) -> None:
    """Refuses a file that is not there, without opening it: a pipe opens only once.

    Raises:
        ConfigError: there is none.
    """
    path = Path(name).expanduser()
    if name != STDIN and not path.exists():
        near = near_file(path, DATA_ENDINGS)
        meant = str(Path(name).with_name(near)) if near else ""
        way_out = f"Did you mean {meant}?" if near else "Give a file, or input=- for standard input."
        text = f"input: {path.absolute()}: file not found. {way_out}"
        raise ConfigError(Problem(text, "input", [f"input={meant}"] if near else None))


@contextmanager
def open_bytes(name: str) -> Iterator[io.BufferedReader]:
    """A file, unpacked where it ends in .gz, or standard input (`-`).

    Raises:
        ConfigError: it cannot be read.
    """
    if name == STDIN:
        yield cast(io.BufferedReader, sys.stdin.buffer)
        return
    path = Path(name).expanduser()
    with ExitStack() as stack:
        try:
            opened = gzip.open if path.suffix == ".gz" else open
            binary = stack.enter_context(opened(path, "rb"))
        except OSError as error:
            raise ConfigError(f"input: {path.resolve()} cannot be read: {error.strerror or error}.") from error
        try:
            yield cast(io.BufferedReader, binary)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ConfigError(f"input: {path.resolve()} is not a whole gzip file ({error}).") from error


def inputs_of_lines(binary: io.BufferedReader, path: Path, encoding: str) -> Iterator[Input | None]:
    """Each line as an input. None says that no further one has arrived yet: a program may be waiting for answers.

    Args:
        path: for messages.

    Raises:
        DataError: it is no text.
    """
    number = 0
    for line in lines_of(binary, path, encoding):
        if line is None:
            yield None
            continue
        number += 1
        yield _input_of_line(str(number), line.rstrip("\r\n"), encoding)


def _input_of_line(id: str, line: str, encoding: str) -> Input:
    broken = SURROGATE.search(line)
    if broken is None:
        return Input(id, line)
    problem = f"byte 0x{ord(broken.group()) & 0xFF:02x} in column {broken.start() + 1} is not {encoding}"
    return Input(id, SURROGATE.sub("\N{REPLACEMENT CHARACTER}", line), problem, undecodable_bytes(line, encoding))


def lines_of(binary: io.BufferedReader, path: Path, encoding: str) -> Iterator[str | None]:
    r"""Lines with their ends (\n or \r\n only), as they arrive; undecodable bytes become lone surrogates.

    None says that no further line has arrived yet.

    Raises:
        DataError: it is no text.
    """
    chunk = binary.read1(BYTES_AT_ONCE)
    refuse_archive(path, chunk)
    decoder = codecs.getincrementaldecoder(text_encoding(chunk, path, encoding))("surrogateescape")
    number, size, parts, is_owing = 1, 0, list[str](), False
    while True:
        *ends, after = _decoded(decoder, chunk, path, encoding).split("\n")
        for end in ends:
            _check_length(size + len(end), number)
            yield "".join([*parts, end, "\n"])
            number, size, parts, is_owing = number + 1, 0, [], True
        size += len(after)
        parts.append(after)
        _check_length(size, number)
        if not chunk:
            break
        if is_owing and not _has_more(binary):
            yield None
            is_owing = False
        chunk = binary.read1(BYTES_AT_ONCE)
    if size:
        yield "".join(parts)


def _decoded(decoder: codecs.IncrementalDecoder, chunk: bytes, path: Path, encoding: str) -> str:
    try:
        return decoder.decode(chunk, final=not chunk)
    except UnicodeError as error:  # of UTF-16, such as a missing mark: no line by itself is to blame
        raise DataError(f"{path}: not {encoding} ({error}). Give the encoding of the input: encoding=...") from error


def _has_more(binary: io.BufferedReader) -> bool:
    """Whether a read returns at once: with more, or since the input has ended."""
    try:
        return bool(select.select([binary], [], [], 0)[0])
    except io.UnsupportedOperation:
        return True  # in memory
    except (OSError, ValueError):
        return False  # a system that does not say: answered piece by piece, as it is read


def _check_length(length: int, number: int) -> None:
    if length > MAX_LINE_CHARACTERS:  # a few bytes of gzip can be a line that fills the memory
        raise ConfigError(f"input: line {number} has more than {MAX_LINE_CHARACTERS} characters: not a text file.")
