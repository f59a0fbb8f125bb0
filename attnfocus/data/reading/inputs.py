"""What a trained model is to answer for: the lines of a file or of standard input."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from attnfocus.data.reading.lines import MAX_LINE_CHARACTERS
from attnfocus.errors import ConfigError


@contextmanager
def open_input(name: str) -> Iterator[Iterator[str]]:
    """The lines of a file or of standard input, without their ends. Bytes that are not UTF-8 become U+FFFD.

    Raises:
        ConfigError: the file cannot be read.
    """
    if name == "-":
        yield _lines(sys.stdin.buffer)
        return
    path = Path(name).expanduser()
    with ExitStack() as stack:
        try:
            opened = gzip.open if path.suffix == ".gz" else open
            binary = stack.enter_context(opened(path, "rb"))
        except OSError as error:
            raise ConfigError(f"input: {path.resolve()} cannot be read: {error.strerror or error}.") from error
        try:
            yield _lines(cast(BinaryIO, binary))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ConfigError(f"input: {path.resolve()} is not a whole gzip file ({error}).") from error


def _lines(binary: BinaryIO) -> Iterator[str]:
    number = 0
    while line := binary.readline(MAX_LINE_CHARACTERS + 1):
        number += 1
        if len(line) > MAX_LINE_CHARACTERS:  # a few bytes of gzip can be a line that fills the memory
            raise ConfigError(f"input: line {number} has more than {MAX_LINE_CHARACTERS} bytes: not a text file.")
        yield line.rstrip(b"\r\n").decode("utf-8", "replace")
