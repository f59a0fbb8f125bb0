"""What a trained model is to answer for: the lines of a file or of standard input."""

import gzip
import io
import select
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast

from attnfocus.data.reading.lines import MAX_LINE_CHARACTERS
from attnfocus.errors import ConfigError

BYTES_AT_ONCE = 65_536


@contextmanager
def open_input(name: str) -> Iterator[Iterator[str | None]]:
    """The lines of a file or of standard input, without their ends. Bytes that are not UTF-8 become U+FFFD.

    None says that no further line has arrived yet: whoever writes into a pipe may be waiting for answers.

    Raises:
        ConfigError: the file cannot be read.
    """
    if name == "-":
        yield _lines(cast(io.BufferedReader, sys.stdin.buffer))
        return
    path = Path(name).expanduser()
    with ExitStack() as stack:
        try:
            opened = gzip.open if path.suffix == ".gz" else open
            binary = stack.enter_context(opened(path, "rb"))
        except OSError as error:
            raise ConfigError(f"input: {path.resolve()} cannot be read: {error.strerror or error}.") from error
        try:
            yield _lines(cast(io.BufferedReader, binary))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ConfigError(f"input: {path.resolve()} is not a whole gzip file ({error}).") from error


def _lines(binary: io.BufferedReader) -> Iterator[str | None]:
    number, rest, is_owing = 0, bytearray(), False
    while True:
        if is_owing and not _has_more(binary):
            yield None
            is_owing = False
        chunk = binary.read1(BYTES_AT_ONCE)
        *ends, after = chunk.split(b"\n")
        for end in ends:
            number += 1
            line, rest = rest + end, bytearray()
            _check_length(line, number)
            yield line.rstrip(b"\r").decode("utf-8", "replace")
            is_owing = True
        rest += after
        _check_length(rest, number + 1)
        if not chunk:
            break
    if rest:
        yield rest.rstrip(b"\r").decode("utf-8", "replace")


def _has_more(binary: io.BufferedReader) -> bool:
    """Whether a read returns at once: with more, or since the input has ended."""
    try:
        return bool(select.select([binary], [], [], 0)[0])
    except io.UnsupportedOperation:
        return True  # in memory
    except (OSError, ValueError):
        return False  # a system that does not say: answered piece by piece, as it is read


def _check_length(line: bytearray, number: int) -> None:
    if len(line) > MAX_LINE_CHARACTERS:  # a few bytes of gzip can be a line that fills the memory
        raise ConfigError(f"input: line {number} has more than {MAX_LINE_CHARACTERS} bytes: not a text file.")
