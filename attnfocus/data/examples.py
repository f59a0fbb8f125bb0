"""The examples of a split: rows that are encoded once, or each time that they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.batches import example_lengths
from attnfocus.data.codecs.base import Codec, Encoded
from attnfocus.data.codecs.packed import EncodedExamples, PackedExamples
from attnfocus.data.rows import Row
from attnfocus.errors import DataError


class Examples(Sequence[Encoded]):
    """Rows with their codec. Texts are encoded here, once; what a lazy codec reads (images, sound) when it is taken.

    Raises:
        DataError: a row that does not fit the codec, where all are encoded here.
    """

    def __init__(self, rows: Sequence[Row], codec: Codec) -> None:
        self._codec = codec
        self._encoded: Sequence[Encoded] | None = None if codec.is_lazy else codec.encode_rows(rows)
        self.rows = self._encoded.rows if isinstance(self._encoded, EncodedExamples) else rows

    @classmethod
    def of_packed(cls, packed: PackedExamples, codec: Codec) -> Examples:
        """Of rows that were encoded before."""
        examples = cls.__new__(cls)
        examples.rows, examples._codec, examples._encoded = packed.rows, codec, packed
        return examples

    @property
    def packed(self) -> PackedExamples | None:
        """All of them in arrays; None: they are not."""
        return self._encoded if isinstance(self._encoded, PackedExamples) else None

    @property
    def alike(self) -> int | None:
        """How many positions nearly all of them have; None: they differ."""
        return self._encoded.alike if isinstance(self._encoded, EncodedExamples) else None

    def notes(self, split: str) -> list[str]:
        """Lines for the user about what they are encoded to."""
        return self._encoded.notes(split) if isinstance(self._encoded, EncodedExamples) else []

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Encoded: ...
    @overload
    def __getitem__(self, index: slice) -> list[Encoded]: ...
    def __getitem__(self, index: int | slice) -> Encoded | list[Encoded]:
        if self._encoded is not None:
            taken = self._encoded[index]
            return taken if isinstance(taken, Encoded) else list(taken)
        if isinstance(index, slice):
            return list(self._codec.encode_rows(self.rows[index]))
        return self._codec.encode(self.rows[index])

    def named(self, ids: Sequence[str]) -> list[Encoded]:
        """Those of rows with these ids, in this order.

        Raises:
            DataError: there is no such row.
        """
        wanted = set(ids)
        places = {row.id: number for number, row in enumerate(self.rows) if row.id in wanted}
        if missing := [id for id in ids if id not in places]:
            raise DataError(f"there is no row {missing[0]} among {len(self.rows):,}; the first is {self.rows[0].id}.")
        return [self[places[id]] for id in ids]

    def __iter__(self) -> Iterator[Encoded]:
        return iter(self._encoded) if self._encoded is not None else (self[number] for number in range(len(self)))

    def drawn(self, number: int, seed: int, epoch: int) -> Encoded:
        """Example `number` as training sees it in an epoch: a function of (seed, epoch, row) where epochs differ."""
        if isinstance(self._encoded, EncodedExamples):
            return self._encoded.drawn(number, seed, epoch)
        if self._encoded is not None:
            return self._encoded[number]
        return self._codec.encode(self.rows[number], np.random.default_rng([seed, epoch, number]))

    def drawn_lengths(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """(N,) positions of the input of each, as `drawn` gives them."""
        if isinstance(self._encoded, EncodedExamples):
            return self._encoded.drawn_lengths(seed, epoch)
        return self.lengths[:, 0]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N, 2): positions of each input, and of its target (0 where it is a class); nothing is encoded for it."""
        if self._encoded is not None:
            encoded = self._encoded
            return encoded.lengths if isinstance(encoded, EncodedExamples) else example_lengths(encoded)
        return np.array([self._codec.lengths(row) for row in self.rows], dtype=np.int64).reshape(-1, 2)
