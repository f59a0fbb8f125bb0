"""Long texts in windows of so many tokens, each of which is predicted from those before it in its window."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.clean import CleanOptions, clean_text
from attnfocus.data.codecs.base import Encoded
from attnfocus.data.codecs.packed import EncodedExamples
from attnfocus.data.codecs.sequence import SequenceCodec
from attnfocus.data.rows import Row
from attnfocus.data.split import SplitOptions
from attnfocus.data.text_stream import Documents, TextStream
from attnfocus.data.tokens.parts import encoded_parts, smallest_type, tokenizer_of
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
from attnfocus.errors import DataError, Problem
from attnfocus.limits import NumContext, NumTokens
from attnfocus.special import BOS, EOS, PAD, UNK
from attnfocus.stages import stage

DEFAULT_WINDOW = 128
PART = 1 << 20  # tokens that are looked at together
MAX_IN_MEMORY = 1 << 26  # bytes of ids; more lie in a temporary file


class WindowExamples(EncodedExamples):
    """Windows of documents: window j of a document x_0, x_1, ... of T + 1 tokens reads x_{jW}, ..., x_{jW + W - 1}, and
    x_{jW + 1}, ..., x_{jW + W} are expected, as far as there are such.

    Each token but x_0 is expected once. In training the borders lie s tokens to the left, 0 <= s < W, by a shift that
    is a function of (seed, epoch): the first window has W - s tokens. The number of windows stays the same: of a split
    that is one text up to W - 1 tokens at its end are left out in some epochs; of several documents nothing is, as the
    shift is at most by what the last window lacks.

    Args:
        split: its name, which those of the windows begin with.
        ids: all tokens, one document after the other, of any integer type.
        ends: (D,) where each document ends in `ids`; each has two tokens or more.
        window: W.
        tokenizer: for the texts of rows.
        context: C, tokens that are read before those of a window; nothing is expected after them but the first of it.
        first: the first token of each document that a window reads. Below C some windows have a shorter context.
    """

    def __init__(
        self,
        split: str,
        ids: NDArray[Any],
        ends: NDArray[np.int64],
        window: int,
        tokenizer: Tokenizer,
        *,
        context: int = 0,
        first: int = 0,
    ) -> None:
        self._ids = ids
        self._ends = ends
        self._window = window
        self._context, self._first = context, first
        self._targets = np.diff(ends, prepend=0) - 1 - first  # (D,) T of each
        self._last = np.cumsum(-(-self._targets // window))  # (D,) windows up to and with each document
        self.rows = WindowRows(split, self, tokenizer)
        self.alike = context + min(window, int(self._targets[0])) if len(ends) == 1 else None
        self._shift: tuple[tuple[int, int], int] = (0, 0), 0

    @property
    def num_windows(self) -> int:
        return int(self._last[-1])

    def notes(self, split: str) -> list[str]:
        """How many tokens and windows there are, and how many tokens the vocabulary does not hold."""
        parts = (self._ids[start : start + PART] for start in range(0, len(self._ids), PART))
        unknown = sum(int((part == UNK).sum()) for part in parts)
        of_all = f"{split}: {len(self._ids):,} tokens in {self.num_windows:,} windows"
        if unknown:
            of_all += f", {unknown:,} of them unknown: they do not occur in train, or too rarely"
        return [of_all]

    def drawn(self, number: int, seed: int, epoch: int) -> Encoded:
        return self._encoded(number, self._shift_of(seed, epoch))

    def drawn_lengths(self, seed: int, epoch: int) -> NDArray[np.int64]:
        found = self.lengths[:, 0].copy()
        if self.alike is None:  # several documents: what the first window of one has less, the last has more
            counts = -(-self._targets // self._window)
            shifts = self._shift_of(seed, epoch) % (counts * self._window - self._targets + 1)
            several = counts > 1
            found[(self._last - counts)[several]] -= shifts[several]
            found[(self._last - 1)[several]] += shifts[several]
        return found

    def _shift_of(self, seed: int, epoch: int) -> int:
        if self._shift[0] != (seed, epoch):
            found = np.random.default_rng([seed, epoch, self._window, 0]).integers(self._window)
            self._shift = (seed, epoch), int(found)
        return self._shift[1]

    @property
    def lengths(self) -> NDArray[np.int64]:
        if self.alike is not None:
            return np.broadcast_to(np.array([self.alike, 0], dtype=np.int64), (len(self), 2))
        found = np.full(self.num_windows, self._window, dtype=np.int64)
        found[self._last - 1] = (self._targets - 1) % self._window + 1
        return np.stack([found, np.zeros_like(found)], axis=1)

    def tokens(self, number: int, shift: int = 0) -> tuple[NDArray[np.int64], int]:
        """What a window reads, and the one token more that it expects at its end; how many of them are context."""
        number = range(self.num_windows)[number]
        document = int(np.searchsorted(self._last, number, "right"))
        size, end = int(self._targets[document]), int(self._ends[document])
        place = number - (int(self._last[document - 1]) if document else 0)
        num_windows = -(-size // self._window)
        if num_windows == 1:
            shift = 0
        elif len(self._ends) > 1:
            shift %= num_windows * self._window - size + 1
        first = max(place * self._window - shift, 0)
        last = min((place + 1) * self._window - shift, size)
        base = end - size - 1
        context = min(self._context, self._first + first)
        return self._ids[base + first - context : base + last + 1].astype(np.int64), context

    def _encoded(self, index: int, shift: int = 0) -> Encoded:
        (ids, context), row = self.tokens(index, shift), self.rows[index]
        targets, count = ids[1:].copy() if context else ids[1:], len(ids) - 1 - context
        targets[:context] = PAD
        return Encoded(row.id, ids[:-1], targets, count, row, count)


class WindowRows(Sequence[Row]):
    """The windows of a split as texts, made when they are asked for."""

    def __init__(self, split: str, windows: WindowExamples, tokenizer: Tokenizer) -> None:
        self._split = split
        self._windows = windows
        self._tokenizer = tokenizer

    def __len__(self) -> int:
        return self._windows.num_windows

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        text = self._tokenizer.decode(self._windows.tokens(number)[0][:-1].tolist())
        return Row(f"{self._split}:{number + 1}", text, "")


class WindowCodec(SequenceCodec):
    """Long texts in windows of `window` tokens.

    Args:
        documents: `whole`: one text, without BOS and EOS: windows run on over all of it; else each document is read
            from BOS on, to its EOS.
        context: tokens that are read before each window.
    """

    kind = "windows"

    def __init__(self, tokenizer: Tokenizer, window: int, documents: Documents, context: int = 0) -> None:
        super().__init__(tokenizer)
        self.window = window
        self.documents = documents
        self._context = context

    @classmethod
    def learn(
        cls,
        rows: Sequence[Row],
        tokenizer: TokenizerOptions,
        *,
        window: NumTokens = DEFAULT_WINDOW,
        context: NumContext = 0,
    ) -> WindowCodec:
        """`window`: tokens that a window reads, and predicts. `context`: tokens that are read before each window.

        Raises:
            DataError: a context for a text of several documents.
        """
        stream = _stream_of(rows)
        if context and stream.documents != "whole":
            text = (
                f"dataset.codec.context={context}: is read before each window of one long text, and each document "
                "begins anew. Use dataset.codec.context=0, or dataset.documents=whole."
            )
            raise DataError(Problem(text, "dataset.codec.context", ["dataset.codec.context=0"]))
        return cls(tokenizer_of(stream, tokenizer), window, stream.documents, context)

    @property
    def context(self) -> int:
        return self._context

    @classmethod
    def longest_input(cls, options: Mapping[str, Any]) -> int | None:
        return int(options.get("window", DEFAULT_WINDOW)) + int(options.get("context", 0))

    def encode_rows(self, rows: Sequence[Row]) -> WindowExamples:
        """A split in windows.

        Raises:
            DataError: it has less than two tokens; or train, where it is one text, less than a window needs.
        """
        stream = _stream_of(rows)
        ids, ends = self._encoded(stream)
        if len(ids) < 2:
            raise DataError(
                f"dataset.{stream.split}: has {len(ids)} tokens; the first is only read, so that two are needed. Give "
                "a longer text."
            )
        is_train = stream.split == "train"
        if is_train and not self.has_end and len(ids) <= self.reach:
            fitting = max(1, (len(ids) - 1) // 4)
            options = [f"dataset.codec.window={fitting}"]
            options += [f"dataset.codec.context={min(self.context, fitting)}"] if self.context else []
            raise DataError(
                Problem(
                    f"dataset.train: has {len(ids):,} tokens, and one window takes {self.reach + 1:,}. Give a longer "
                    f"text, or shorter windows: {' '.join(options)}.",
                    "dataset.codec.window",
                    options,
                )
            )
        first = self.context if is_train else 0  # in training all windows have the whole context
        how = {"context": self.context, "first": first}
        return WindowExamples(stream.split, ids, ends, self.window, self.tokenizer, **how)

    def encode_input(self, text: str, id: str, clean: CleanOptions | None = None) -> Encoded:
        """A text that is to be gone on with: of a longer one as many tokens are read as with a window."""
        text = text if clean is None else clean_text(text, clean)
        begin = [BOS] if self.has_end else []
        ids = np.array([*begin, *self.tokenizer.encode(text)][-self.reach :], dtype=np.int64)
        return Encoded(id, ids, np.full_like(ids, PAD), len(ids), Row(id, text, ""), 0)

    @property
    def reach(self) -> int:
        return self.window + self.context

    @property
    def has_end(self) -> bool:
        return self.documents != "whole"

    def predicted_text(self, row: Row, inputs: Sequence[int], targets: Sequence[int]) -> str:
        context = next((place for place, token in enumerate(targets) if token != PAD), 0)
        return self.continued(inputs[context : context + 1], targets[context:])

    @classmethod
    def option_problems(
        cls, clean: CleanOptions, split: SplitOptions, tokenizer: TokenizerOptions
    ) -> list[str | Problem]:
        """What drops, moves or strips rows, of which there are none."""
        others = {
            "clean.strip": (clean.strip, False),
            "clean.deduplicate": (clean.deduplicate, False),
            "clean.min_words": (clean.min_words > 1, 1),
            "clean.max_words": (clean.max_words, "null"),
            "clean.max_words_ratio": (clean.max_words_ratio, "null"),
            "clean.max_train_rows": (clean.max_train_rows, "null"),
            "split.folds": (split.folds, "null"),
            "tokenizer.shared": (tokenizer.shared, False),
        }
        problems: list[str | Problem] = []
        for name, (is_set, usual) in others.items():
            if is_set:
                line = f"dataset.{name}={str(usual).lower()}"
                text = f"dataset.{name}: is for sets of rows, and a long text is kept to the letter. Use {line}."
                problems.append(Problem(text, f"dataset.{name}", [line]))
        if tokenizer.kind == "torchtext":
            text = "dataset.tokenizer.kind: torchtext is for rows of texts. Use character, bytes, bpe, unigram or word."
            problems.append(Problem(text, "dataset.tokenizer.kind", ["dataset.tokenizer.kind=character"]))
        return problems

    def save(self, directory: Path) -> None:
        self.tokenizer.save(directory / "tokenizer.json")
        self.write(directory, window=self.window, documents=self.documents, context=self.context)

    @classmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> WindowCodec:
        window, documents, context = content["window"], content["documents"], content.get("context", 0)  # younger
        if type(window) is not int or window < 1 or documents not in Documents.__args__:  # type: ignore[attr-defined]
            raise ValueError(f"window {window!r} or documents {documents!r} are none")
        if type(context) is not int or context < 0:
            raise ValueError(f"context {context!r} is no number of tokens")
        return cls(Tokenizer.load(directory / "tokenizer.json"), window, documents, context)

    def _encoded(self, stream: TextStream) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """All tokens of a split, with BOS and EOS around its documents where there are several; where each ends."""
        dtype = smallest_type(self.tokenizer.vocab_size)
        ends, size = [], 0
        first, last = np.array([BOS], dtype).tobytes(), np.array([EOS], dtype).tobytes()
        with tempfile.TemporaryFile() as file, stage(f"encoding {stream.split}") as encoding:
            for ids, begins, is_end in encoded_parts(stream, self.tokenizer):
                content = ids.tobytes()
                if self.has_end:
                    content = (first if begins else b"") + content + (last if is_end else b"")
                size += file.write(content) // dtype.itemsize
                encoding.advance(len(ids))
                if is_end:
                    ends.append(size)
            file.flush()
            file.seek(0)
            if size * dtype.itemsize > MAX_IN_MEMORY:
                found = np.asarray(np.memmap(file, dtype, "r", shape=(size,)))
            else:
                found = np.frombuffer(file.read(), dtype)
        return found, np.array(ends, dtype=np.int64)


def _stream_of(rows: Sequence[Row]) -> TextStream:
    if not isinstance(rows, TextStream):
        raise DataError(
            "dataset.codec: windows are cut out of long texts, and this source gives single rows. Leave dataset.codec "
            "out, or let the source give a TextStream for each split (attnfocus.data.text_stream)."
        )
    return rows
