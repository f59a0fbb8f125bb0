"""A sequence of vectors, and its class."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from attnfocus.data.clean import CleanOptions
from attnfocus.data.codecs.base import Encoded, InputKind
from attnfocus.data.codecs.label import NO_LABEL, LabelCodec, saved_labels
from attnfocus.data.rows import Row
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.errors import DataError

MAX_INPUT_DIM = 2**24  # numbers in a vector


class VectorLabelCodec(LabelCodec):
    """A sequence of vectors (L, input_dim) of numbers, and its class."""

    kind = "vector_label"
    input_kind: ClassVar[InputKind] = "vectors"

    def __init__(self, input_dim: int, labels: Sequence[str]) -> None:
        super().__init__(labels)
        self.input_dim = input_dim

    @classmethod
    def fits(cls, row: Row) -> bool:
        return not isinstance(row.input, str) and row.input.ndim == 2

    @classmethod
    def named_fingerprint(cls, row: Row) -> bytes:
        """As of the nested tuples that rows held before they held arrays: runs of that time go on."""
        vectors = row.input if isinstance(row.input, str) else tuple(map(tuple, row.input.tolist()))
        return repr((row.id, vectors, row.target)).encode("utf-8", "surrogatepass")

    @classmethod
    def learn(cls, rows: Sequence[Row], tokenizer: TokenizerOptions) -> VectorLabelCodec:
        first = rows[0].input
        assert not isinstance(first, str)
        return cls(first.shape[1], cls.labels_of(rows))

    def dims(self) -> dict[str, int | None]:
        return {"vocab_size": None, "input_dim": self.input_dim, "num_classes": len(self.labels)}

    def encode(self, row: Row, generator: np.random.Generator | None = None) -> Encoded:
        return self._encode(row, self.class_of(row))

    def encode_input(self, text: str, id: str, clean: CleanOptions | None = None) -> Encoded:
        """`text` is a JSON list of vectors: `[[1, 0], [0, 1]]`."""
        try:
            vectors = [[float(number) for number in vector] for vector in json.loads(text)]
        except (ValueError, TypeError, OverflowError, RecursionError):
            shown = text if len(text) <= 40 else text[:40] + "..."
            raise DataError(f"{id}: {shown!r} is not a JSON list of vectors such as [[1, 0], [0, 1]].") from None
        if any(len(vector) != self.input_dim for vector in vectors):
            raise DataError(self._wrong_size(id))
        return self._encode(Row(id, np.array(vectors, dtype=np.float64).reshape(-1, self.input_dim), ""), NO_LABEL)

    def _encode(self, row: Row, number: int) -> Encoded:
        if isinstance(row.input, str) or row.input.ndim != 2 or row.input.shape[1] != self.input_dim:
            raise DataError(self._wrong_size(row.id))
        with np.errstate(over="ignore"):  # becomes infinity, which is refused below
            vectors = row.input.astype(np.float32)
        if not np.isfinite(vectors).all():
            raise DataError(f"{row.id}: the input holds a number that is not finite, or too large for 32 bits.")
        return Encoded(row.id, vectors, number, len(vectors), row)

    def _wrong_size(self, id: str) -> str:
        return f"{id}: the input must be a list of vectors of {self.input_dim} numbers each."

    def input_tokens(self, inputs: Iterable[Any]) -> list[str]:
        return [str(position) for position, _ in enumerate(inputs)]

    def input_problem(self, row: Row) -> str | None:
        wanted = f"where the model reads vectors of {self.input_dim}"
        if isinstance(row.input, str):
            return f"a text, {wanted}"
        if row.input.ndim != 2 or row.input.shape[1] != self.input_dim:
            return f"vectors of size {row.input.shape[-1]}, {wanted}"
        return None

    def save(self, directory: Path) -> None:
        self.write(directory, input_dim=self.input_dim, labels=self.labels)

    @classmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> VectorLabelCodec:
        if type(content["input_dim"]) is not int or not 1 <= content["input_dim"] <= MAX_INPUT_DIM:
            raise ValueError(f"input_dim is not an integer from 1 to {MAX_INPUT_DIM:,}")
        return cls(content["input_dim"], saved_labels(content))
