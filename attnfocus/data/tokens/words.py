"""Words of a text: how many there are, and how separate ones are joined again."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Han with its radicals and extensions, kana, and the full-width forms: written without spaces.
_CJK = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_HAS_CJK = re.compile(f"[{_CJK}]")
_UNITS = re.compile(rf"[{_CJK}]|[^\s{_CJK}]+")

_CLOSING = frozenset(",.;:!?)]}%…»”’'，。！？；：、）】》」』％")
_OPENING = frozenset("([{«“‘$£€#@¿¡（【《「『")
_BOTH = frozenset("/")


def count_words(text: str) -> int:
    """Words separated by spaces; a Chinese or Japanese character counts as one."""
    if text.isascii() or not is_cjk(text):
        return len(text.split())
    return len(_UNITS.findall(text))


def is_cjk(word: str) -> bool:
    """Whether it holds a Chinese or Japanese character."""
    return _HAS_CJK.search(word) is not None


def join_words(words: Iterable[str]) -> str:
    """Words with the spaces that typography wants: punctuation attached, none beside Chinese characters.

    A guess, for words whose spaces nobody has kept.
    """
    parts: list[str] = []
    glue, inside_quotes = True, False
    for word in words:
        cjk = is_cjk(word)
        closes = word in _CLOSING or word in _BOTH or (word == '"' and inside_quotes)
        if not (glue or closes or cjk):
            parts.append(" ")
        parts.append(word)
        glue = cjk or word in _OPENING or word in _BOTH or (word == '"' and not inside_quotes)
        inside_quotes ^= word == '"'
    return "".join(parts)
