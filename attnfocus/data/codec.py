"""Rows to numbers and back. A codec is saved with the run, so that a trained model is usable on its own."""

from __future__ import annotations

import difflib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.rows import Row
from attnfocus.data.tokens.tokenizer import Tokenizer, read_json
from attnfocus.data.tokens.words import count_words
from attnfocus.errors import CheckpointError, DataError
from attnfocus.special import BOS, EOS

FORMAT_VERSION = 1
CODEC_FILE = "codec.json"
NO_LABEL = -1  # the target of an input that is only to be predicted: no class, so that a loss on it fails


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """One example in numbers.

    Args:
        inputs: token ids (L,) int64, without BOS and EOS, or vectors (L, D) float32. L may be 0.
        targets: token ids (T,) int64 from BOS to EOS, or the number of the class.
        num_words: words of source and target, for throughput; of vectors, the positions.
        row: where it came from.
    """

    id: str
    inputs: NDArray[Any]
    targets: NDArray[np.int64] | int
    num_words: int
    row: Row


class Codec(ABC):
    """What turns rows into numbers and back."""

    kind: ClassVar[str]

    @abstractmethod
    def dims(self) -> dict[str, int | None]:
        """The sizes that a model's constructor needs, by the names of its parameters."""

    @abstractmethod
    def encode_rows(self, rows: Sequence[Row]) -> list[Encoded]:
        """Many rows at once, which is faster than one by one.

        Raises:
            DataError: a row that does not fit: an unknown label, vectors of the wrong size.
        """

    @abstractmethod
    def encode_input(self, text: str, id: str) -> Encoded:
        """An input without a target, to be predicted."""

    @abstractmethod
    def input_tokens(self, inputs: Iterable[Any]) -> list[str]:
        """One string per position of the input, for display."""

    @abstractmethod
    def save(self, directory: Path) -> None:
        """Write what `load_codec` reads into a folder that exists."""

    @classmethod
    @abstractmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> Codec:
        """The codec from what `save` wrote; `content` is its main file. Called by `load_codec`."""

    def encode(self, row: Row) -> Encoded:
        return self.encode_rows([row])[0]

    def _write(self, directory: Path, **content: Any) -> None:
        content = {"format_version": FORMAT_VERSION, "kind": self.kind, **content}
        (directory / CODEC_FILE).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


class TextPairCodec(Codec):
    """A text and its translation. Give the same tokenizer twice for one shared vocabulary."""

    kind = "text_pair"

    def __init__(self, source_tokenizer: Tokenizer, target_tokenizer: Tokenizer) -> None:
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer

    @property
    def is_shared(self) -> bool:
        """Whether source and target have one vocabulary."""
        return self.source_tokenizer is self.target_tokenizer

    def dims(self) -> dict[str, int | None]:
        return {
            "source_vocab_size": self.source_tokenizer.vocab_size,
            "target_vocab_size": self.target_tokenizer.vocab_size,
        }

    def encode_rows(self, rows: Sequence[Row]) -> list[Encoded]:
        texts = [_text_of(row) for row in rows]
        sources = self.source_tokenizer.encode_batch(texts)
        targets = self.target_tokenizer.encode_batch([row.target for row in rows])
        return [
            Encoded(row.id, _ids(source), _ids([BOS, *target, EOS]), count_words(text) + count_words(row.target), row)
            for row, text, source, target in zip(rows, texts, sources, targets, strict=True)
        ]

    def encode_input(self, text: str, id: str) -> Encoded:
        return self.encode(Row(id, text, ""))

    def input_tokens(self, inputs: Iterable[Any]) -> list[str]:
        return self.source_tokens(inputs)

    def source_tokens(self, ids: Iterable[Any]) -> list[str]:
        return self.source_tokenizer.tokens(int(i) for i in ids)

    def target_tokens(self, ids: Iterable[Any]) -> list[str]:
        return self.target_tokenizer.tokens(int(i) for i in ids)

    def decode_target(self, ids: Iterable[Any], unknown: Sequence[str] | None = None) -> str:
        """The text of target ids; PAD, BOS and EOS give nothing. `unknown`: as in `Tokenizer.decode`."""
        return self.target_tokenizer.decode((int(i) for i in ids), unknown)

    def save(self, directory: Path) -> None:
        self.source_tokenizer.save(directory / "source_tokenizer.json")
        if not self.is_shared:
            self.target_tokenizer.save(directory / "target_tokenizer.json")
        self._write(directory, shared=self.is_shared)

    @classmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> TextPairCodec:
        source = Tokenizer.load(directory / "source_tokenizer.json")
        shared = content["shared"]
        if type(shared) is not bool:
            raise ValueError("shared is neither true nor false")
        return cls(source, source if shared else Tokenizer.load(directory / "target_tokenizer.json"))


