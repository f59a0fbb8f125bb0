"""A text and its number."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attnfocus.data.clean import CleanOptions, clean_text
from attnfocus.data.codecs.base import Encoded
from attnfocus.data.codecs.number import NO_NUMBER, NumberCodec, Scale
from attnfocus.data.codecs.one_text import OneTextCodec
from attnfocus.data.codecs.packed import PackedExamples
from attnfocus.data.codecs.text import texts_of
from attnfocus.data.rows import Row
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions


class TextNumberCodec(NumberCodec, OneTextCodec):
    """A text and its number."""

    kind = "text_number"

    def __init__(self, tokenizer: Tokenizer, scale: Scale) -> None:
        super().__init__(scale)
        self.tokenizer = tokenizer

    @classmethod
    def learn(cls, rows: Sequence[Row], tokenizer: TokenizerOptions) -> TextNumberCodec:
        scale = cls.scale_of(rows)
        return cls(Tokenizer.train(texts_of(rows), tokenizer, keeps_spaces=False), scale)

    def dims(self) -> dict[str, int | None]:
        return {"vocab_size": self.tokenizer.vocab_size, "input_dim": None, "num_classes": 1}

    def encode_rows(self, rows: Sequence[Row]) -> PackedExamples:
        return self.encoded_texts(rows, array("d"), self.target_of)

    def encode_input(self, text: str, id: str, clean: CleanOptions | None = None) -> Encoded:
        row = Row(id, text if clean is None else clean_text(text, clean), "")
        return self.encoded_texts([row], array("d"), lambda row: NO_NUMBER)[0]

    def save(self, directory: Path) -> None:
        self.tokenizer.save(directory / "tokenizer.json")
        self.write(directory, target_scale=list(self.scale))

    @classmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> TextNumberCodec:
        return cls(Tokenizer.load(directory / "tokenizer.json"), Scale.saved(content))
