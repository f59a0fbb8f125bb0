"""A user's items in their order, each to be predicted from those before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.clean import CleanOptions
from attnfocus.data.codecs.base import Encoded
from attnfocus.data.codecs.packed import shown
from attnfocus.data.codecs.sequence import SequenceCodec, SequenceExamples
from attnfocus.data.codecs.text import text_of, texts_of
from attnfocus.data.rows import Row
from attnfocus.data.split import SplitOptions
from attnfocus.data.tokens.id_lists import IdLists, places_of
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
from attnfocus.errors import Problem
from attnfocus.limits import NumTokens
from attnfocus.special import BOS, PAD, SPECIAL_TOKENS

DEFAULT_ITEMS = 50


class HistoryCodec(SequenceCodec):
    """Items x_1, ..., x_n: BOS, x_1, ..., x_{n-1} are read, and x_1, ..., x_n expected; no end is.

    Of a row with an answer the answer alone is expected. Of longer histories the last `max_items` are read. An item
    that train does not have is UNK.

    Args:
        counts: (V,) how often train has each item.
        max_items: the most items that are read.
    """

    kind = "history"

    def __init__(self, tokenizer: Tokenizer, counts: NDArray[np.int64], max_items: int) -> None:
        super().__init__(tokenizer)
        self.counts = counts
        self.max_items = max_items

    @classmethod
    def learn(
        cls, rows: Sequence[Row], tokenizer: TokenizerOptions, *, max_items: NumTokens = DEFAULT_ITEMS
    ) -> HistoryCodec:
        """`max_items`: the last items of a history that are read."""
        learned = Tokenizer.train(texts_of(rows), tokenizer)
        packer = learned.packer([], [])
        for text in texts_of(rows):
            packer.add(text)
        counts = np.bincount(packer.lists().flat, minlength=learned.vocab_size).astype(np.int64)
        return cls(learned, counts, max_items)

    @classmethod
    def longest_input(cls, options: Mapping[str, Any]) -> int | None:
        return int(options.get("max_items", DEFAULT_ITEMS))

    @classmethod
    def clean(cls, row: Row, options: CleanOptions) -> Row:
        """Names of items are no texts: they stay as they are."""
        return row

    @classmethod
    def option_problems(
        cls, clean: CleanOptions, split: SplitOptions, tokenizer: TokenizerOptions
    ) -> list[str | Problem]:
        """What would drop users, or take the names of items apart."""
        others = {
            "clean.deduplicate": (clean.deduplicate, False),
            "split.folds": (split.folds, "null"),
            "tokenizer.kind": (tokenizer.kind != "whitespace", "whitespace"),
            "tokenizer.lowercase": (tokenizer.lowercase, False),
        }
        problems: list[str | Problem] = []
        for name, (is_set, usual) in others.items():
            if is_set:
                line = f"dataset.{name}={str(usual).lower()}"
                text = f"dataset.{name}: is for texts, and a history is a list of items. Use {line}."
                problems.append(Problem(text, f"dataset.{name}", [line]))
        return problems

    @property
    def items(self) -> NDArray[np.int64]:
        """The ids of all items that train has."""
        return np.arange(len(SPECIAL_TOKENS), self.tokenizer.vocab_size)

    @cached_property
    def names(self) -> list[str]:
        """Of all tokens, by their ids: `tokenizer.tokens`."""
        return self.tokenizer.tokens(range(self.tokenizer.vocab_size))

    def seen(self, row: Row) -> list[int]:
        """The ids of the items before the answer; of a row without one, of all."""
        text = text_of(row)
        return self.item_ids(text[: row.answers[0][0]] if row.answers else text)

    def item_ids(self, text: str) -> list[int]:
        """`tokenizer.encode` of names with blanks between them, by a table of names."""
        found = list[int]()
        for name in text.split(" "):
            id = self._ids.get(name)
            found += self.tokenizer.encode(name) if id is None else [id]
        return found

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {name: int(id) for name, id in zip(self.names[-len(self.items) :], self.items, strict=True)}

    def encode_rows(self, rows: Sequence[Row]) -> SequenceExamples:
        packer = self.tokenizer.packer([BOS], [])
        for text in shown(texts_of(rows), len(rows)):
            packer.add(text)
        whole = packer.lists()
        pairs = whole.lengths - 1  # (what is read last, what is expected) of each row
        kept = np.minimum(pairs, self.max_items)
        places = places_of(whole.ends - 1 - kept, kept)
        ends = np.cumsum(kept)
        expected = whole.flat[places + 1].copy()
        for number, row in enumerate(rows):
            if row.answers:
                expected[ends[number] - kept[number] : ends[number] - 1] = PAD
        answered = np.array([bool(row.answers) for row in rows], dtype=bool)
        counts = np.where(answered, np.minimum(kept, 1), kept)
        inputs = IdLists(whole.flat[places], ends)
        return SequenceExamples(rows, inputs, IdLists(expected, ends), kept.astype(np.int32), counts)

    def encode_input(self, text: str, id: str, clean: CleanOptions | None = None) -> Encoded:
        """Items with blanks between them, the newest last; none is an input too: the model begins."""
        ids = np.array([BOS, *self.item_ids(text)][-self.max_items :], dtype=np.int64)
        return Encoded(id, ids, np.full_like(ids, PAD), len(ids), Row(id, text, ""), 0)

    @property
    def reach(self) -> int:
        return self.max_items

    @property
    def has_end(self) -> bool:
        return False

    def save(self, directory: Path) -> None:
        self.tokenizer.save(directory / "tokenizer.json")
        self.write(directory, max_items=self.max_items, counts=self.counts.tolist())

    @classmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> HistoryCodec:
        tokenizer = Tokenizer.load(directory / "tokenizer.json")
        max_items, counts = content["max_items"], content["counts"]
        if type(max_items) is not int or max_items < 1:
            raise ValueError(f"max_items {max_items!r} is no number of items")
        if not isinstance(counts, list) or len(counts) != tokenizer.vocab_size:
            raise ValueError("counts are not those of the items")
        return cls(tokenizer, np.array(counts, dtype=np.int64), max_items)
