"""The ids of chunks that have been split before."""

from __future__ import annotations

from typing import Any

import numpy as np
import tokenizers

from attnfocus.data.tokens.vocabulary import CHUNK

MAX_KNOWN = 2_000_000  # chunks, some hundred MB


class KnownChunks(dict[str, bytes]):
    """Chunk of a text -> its ids as bytes. A word that begins with no blank stands for itself after a single one."""

    def __init__(self, engine: tokenizers.Tokenizer, dtype: np.dtype[Any], is_subword: bool) -> None:
        super().__init__()
        self._engine = engine
        self._dtype = dtype
        self._is_subword = is_subword

    def __missing__(self, chunk: str) -> bytes:
        if len(self) >= MAX_KNOWN:
            self.clear()
        text = f" {chunk}" if self._is_subword and not chunk[0].isspace() else chunk
        ids = self._engine.encode(text, add_special_tokens=False).ids
        self[chunk] = encoded = np.array(ids, self._dtype).tobytes()
        return encoded

    def chunks(self, prepared: str) -> list[str]:
        """The chunks of a text; where it is all words with one space before each, which is quickly seen, the words."""
        if self._is_subword:
            words = prepared.split()
            if f" {' '.join(words)}" == prepared:
                return words
        return CHUNK.findall(prepared)
