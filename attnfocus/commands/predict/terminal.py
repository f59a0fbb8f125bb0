"""A text on the terminal that grows while it is written."""

from __future__ import annotations

from types import TracebackType
from typing import BinaryIO

CUT = "\N{REPLACEMENT CHARACTER}"  # as the last character: bytes to come may make another one of it


class GrowingText:
    """Writes what is new of a text, each time that it has grown.

    An exception in the middle (Ctrl-C) leaves what is there, and ends its line.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._written = b""

    def __enter__(self) -> GrowingText:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and self._written and not self._written.endswith(b"\n"):
            self._stream.write(b"\n")
            self._stream.flush()

    def show(self, text: str) -> None:
        """The text as it is now."""
        self._grow(text.removesuffix(CUT).encode("utf-8", "backslashreplace"))

    def finish(self, content: bytes) -> None:
        """The whole of it, as it is written where nobody watches."""
        if not content.startswith(self._written):
            self._stream.write(b"\n")
            self._written = b""
        self._grow(content)

    def _grow(self, content: bytes) -> None:
        if content.startswith(self._written):
            self._stream.write(content[len(self._written) :])
            self._stream.flush()
            self._written = content
