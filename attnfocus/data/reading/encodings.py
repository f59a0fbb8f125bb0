"""Which encoding bytes are in: by their mark, or by trying what they would read as."""

from __future__ import annotations

import codecs
import io
import re

from attnfocus.errors import ConfigError

_MARKS = (  # the longer first: the mark of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HIGH = re.compile(rb"[\x80-\xff]")
_HIGH_RUNS = re.compile(rb"[\x80-\xff]{2,}")
_COMMON_CHINESE = re.compile(rb"[\xa1-\xa3\xb0-\xd7][\xa1-\xfe]")  # punctuation and the 3,755 characters of level 1
_KANA = re.compile("[\u3041-\u30fe]")
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_MOST = 0.8
_SOME = 0.3
_SHOWN_BEFORE, _SHOWN_AFTER = 6, 14  # characters around the first that is not ASCII


def require_encoding(key: str, name: str) -> None:
    """Refuses a name that is none of an encoding.

    Raises:
        ConfigError: it is unknown, or of something else than text, such as base64.
    """
    try:
        io.TextIOWrapper(io.BytesIO(), name)
    except LookupError:
        raise ConfigError(
            f"{key}={name}: unknown encoding. Give one such as utf-8, latin-1, gb18030 or utf-16."
        ) from None


def marked_encoding(head: bytes, encoding: str) -> str:
    """The encoding to read a file by that begins with `head`, where the user has named one.

    A mark of UTF-16 or UTF-32 can be no beginning of UTF-8 text: the file is what its mark says.
    """
    if codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig"):
        return encoding
    return next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8-sig")


def is_wide(encoding: str) -> bool:
    """Whether ordinary text has NUL bytes in it."""
    return b"\0" in "a".encode(encoding)


def undecodable_bytes(raw: str, encoding: str) -> bytes:
    """The bytes that text with surrogates was made of; none of an encoding whose ordinary text holds NUL bytes."""
    return b"" if is_wide(encoding) else raw.encode(encoding, "surrogateescape")


def unmarked_wide(head: bytes) -> str | None:
    """The UTF-16 that bytes with NULs in them are in, where every second byte of them is NUL; None: something else."""
    even, odd = (head[start::2].count(0) / max(1, len(head) // 2) for start in (0, 1))
    if len(head) < 4 or max(even, odd) < _MOST or min(even, odd) > 1 - _MOST:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def fitting_encoding(content: bytes, given: str) -> str:
    """The encoding that bytes are in which are not what was given. The last resort, latin-1, reads everything."""
    fitting = (name for name in ("utf-8", "gb18030", "shift_jis", "cp1251", "cp1252") if _fits(name, content))
    return next((name for name in fitting if codecs.lookup(name) != codecs.lookup(given)), "latin-1")


def shown_in(content: bytes, encoding: str) -> str:
    """The bytes around the first that is not ASCII, as text in an encoding."""
    first = _HIGH.search(content)
    before = content[: first.start()].decode("ascii")[-_SHOWN_BEFORE:] if first else ""
    after = content[first.start() if first else 0 :].decode(encoding, "replace")[:_SHOWN_AFTER]
    return " ".join((before + after).split())


def _fits(encoding: str, content: bytes) -> bool:
    """Whether bytes read as text of the languages that an encoding is for."""
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return False
    high = len(_HIGH.findall(content))
    foreign = sum(not character.isascii() for character in text)
    if encoding == "gb18030":
        return 2 * len(_COMMON_CHINESE.findall(content)) >= _MOST * high
    if encoding == "shift_jis":
        return len(_KANA.findall(text)) >= _SOME * foreign
    if encoding == "cp1251":  # words of high bytes alone; in Western text they stand one by one
        in_runs = sum(len(run) for run in _HIGH_RUNS.findall(content))
        return len(_CYRILLIC.findall(text)) >= _MOST * foreign and in_runs >= _MOST * high
    return True
