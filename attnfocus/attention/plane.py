"""Positions of a sequence that lie in rows and columns, such as patches of an image."""

from typing import NamedTuple

from torch import Tensor


class Plane(NamedTuple):
    """Rows of `columns` positions each, behind `num_prepended` that lie nowhere, such as that of `cls`."""

    columns: int
    num_prepended: int = 0

    def places(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Positions in the sequence (...) -> row and column of each (...), from 0; 0 and 0 where it lies nowhere."""
        cells = (positions - self.num_prepended).clamp(min=0)
        return cells // self.columns, cells % self.columns

    def distances(self, queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """How many rows and columns each key (..., K) is away from each query (..., Q): (..., Q, K), >= 0."""
        of_queries, of_keys = self.places(queries), self.places(keys)
        down, right = (
            (key.unsqueeze(-2) - query.unsqueeze(-1)).abs() for query, key in zip(of_queries, of_keys, strict=True)
        )
        return down, right


NO_PLANE = (
    "{key}.axes=2: is for images, whose positions have rows and columns, and this input has none. Use {key}.axes=1."
)
