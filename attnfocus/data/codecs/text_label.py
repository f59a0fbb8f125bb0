"""A text and its class."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attnfocus.data.clean import CleanOptions, clean_text
from attnfocus.data.codecs.base import Encoded
from attnfocus.data.codecs.label import NO_LABEL, LabelCodec, saved_labels
from attnfocus.data.codecs.one_text import OneTextCodec
from attnfocus.data.codecs.packed import PackedExamples
from attnfocus.data.codecs.text import texts_of
from attnfocus.data.row_words import row_words, without_words
from attnfocus.data.rows import Row
from attnfocus.data.text_blocks import INPUT
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions, learns_from_words


class TextLabelCodec(LabelCodec, OneTextCodec):
    """A text and its class. `labels` in the order of the classes."""

    kind = "text_label"

    def __init__(self, tokenizer: Tokenizer, labels: Sequence[str]) -> None:
        super().__init__(labels)
        self.tokenizer = tokenizer

    @classmethod
    def learn(cls, rows: Sequence[Row], tokenizer: TokenizerOptions) -> TextLabelCodec:
        labels = cls.labels_of(rows)
        words = row_words(rows, [INPUT]) if learns_from_words(tokenizer) else None
        if words is not None:
            return cls(Tokenizer.of_words(words.counts(INPUT), tokenizer), labels)
        return cls(Tokenizer.train(texts_of(rows), tokenizer, keeps_spaces=False), labels)

    def dims(self) -> dict[str, int | None]:
        return {"vocab_size": self.tokenizer.vocab_size, "input_dim": None, "num_classes": len(self.labels)}

    def encode_rows(self, rows: Sequence[Row]) -> PackedExamples:
        words = row_words(rows, [INPUT]) if self.tokenizer.is_subword else None
        if words is None:
            return self.encoded_texts(rows, array("q"), self.class_of)
        without_words(rows)
        classes, counts = self.classes_of(rows), words.num_words()
        return PackedExamples(rows, words.id_lists(INPUT, self.tokenizer), classes, counts)

    def encode_input(self, text: str, id: str, clean: CleanOptions | None = None) -> Encoded:
        row = Row(id, text if clean is None else clean_text(text, clean), "")
        return self.encoded_texts([row], array("q"), lambda row: NO_LABEL)[0]

    def save(self, directory: Path) -> None:
        self.tokenizer.save(directory / "tokenizer.json")
        self.write(directory, labels=self.labels)

    @classmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> TextLabelCodec:
        return cls(Tokenizer.load(directory / "tokenizer.json"), saved_labels(content))
