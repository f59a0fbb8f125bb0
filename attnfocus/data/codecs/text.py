"""What codecs of texts have in common."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import ClassVar, Literal

from attnfocus.data.clean import CleanOptions, clean_texts, is_clean_block
from attnfocus.data.codecs.base import Codec
from attnfocus.data.rows import Row
from attnfocus.data.text_blocks import INPUT, TextBlock
from attnfocus.data.text_rows import OfInput, TextRows
from attnfocus.data.tokens.equality import token_keys
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.data.tokens.words import count_words
from attnfocus.errors import DataError


class TextCodec(Codec):
    """Rows whose input is a text. `target_is_text`: the target is one too, and is cleaned and measured like it."""

    input_kind: ClassVar[Literal["text", "vectors"]] = "text"
    target_is_text: ClassVar[bool] = False

    @classmethod
    def fits(cls, row: Row) -> bool:
        return isinstance(row.input, str)

    @classmethod
    def clean(cls, row: Row, options: CleanOptions) -> Row:
        return clean_texts(row, options, target_is_text=cls.target_is_text)

    @classmethod
    def is_clean(cls, block: TextBlock, options: CleanOptions) -> bool:
        own, common = (cls.clean, cls.has_content), (TextCodec.clean, TextCodec.has_content)
        is_common = all(left.__func__ is right.__func__ for left, right in zip(own, common, strict=True))  # type: ignore[attr-defined]
        return is_common and is_clean_block(block, options)

    @classmethod
    def has_content(cls, row: Row) -> bool:
        return bool(text_of(row).strip() and row.target.strip())

    @classmethod
    def input_keys(cls, rows: Iterable[Row], tokenizer: TokenizerOptions) -> Callable[[Row], Hashable]:
        same = token_keys((text for row in rows if isinstance(text := cls.input_key(row), str)), tokenizer)
        if cls.has_plain_keys():
            return OfInput(None if same is str else same, cls.input_key)

        def key(row: Row) -> Hashable:
            text = cls.input_key(row)
            return same(text) if isinstance(text, str) else text

        return key

    @classmethod
    def sizes(cls, row: Row) -> tuple[int, ...]:
        size = count_words(text_of(row))
        return (size, count_words(row.target)) if cls.target_is_text else (size,)

    def check(self, split: str, rows: Sequence[Row], notes: Sequence[str] = ()) -> None:
        if not isinstance(rows, TextRows) or type(self).input_problem is not TextCodec.input_problem:
            super().check(split, rows, notes)  # row by row, which is clear of texts

    def input_problem(self, row: Row) -> str | None:
        return None if self.fits(row) else "a sequence of vectors, where the model reads text"


def texts_of(rows: Sequence[Row]) -> Iterator[str]:
    """The inputs of rows. Raises as `text_of`."""
    return rows.texts(INPUT) if isinstance(rows, TextRows) else map(text_of, rows)


def text_of(row: Row) -> str:
    """The row's input.

    Raises:
        DataError: it is no text.
    """
    if not isinstance(row.input, str):
        raise DataError(f"row {row.id}: a sequence of vectors, where a text is needed.")
    return row.input
