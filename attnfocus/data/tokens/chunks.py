"""Texts in chunks, which come again and again, so that each is split once and counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray

from attnfocus.data.tokens.id_lists import places_of

# Blanks and what follows up to the next ones; no kind makes a token that reaches across. \x1c to \x1f are blanks for
# Python alone.
CHUNK = re.compile("[^\\S\x1c-\x1f]*[\\S\x1c-\x1f]+|[^\\S\x1c-\x1f]+")

_SURROGATES = re.compile("[\ud800-\udfff]")

MAX_KNOWN = 2_000_000  # chunks, some hundred MB
MAX_CHUNK = 100  # characters of one that may come again: a text without blanks is one chunk


def clean_text(text: str, lowercase: bool) -> str:
    """The text that is split: half a surrogate pair, which is no character, becomes U+FFFD."""
    if not text.isascii():
        text = _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)
    return text.lower() if lowercase else text


def lowered_spans(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans of characters of the lower-cased text as spans of the text itself."""
    if len(text.lower()) == len(text):
        return spans
    origin = [place for place, character in enumerate(text) for _ in character.lower()] + [len(text)]
    return [(origin[start], origin[end - 1] + 1 if end > start else origin[start]) for start, end in spans]


def subword_chunks(text: str) -> list[str]:
    """The chunks of a text that begins with a space, for `spelled`.

    Where all are words with one space before each, which is quickly seen, these are the bare words.
    """
    words = text.split()
    return words if f" {' '.join(words)}" == text else CHUNK.findall(text)


def spelled(chunk: str) -> str:
    """The chunk that a member of `subword_chunks` stands for."""
    return chunk if chunk[0].isspace() else f" {chunk}"


def chunk_counts(texts: Iterable[str], *, is_subword: bool) -> Counter[str]:
    """How often each chunk occurs. `is_subword`: all texts begin with a space."""
    if not is_subword:
        return Counter(chain.from_iterable(map(CHUNK.findall, texts)))
    counts: Counter[str] = Counter()
    for chunk, count in Counter(chain.from_iterable(map(subword_chunks, texts))).items():
        counts[spelled(chunk)] += count
    return counts


class ChunkIds:
    """The ids of numbered chunks, in one array.

    Attributes:
        flat: the ids of all chunks, one after the other.
        sizes: (V,) how many ids each chunk has.
    """

    def __init__(self, encoded: Iterable[bytes], dtype: np.dtype[Any]) -> None:
        parts = list(encoded)
        self.flat = np.frombuffer(b"".join(parts), dtype)
        self.sizes = np.fromiter(map(len, parts), np.int64, len(parts)) // dtype.itemsize
        self._starts = np.cumsum(self.sizes) - self.sizes

    def of(self, numbers: NDArray[np.int32], sizes: NDArray[np.int64]) -> NDArray[Any]:
        """The ids of some chunks, one after the other; `sizes` is `self.sizes[numbers]`."""
        return self.flat[places_of(self._starts[numbers], sizes)]


class KnownChunks(dict[str, bytes]):
    """Chunk of a text -> its ids, as bytes of the type `dtype`; at most `max_known` are kept, no long ones."""

    def __init__(
        self, engine: tokenizers.Tokenizer, dtype: np.dtype[Any], *, is_subword: bool, max_known: int = MAX_KNOWN
    ) -> None:
        super().__init__()
        self._max_known = max_known
        self._engine = engine
        self._dtype = dtype
        self._is_subword = is_subword

    def __missing__(self, chunk: str) -> bytes:
        if len(self) >= self._max_known:
            self.clear()
        encoded = self.ids_of(spelled(chunk) if self._is_subword else chunk)
        if len(chunk) <= MAX_CHUNK:
            self[chunk] = encoded
        return encoded

    def ids_of(self, text: str) -> bytes:
        """The ids of a text as it stands."""
        return np.array(self._engine.encode(text, add_special_tokens=False).ids, self._dtype).tobytes()

    def pieces(self, text: str) -> list[bytes]:
        """The ids of a text in parts."""
        chunks = subword_chunks(text) if self._is_subword else CHUNK.findall(text)
        return list(map(self.__getitem__, chunks))
