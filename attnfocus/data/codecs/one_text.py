"""What codecs have in common whose input is one text and whose target is one number: of a class, or itself."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from attnfocus.data.codecs.packed import PackedExamples, shown
from attnfocus.data.codecs.text import TextCodec, text_of
from attnfocus.data.gold import token_rationale
from attnfocus.data.rows import Row
from attnfocus.data.tokens.tokenizer import Tokenizer
from attnfocus.data.tokens.words import count_words


class OneTextCodec(TextCodec):
    """A text, by a tokenizer."""

    tokenizer: Tokenizer

    def input_tokens(self, inputs: Iterable[Any]) -> list[str]:
        return self.tokenizer.tokens(int(i) for i in inputs)

    def tokenizers(self) -> Mapping[str, Tokenizer]:
        return {"source": self.tokenizer}

    def rationale(self, row: Row) -> tuple[bool, ...] | None:
        return token_rationale(row, self.tokenizer)

    def encoded_texts(
        self, rows: Sequence[Row], targets: array[Any], target_of: Callable[[Row], float]
    ) -> PackedExamples:
        """Rows with what `target_of` says of each; `targets` is empty, of the type that holds it."""
        inputs, num_words = self.tokenizer.packer(), array("q")
        for row in shown(rows, len(rows)):
            text = text_of(row)
            inputs.add(text)
            targets.append(target_of(row))
            num_words.append(count_words(text))
        return PackedExamples(rows, inputs.lists(), targets, num_words)
