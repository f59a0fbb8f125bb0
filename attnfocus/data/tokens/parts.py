"""Long texts, piece by piece: a vocabulary of them, and their token ids, in memory that does not grow with the text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.text_stream import TextStream
from attnfocus.data.tokens.chunks import KnownChunks, clean_text
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
from attnfocus.data.tokens.utf8_bytes import byte_ids
from attnfocus.special import UNK

MAX_LEARNED = 1 << 25  # characters that words and subwords are learned from
MAX_KNOWN = 200_000  # chunks whose ids are kept
NUM_CODES = 0x110000  # of Unicode


def smallest_type(vocab_size: int) -> np.dtype[Any]:
    """Of unsigned integers that hold all ids."""
    return np.min_scalar_type(vocab_size - 1)


def tokenizer_of(stream: TextStream, options: TokenizerOptions) -> Tokenizer:
    """The tokenizer of a long text.

    Characters are counted in all of it; words and subwords are learned from pieces that are spread over it; bytes are
    the same for every text.
    """
    if options.kind == "character":
        return Tokenizer.of_chunks(_character_counts(stream, lowercase=options.lowercase), options)
    step = _step(stream, options)
    return Tokenizer.train((piece.text for number, piece in enumerate(stream.pieces()) if not number % step), options)


def sampling_notes(stream: TextStream, options: TokenizerOptions) -> list[str]:
    """A line where a vocabulary is learned from a part of the text."""
    step = _step(stream, options)
    return [f"the vocabulary is learned from one in {step} pieces, spread over train"] if step > 1 else []


def _step(stream: TextStream, options: TokenizerOptions) -> int:
    """Which pieces a vocabulary is learned from: one of so many."""
    return 1 if options.kind in ("character", "bytes") else max(1, -(-stream.num_characters // MAX_LEARNED))


def _character_counts(stream: TextStream, *, lowercase: bool) -> dict[str, int]:
    counts = np.zeros(NUM_CODES, dtype=np.int64)
    for piece in stream.pieces():
        codes = _codes(clean_text(piece.text, lowercase))
        some = np.bincount(codes)
        counts[: len(some)] += some
    return {chr(code): int(counts[code]) for code in np.flatnonzero(counts).tolist()}


class PartEncoder:
    """The ids of the pieces of a long text: joined, those of the whole, but for words, around which blanks are lost."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.dtype = smallest_type(tokenizer.vocab_size)
        self._tokenizer = tokenizer
        self._known: KnownChunks | None = None
        if tokenizer.kind == "character":
            self._table = np.full(NUM_CODES, UNK, dtype=self.dtype)
            for number, token in enumerate(tokenizer.vocabulary):
                if len(token) == 1:
                    self._table[ord(token)] = number
        elif tokenizer.is_subword:
            self._known = tokenizer.known_chunks(self.dtype, MAX_KNOWN)

    def __call__(self, text: str, *, begins: bool) -> NDArray[Any]:
        """The ids (L,) of a piece; `begins`: nothing of its document stands before it."""
        text = clean_text(text, self._tokenizer.lowercase)
        if self._tokenizer.kind == "character":
            return self._table[_codes(text)]
        if self._tokenizer.kind == "bytes":
            return byte_ids(text)
        if self._known is not None:
            return np.frombuffer(self._subwords(self._known, text, begins=begins), self.dtype)
        return np.array(self._tokenizer.encode(text), dtype=self.dtype)

    @staticmethod
    def _subwords(known: KnownChunks, text: str, *, begins: bool) -> bytes:
        if begins:
            return b"".join(known.pieces(f" {text}")) if text else b""
        size = next((place for place, character in enumerate(text) if character.isspace()), len(text))
        first = text[:size]  # of a text without blanks, which was cut inside a chunk
        return b"".join([known.ids_of(first), *known.pieces(text[len(first) :])])


def _codes(text: str) -> NDArray[np.uint32]:
    """The code points of a text (L,)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def encoded_parts(stream: TextStream, tokenizer: Tokenizer) -> Iterator[tuple[NDArray[Any], bool, bool]]:
    """The ids of each piece of a text, and whether a document begins and ends with it."""
    encode = PartEncoder(tokenizer)
    for piece in stream.pieces():
        yield encode(piece.text, begins=piece.begins), piece.begins, piece.ends
