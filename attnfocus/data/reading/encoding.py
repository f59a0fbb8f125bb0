"""How the bytes of a text file become characters: by the encoding that is given, unless the first bytes say another."""

from __future__ import annotations

import codecs
import io
import re

from attnfocus.errors import ConfigError

HEAD_BYTES = 4096  # of a file, by which it is recognized
ESCAPE = "attnfocus.escape"  # what decodes undecodable bytes; to be given as `errors`
SURROGATE = re.compile("[\ud800-\udfff]")  # what `ESCAPE` makes of a byte that cannot be decoded

_MARKS = (  # of the order of bytes; that of UTF-32 begins as that of UTF-16 does
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_WIDE = ("utf16", "utf32", "u16", "u32")  # encodings whose texts hold NUL bytes
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def require_encoding(key: str, name: str) -> None:
    """Refuses a name that is none of an encoding of text.

    Raises:
        ConfigError: it is unknown, or of something else than text, such as base64.
    """
    try:
        io.TextIOWrapper(io.BytesIO(), name)
    except LookupError:
        raise ConfigError(
            f"{key}={name}: unknown encoding. Give one such as utf-8, latin-1, gb18030 or utf-16."
        ) from None


def encoding_of(head: bytes, given: str) -> str | None:
    """What a file is decoded by, of which `head` are the first bytes; None for one that is no text.

    A mark of the order of bytes counts more than what is given. NUL bytes occur in UTF-16 alone, which is recognized
    without a mark too, and in UTF-32.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if given.lower().replace("-", "").replace("_", "").startswith(_WIDE) or b"\0" not in head:
        return given
    # Digits, blanks and ends of lines have their NUL second where the low byte comes first.
    likely = "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
    return likely if _is_plain(head, likely) else None


def _is_plain(head: bytes, encoding: str) -> bool:
    """Whether the bytes are text in this encoding, without characters that steer a terminal."""
    text = head[: len(head) // 2 * 2].decode(encoding, ESCAPE)
    return _CONTROL.search(text[:-1] or text) is None  # the last may be cut in two


def _escape(error: UnicodeError) -> tuple[str, int]:
    r"""Each byte as a lone surrogate, as `surrogateescape` does, but also those below 0x80 of wide encodings."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(ESCAPE, _escape)
