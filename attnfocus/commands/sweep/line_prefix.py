"""Lines of several programs on one screen: each says whose it is."""

import io
from typing import TextIO


class Prefixed(io.TextIOBase):
    """A stream whose lines go to another, each whole, at once, and with a prefix. It is no terminal.

    Args:
        stream: where the lines go.
        prefix: what each begins with.
    """

    def __init__(self, stream: TextIO, prefix: str) -> None:
        self._stream = stream
        self._prefix = prefix
        self._begun = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream behind."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        *whole, self._begun = (self._begun + text).split("\n")
        lines = "".join(f"{self._prefix}{line}\n" for line in whole if line.strip())
        if lines:
            self._stream.write(lines)
            self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Nothing: a line is passed on when it ends."""
