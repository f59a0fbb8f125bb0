"""A text and its translation."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, get_args

from attnfocus.data.clean import CleanOptions, clean_text
from attnfocus.data.codecs.base import Encoded
from attnfocus.data.codecs.packed import PackedExamples, shown
from attnfocus.data.codecs.text import TextCodec, texts_of
from attnfocus.data.codecs.written import WrittenCodec
from attnfocus.data.gold import TokenLinks, token_links
from attnfocus.data.row_words import merged_counts, row_words, without_words
from attnfocus.data.rows import Row
from attnfocus.data.text_blocks import INPUT, TARGET
from attnfocus.data.text_rows import targets_of
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions, learns_from_words
from attnfocus.data.tokens.words import count_words
from attnfocus.data.tokens.writing import Writing, writing_of, writing_of_words
from attnfocus.special import BOS, EOS

FIELDS = (INPUT, TARGET)


class TextPairCodec(TextCodec, WrittenCodec):
    """A text and its translation. Give the same tokenizer twice for one shared vocabulary.

    `target_writing` is how the targets of train are written; None: nobody has noted it, in a run of an older version.
    """

    kind = "text_pair"
    target_is_text: ClassVar[bool] = True

    def __init__(
        self, source_tokenizer: Tokenizer, target_tokenizer: Tokenizer, target_writing: Writing | None = None
    ) -> None:
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer
        self.target_writing = target_writing

    @classmethod
    def learn(cls, rows: Sequence[Row], tokenizer: TokenizerOptions) -> TextPairCodec:
        words = row_words(rows, FIELDS) if learns_from_words(tokenizer) else None
        writing = writing_of(targets_of(rows)) if words is None else writing_of_words(words.counts(TARGET))

        def learned(*fields: int) -> Tokenizer:
            if words is not None:
                return Tokenizer.of_words(merged_counts(words, fields), tokenizer)
            texts = (texts_of(rows) if field == INPUT else targets_of(rows) for field in fields)
            return Tokenizer.train(chain.from_iterable(texts), tokenizer)

        if tokenizer.shared:
            shared = learned(INPUT, TARGET)
            return cls(shared, shared, writing)
        return cls(learned(INPUT), learned(TARGET), writing)

    @property
    def is_shared(self) -> bool:
        """Whether source and target have one vocabulary."""
        return self.source_tokenizer is self.target_tokenizer

    def dims(self) -> dict[str, int | None]:
        return {
            "source_vocab_size": self.source_tokenizer.vocab_size,
            "target_vocab_size": self.target_tokenizer.vocab_size,
        }

    def encode_rows(self, rows: Sequence[Row]) -> PackedExamples:
        is_subword = self.source_tokenizer.is_subword and self.target_tokenizer.is_subword
        words = row_words(rows, FIELDS) if is_subword else None
        if words is not None:
            without_words(rows)
            num_words = words.num_words()
            source_ids = words.id_lists(INPUT, self.source_tokenizer)
            return PackedExamples(
                rows, source_ids, words.id_lists(TARGET, self.target_tokenizer, [BOS], [EOS]), num_words
            )
        sources, targets = self.source_tokenizer.packer(), self.target_tokenizer.packer([BOS], [EOS])
        counts = array("q")
        for text, target in shown(zip(texts_of(rows), targets_of(rows), strict=True), len(rows)):
            sources.add(text)
            targets.add(target)
            counts.append(count_words(text) + count_words(target))
        return PackedExamples(rows, sources.lists(), targets.lists(), counts)

    def encode_input(self, text: str, id: str, clean: CleanOptions | None = None) -> Encoded:
        return self.encode(Row(id, text if clean is None else clean_text(text, clean), ""))

    def input_tokens(self, inputs: Iterable[Any]) -> list[str]:
        return self.source_tokens(inputs)

    def source_tokens(self, ids: Iterable[Any]) -> list[str]:
        return self.source_tokenizer.tokens(int(i) for i in ids)

    def tokenizers(self) -> Mapping[str, Tokenizer]:
        return {"source": self.source_tokenizer, "target": self.target_tokenizer}

    def links(self, row: Row) -> TokenLinks | None:
        return token_links(row, self.source_tokenizer, self.target_tokenizer)

    def save(self, directory: Path) -> None:
        self.source_tokenizer.save(directory / "source_tokenizer.json")
        if not self.is_shared:
            self.target_tokenizer.save(directory / "target_tokenizer.json")
        writing = {} if self.target_writing is None else {"target_writing": self.target_writing}
        self.write(directory, shared=self.is_shared, **writing)

    @classmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> TextPairCodec:
        source = Tokenizer.load(directory / "source_tokenizer.json")
        shared = content["shared"]
        if type(shared) is not bool:
            raise ValueError("shared is neither true nor false")
        writing = content.get("target_writing")
        if writing is not None and writing not in get_args(Writing):
            raise ValueError("target_writing is not a known value")
        return cls(source, source if shared else Tokenizer.load(directory / "target_tokenizer.json"), writing)
