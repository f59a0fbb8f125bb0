"""The smallest set that an attention can be tried on. Made on the spot, nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.rows import SPLITS, RawData, Row
from attnfocus.data.sources.embedded import EmbeddedSource
from attnfocus.limits import Range


class Identity(EmbeddedSource):
    """Which unit vector is it? One row per class, zeros but for one position.

    The row of class c is a sequence of `length` vectors of `size` numbers: the unit vector e_c at position
    c mod length, zeros elsewhere. A model that looks at this position alone can read the class off. Train, valid and
    test are the same `size` rows: the set shows that a model can learn at all, not that it generalizes.
    """

    preset: ClassVar[str] = "identity"
    task: ClassVar[str] = "classification"

    def __init__(
        self,
        *,
        size: Annotated[int, Range(ge=2, le=256, why="there are as many examples, of as many numbers")] = 4,
        length: Annotated[int, Range(gt=0, le=1000, why="all rows are made in memory")] = 4,
    ) -> None:
        if size < 2:
            raise ValueError(f"size={size}: one class cannot be told from another; take 2 or more")
        self.size = size
        self.length = length

    def read(self, data_dir: Path, seed: int) -> RawData:
        """Make the rows. They depend neither on `data_dir` nor on the seed."""
        rows = [Row(f"class-{c}", self._sequence(c), str(c)) for c in range(self.size)]
        note = f"identity: train, valid and test are the same {self.size} rows"
        return RawData({split: list(rows) for split in SPLITS}, [note])

    def _sequence(self, c: int) -> NDArray[Any]:
        """(length, size)"""
        vectors = np.zeros((self.length, self.size))
        vectors[c % self.length, c] = 1.0
        return vectors
