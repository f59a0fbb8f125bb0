"""Files that are UTF-8 where that of the run's own files is expected, which may be another."""

from __future__ import annotations

import codecs
from pathlib import Path

from attnfocus.data.reading.lines import open_bytes

_READ_BYTES = 1 << 20
_MAX_READ = 32 * _READ_BYTES  # a text of another encoding shows itself long before


def utf_8_note(path: Path, encoding: str, key: str) -> str | None:
    """A warning that a file is UTF-8 and not what it is read as; None: it may well be that.

    Args:
        encoding: that of the run's own files.
        key: what says otherwise on the command line.

    Raises:
        DataError: the file cannot be read.
    """
    if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig") or not _is_utf_8(path):
        return None
    return (
        f"warning: {path.name} is read as {encoding}, as this run's own files, but its bytes are UTF-8. To read it so: "
        f"{key}=utf-8"
    )


def _is_utf_8(path: Path) -> bool:
    """Whether the beginning of a file is UTF-8, and not ASCII alone, which reads the same in most encodings."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    has_foreign = False
    size = 0
    with open_bytes(path) as binary:
        while size < _MAX_READ:
            part = binary.read(_READ_BYTES)
            size += len(part)
            try:
                text = decoder.decode(part, final=not part)
            except UnicodeDecodeError:
                return False
            has_foreign = has_foreign or not text.isascii()
            if not part:
                break
    return has_foreign
