"""A text of which a language model predicts every token, or those of the answers in it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.clean import CleanOptions, clean_text
from attnfocus.data.codecs.base import Encoded
from attnfocus.data.codecs.packed import EncodedExamples, PackedExamples, shown
from attnfocus.data.codecs.text import TextCodec, text_of, texts_of
from attnfocus.data.gold import TokenLinks
from attnfocus.data.rows import Links, Row
from attnfocus.data.tokens.id_lists import IdLists
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
from attnfocus.data.tokens.utf8_bytes import byte_sizes
from attnfocus.errors import DataError
from attnfocus.special import BOS, EOS, PAD


class SequenceExamples(PackedExamples):
    """Texts in numbers: of each the ids that are read, and what is expected after each of them.

    Args:
        target_counts: (N,) how many tokens of each row are predicted; the others are PAD in `targets`.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        inputs: IdLists,
        targets: IdLists,
        num_words: array[int] | NDArray[np.int32],
        target_counts: NDArray[np.int64],
    ) -> None:
        super().__init__(rows, inputs, targets, num_words)
        self.target_counts = target_counts

    def _encoded(self, index: int) -> Encoded:
        count = int(self.target_counts[index])
        row, targets = self.rows[index], self._targets[index]
        return Encoded(row.id, self._inputs[index], targets, int(self._num_words[index]), row, count)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N, 2): positions of each row, and 0: what is expected takes no room of its own."""
        inputs = self._inputs.lengths
        return np.stack([inputs, np.zeros_like(inputs)], axis=1)


class SequenceCodec(TextCodec):
    """A text x_1, ..., x_n: BOS, x_1, ..., x_n are read, and x_1, ..., x_n, EOS expected.

    Of a row with `answers` the tokens of these alone are expected. What is expected nowhere is PAD.
    """

    kind = "sequence"

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    @classmethod
    def clean(cls, row: Row, options: CleanOptions) -> Row:
        """The places of answers count, so that a row with answers stays as it is."""
        return row if row.answers else super().clean(row, options)

    @classmethod
    def has_content(cls, row: Row) -> bool:
        return bool(row.input)

    @classmethod
    def fingerprint(cls, row: Row) -> bytes:
        return repr((row.input, row.target, row.answers)).encode("utf-8", "surrogatepass")

    @classmethod
    def named_fingerprint(cls, row: Row) -> bytes:
        return cls.fingerprint(row)

    @classmethod
    def learn(cls, rows: Sequence[Row], tokenizer: TokenizerOptions) -> SequenceCodec:
        return cls(Tokenizer.train(texts_of(rows), tokenizer))

    def dims(self) -> dict[str, int | None]:
        return {"vocab_size": self.tokenizer.vocab_size}

    def encode_rows(self, rows: Sequence[Row]) -> EncodedExamples:
        packer = self.tokenizer.packer([BOS], [EOS])
        for text in shown(texts_of(rows), len(rows)):
            packer.add(text)
        whole = packer.lists()  # BOS ... EOS: what is read is all but the last, what is expected all but the first
        ends = whole.ends - np.arange(1, len(rows) + 1)
        firsts, lasts = _starts(whole.ends), whole.ends - 1
        inputs = IdLists(np.delete(whole.flat, lasts), ends)
        expected = np.delete(whole.flat, firsts)
        for number, row in enumerate(rows):
            if row.answers:
                start = ends[number - 1] if number else 0
                part = expected[start : ends[number]]
                part[~self._is_answer(row, len(part))] = PAD
        counts = (
            np.add.reduceat((expected != PAD).astype(np.int64), _starts(ends)) if len(rows) else np.zeros(0, np.int64)
        )
        lengths = inputs.lengths.astype(np.int32)
        return SequenceExamples(rows, inputs, IdLists(expected, ends), lengths, counts)

    def encode_input(self, text: str, id: str, clean: CleanOptions | None = None) -> Encoded:
        """A text that is to be gone on with. An empty one is an input too: the model begins."""
        text = text if clean is None else clean_text(text, clean)
        ids = np.array([BOS, *self.tokenizer.encode(text)], dtype=np.int64)
        return Encoded(id, ids, np.full_like(ids, PAD), len(ids), Row(id, text, ""), 0)

    @property
    def reach(self) -> int | None:
        """The most tokens that texts were read in during training; None: texts as a whole."""
        return None

    @property
    def context(self) -> int:
        """In training, how many tokens each example reads first, without a loss or a gradient."""
        return 0

    @property
    def has_end(self) -> bool:
        """Whether EOS stands at the end of a text."""
        return True

    def predicted_text(self, row: Row, inputs: Sequence[int], targets: Sequence[int]) -> str:
        """The text of the tokens that are expected after those that are read, where none of them is left out."""
        return text_of(row)

    def predicted_size(self, row: Row, inputs: Sequence[int], targets: Sequence[int]) -> tuple[int, int]:
        """Characters, and bytes of UTF-8, of that text; of one that is cut into bytes, each counts where it begins."""
        if self.tokenizer.kind == "bytes":
            return byte_sizes(targets)
        text = self.predicted_text(row, inputs, targets)
        return len(text), len(text.encode("utf-8", "surrogatepass"))

    def continued(self, ids: Sequence[int], more: Sequence[int]) -> str:
        """What is written after the text of `ids`, the space between them included."""
        if self.tokenizer.kind == "bytes":  # a cut character before it would change how the first bytes are written
            return self.tokenizer.decode(more)
        before, whole = self.tokenizer.decode(ids), self.tokenizer.decode([*ids, *more])
        return whole[len(before) :] if whole.startswith(before) else self.tokenizer.decode(more)

    def input_tokens(self, inputs: Iterable[Any]) -> list[str]:
        return self.tokenizer.tokens(int(i) for i in inputs)

    def tokenizers(self) -> Mapping[str, Tokenizer]:
        return {"source": self.tokenizer}

    def links(self, row: Row) -> TokenLinks | None:
        """What each answer rests on: (place that predicts a token of an answer, place of the evidence)."""
        if not row.alignment or not row.answers:
            return None
        spans, answer_of = self._spans(row), _answer_at(row)

        def linked(pairs: Links) -> frozenset[tuple[int, int]]:
            found = set()
            for of_target, of_input in pairs:
                queries = spans.covering(*row.answers[answer_of[of_target]])
                keys = spans.covering(of_input, of_input + 1)
                found |= {(query, key + 1) for query in queries for key in keys}  # key 0 is BOS
            return frozenset(found)

        return TokenLinks(linked(row.alignment), linked(row.alignment if row.sure is None else row.sure))

    def save(self, directory: Path) -> None:
        self.tokenizer.save(directory / "tokenizer.json")
        self.write(directory)

    @classmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> SequenceCodec:
        return cls(Tokenizer.load(directory / "tokenizer.json"))

    def _spans(self, row: Row) -> _Spans:
        if self.tokenizer.kind == "torchtext":
            raise DataError(
                "dataset.tokenizer.kind=torchtext: the answers of this set stand at known characters, and torchtext "
                "does not tell which token covers a character. Use dataset.tokenizer.kind=whitespace."
            )
        return _Spans(*np.array(self.tokenizer.character_spans(text_of(row)), dtype=np.int64).reshape(-1, 2).T)

    def _is_answer(self, row: Row, size: int) -> NDArray[np.bool_]:
        """(size,): which of the tokens that are expected belong to an answer."""
        found, spans = np.zeros(size, dtype=bool), self._spans(row)
        for start, end in row.answers:
            found[spans.covering(start, end)] = True
        return found


class _Spans(NamedTuple):
    """The characters [start, end) that the tokens of a text cover."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def covering(self, start: int, end: int) -> range:
        """The tokens that cover any of the characters [start, end)."""
        first, last = np.searchsorted(self.ends, start, "right"), np.searchsorted(self.starts, end, "left")
        return range(int(first), int(last))


def _starts(ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where lists begin that end here."""
    return np.concatenate(([0], ends[:-1])).astype(np.int64)


def _answer_at(row: Row) -> list[int]:
    """For each character of the target, which is the answers joined by blanks, the number of its answer."""
    sizes = [end - start for start, end in row.answers]
    found = [number for number, size in enumerate(sizes) for _ in range(size + 1)]  # a blank goes with what precedes it
    return found[: len(row.target)]