class LabelCodec(Codec):
    """What codecs with a class as their target have in common."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self._classes = {label: number for number, label in enumerate(self.labels)}
        if len(self._classes) != len(self.labels) or not self.labels:
            raise ValueError("labels must be different from one another, and at least one")

    def _class_of(self, row: Row) -> int:
        number = self._classes.get(row.target)
        if number is None:
            near = difflib.get_close_matches(row.target, self.labels, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            shown = ", ".join(self.labels[:10]) + (", ..." if len(self.labels) > 10 else "")
            raise DataError(f"row {row.id}: unknown label {row.target!r}.{hint}\nThe labels of train are: {shown}.")
        return number


class TextLabelCodec(LabelCodec):
    """A text and its class. `labels` in the order of the classes."""

    kind = "text_label"

    def __init__(self, tokenizer: Tokenizer, labels: Sequence[str]) -> None:
        super().__init__(labels)
        self.tokenizer = tokenizer

    def dims(self) -> dict[str, int | None]:
        return {"vocab_size": self.tokenizer.vocab_size, "input_dim": None, "num_classes": len(self.labels)}

    def encode_rows(self, rows: Sequence[Row]) -> list[Encoded]:
        return self._encode(rows, [self._class_of(row) for row in rows])

    def encode_input(self, text: str, id: str) -> Encoded:
        return self._encode([Row(id, text, "")], [NO_LABEL])[0]

    def _encode(self, rows: Sequence[Row], classes: Sequence[int]) -> list[Encoded]:
        texts = [_text_of(row) for row in rows]
        encoded = self.tokenizer.encode_batch(texts)
        return [
            Encoded(row.id, _ids(ids), number, count_words(text), row)
            for row, text, ids, number in zip(rows, texts, encoded, classes, strict=True)
        ]

    def input_tokens(self, inputs: Iterable[Any]) -> list[str]:
        return self.tokenizer.tokens(int(i) for i in inputs)

    def save(self, directory: Path) -> None:
        self.tokenizer.save(directory / "tokenizer.json")
        self._write(directory, labels=self.labels)

    @classmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> TextLabelCodec:
        return cls(Tokenizer.load(directory / "tokenizer.json"), _labels(content))


class VectorLabelCodec(LabelCodec):
    """A sequence of vectors of `input_dim` numbers, and its class."""

    kind = "vector_label"

    def __init__(self, input_dim: int, labels: Sequence[str]) -> None:
        super().__init__(labels)
        self.input_dim = input_dim

    def dims(self) -> dict[str, int | None]:
        return {"vocab_size": None, "input_dim": self.input_dim, "num_classes": len(self.labels)}

    def encode_rows(self, rows: Sequence[Row]) -> list[Encoded]:
        return [self._encode(row, self._class_of(row)) for row in rows]

    def encode_input(self, text: str, id: str) -> Encoded:
        """`text` is a JSON list of vectors: `[[1, 0], [0, 1]]`."""
        try:
            vectors = tuple(tuple(float(number) for number in vector) for vector in json.loads(text))
        except (ValueError, TypeError, OverflowError, RecursionError):
            shown = text if len(text) <= 40 else text[:40] + "..."
            raise DataError(f"{id}: {shown!r} is not a JSON list of vectors such as [[1, 0], [0, 1]].") from None
        return self._encode(Row(id, vectors, ""), NO_LABEL)

    def _encode(self, row: Row, number: int) -> Encoded:
        if isinstance(row.input, str) or any(len(vector) != self.input_dim for vector in row.input):
            raise DataError(f"{row.id}: the input must be a list of vectors of {self.input_dim} numbers each.")
        with np.errstate(over="ignore"):  # becomes infinity, which is refused below
            vectors = np.array(row.input, dtype=np.float32).reshape(-1, self.input_dim)
        if not np.isfinite(vectors).all():
            raise DataError(f"{row.id}: the input holds a number that is not finite, or too large for 32 bits.")
        return Encoded(row.id, vectors, number, len(vectors), row)

    def input_tokens(self, inputs: Iterable[Any]) -> list[str]:
        return [str(position) for position, _ in enumerate(inputs)]

    def save(self, directory: Path) -> None:
        self._write(directory, input_dim=self.input_dim, labels=self.labels)

    @classmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> VectorLabelCodec:
        if type(content["input_dim"]) is not int or content["input_dim"] < 1:
            raise ValueError("input_dim is not a positive integer")
        return cls(content["input_dim"], _labels(content))


_KINDS: dict[str, type[Codec]] = {codec.kind: codec for codec in (TextPairCodec, TextLabelCodec, VectorLabelCodec)}


def load_codec(directory: Path) -> Codec:
    """The codec that `save` wrote. Nothing in the files is executed.

    Raises:
        CheckpointError: a file is missing, damaged, or of a newer format.
    """
    path = directory / CODEC_FILE
    content = read_json(path, FORMAT_VERSION)
    try:
        return _KINDS[content["kind"]].load(directory, content)
    except CheckpointError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged: {error}. Use an undamaged copy.") from error


def _text_of(row: Row) -> str:
    if not isinstance(row.input, str):
        raise DataError(f"row {row.id}: a sequence of vectors, where a text is needed.")
    return row.input


def _ids(ids: list[int]) -> NDArray[np.int64]:
    return np.array(ids, dtype=np.int64)


def _labels(content: dict[str, Any]) -> list[str]:
    labels = content["labels"]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ValueError("labels are not a list of texts")
    return labels
