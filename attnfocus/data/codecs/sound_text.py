"""A recording, as frames of log-mel energies, and the text that is said in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self, get_args

import numpy as np

from attnfocus.data.clean import CleanOptions, clean_text
from attnfocus.data.codecs.base import Encoded
from attnfocus.data.codecs.frames import Frames
from attnfocus.data.codecs.sound import SoundCodec, plain_path
from attnfocus.data.codecs.written import WrittenCodec
from attnfocus.data.gold import TokenLinks, tokens_at
from attnfocus.data.rows import Row
from attnfocus.data.text_rows import targets_of
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
from attnfocus.data.tokens.words import count_words
from attnfocus.data.tokens.writing import Writing, writing_of
from attnfocus.special import BOS, EOS


class SoundTextCodec(SoundCodec, WrittenCodec):
    """A recording and its text. Where a row has as many regions as its text has words, region n is that of word n."""

    kind = "sound_text"
    target_is_text: ClassVar[bool] = True

    def __init__(self, target_tokenizer: Tokenizer, target_writing: Writing | None = None) -> None:
        self.target_tokenizer, self.target_writing = target_tokenizer, target_writing

    @classmethod
    def clean(cls, row: Row, options: CleanOptions) -> Row:
        target = clean_text(row.target, options)
        return row if target == row.target else replace(row, target=target)

    @classmethod
    def of_frames(cls, frames: Frames, rows: Sequence[Row], tokenizer: TokenizerOptions) -> Self:
        codec = cls(Tokenizer.train(targets_of(rows), tokenizer), writing_of(targets_of(rows)))
        codec.use(frames)
        return codec

    def dims(self) -> dict[str, int | None]:
        return {
            "source_vocab_size": None,
            "input_dim": self.grid.input_dim,
            "target_vocab_size": self.target_tokenizer.vocab_size,
        }

    def lengths(self, row: Row) -> tuple[int, int]:
        return super().lengths(row)[0], len(self._ids(row.target))

    def encode(self, row: Row, generator: np.random.Generator | None = None) -> Encoded:
        vectors = self.vectors(row, generator)
        targets = np.array(self._ids(row.target), dtype=np.int64)
        return Encoded(row.id, vectors, targets, len(vectors) + count_words(row.target), row)

    def _ids(self, text: str) -> list[int]:
        return [BOS, *self.target_tokenizer.encode(text), EOS]

    def encode_input(self, text: str, id: str, clean: CleanOptions | None = None) -> Encoded:
        """`text` is the path of a recording."""
        return self.encode(Row(id, plain_path(text), ""))

    def tokenizers(self) -> Mapping[str, Tokenizer]:
        return {"target": self.target_tokenizer}

    def links(self, row: Row) -> TokenLinks | None:
        """Each token of a word with all positions of the word's region. None of them is sure: one is enough."""
        words, at = row.target.split(), tokens_at(row.target, self.target_tokenizer)
        if not row.regions or len(words) != len(row.regions) or at is None:
            return None
        found, start = set[tuple[int, int]](), 0
        for word, span in zip(words, self.spans(row), strict=True):
            start = row.target.index(word, start)
            tokens = {token for place in range(start, start + len(word)) for token in at[place]}
            found |= {(token, position) for token in tokens for position, lies in enumerate(span) if lies}
            start += len(word)
        return TokenLinks(frozenset(found), frozenset())

    def rationale(self, row: Row) -> tuple[bool, ...] | None:
        return None  # regions are those of words, not of a class

    def save(self, directory: Path) -> None:
        self.target_tokenizer.save(directory / "target_tokenizer.json")
        writing = {} if self.target_writing is None else {"target_writing": self.target_writing}
        self.write(directory, **writing, **self.saved())

    @classmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> Self:
        writing = content.get("target_writing")
        if writing is not None and writing not in get_args(Writing):
            raise ValueError("target_writing is not a known value")
        return cls(Tokenizer.load(directory / "target_tokenizer.json"), writing).load_inputs(content)
