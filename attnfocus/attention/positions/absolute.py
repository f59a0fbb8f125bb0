"""Positions that are added to queries and keys. Shapes: ... leading dims, H heads, N positions, d size of one head."""

import torch
from torch import Tensor, nn

from attnfocus.attention.positions.base import Position
from attnfocus.attention.positions.sinusoids import FrequencyBase, angles, span
from attnfocus.errors import DataError
from attnfocus.limits import NumPositions


class SinusoidalPosition(Position):
    """query_i + p_i and key_j + p_j,  p_(t, 2f) = sin(t / base^(2f/d)),  p_(t, 2f+1) = cos(t / base^(2f/d))

    (Vaswani et al. 2017, sec. 3.5, arXiv:1706.03762). There p is added once, to the embeddings; here in each
    attention, after the projections, and not to the values. Every head has the same p, and p_i . p_j depends on the
    distance |i - j| alone. An odd d leaves out the last cosine.

    No parameters, any length. Cost: O(N d).

    Args:
        base: the longest wave has a length of 2 pi base positions.
    """

    def __init__(self, *, num_heads: int, head_dim: int, base: FrequencyBase = 10000.0) -> None:
        super().__init__(num_heads=num_heads, head_dim=head_dim)
        self.base = base

    def place_keys(self, keys: Tensor, first_position: int) -> Tensor:
        return self._added(keys, first_position)

    def place_queries(self, queries: Tensor, first_position: int) -> Tensor:
        return self._added(queries, first_position)

    def _added(self, vectors: Tensor, first_position: int) -> Tensor:
        size = vectors.shape[-1]
        turns = angles(span(first_position, vectors), size, self.base, vectors.dtype)  # (N, ceil(d / 2))
        waves = torch.stack((turns.sin(), turns.cos()), dim=-1).flatten(-2)[..., :size]
        return vectors + waves.to(vectors.dtype)

    def extra_repr(self) -> str:
        return f"base={self.base:g}"


class LearnedPosition(Position):
    """query_i + p_i and key_j + r_j, with learned tables p and r   (learned positions: Gehring et al. 2017, sec. 3.1,
    arXiv:1705.03122; Vaswani et al. 2017, sec. 3.5, arXiv:1706.03762)

    There one table is added to the embeddings, and the projections make of it one vector for the query and another
    for the key; here these two are learned themselves: `query_table` p and `key_table` r, both (max_length, d), the
    same in every head. They start small, N(0, 0.02^2), where attention hardly knows them.

    Cost: O(N d).

    Args:
        max_length: number of positions. A longer sequence is refused.

    Raises:
        ValueError: in a call: a sequence longer than max_length (a DataError), more queries than keys, or keys of
            another size than the queries.
    """

    def __init__(self, *, num_heads: int, head_dim: int, max_length: NumPositions = 512) -> None:
        super().__init__(num_heads=num_heads, head_dim=head_dim)
        self.max_length = max_length
        self.query_table = nn.Parameter(torch.empty(max_length, head_dim))
        self.key_table = nn.Parameter(torch.empty(max_length, head_dim))
        nn.init.normal_(self.query_table, std=0.02)
        nn.init.normal_(self.key_table, std=0.02)

    def place_keys(self, keys: Tensor, first_position: int) -> Tensor:
        return self._added(keys, first_position, self.key_table)

    def place_queries(self, queries: Tensor, first_position: int) -> Tensor:
        return self._added(queries, first_position, self.query_table)

    def _added(self, vectors: Tensor, first_position: int, table: Tensor) -> Tensor:
        end = first_position + vectors.shape[-2]
        if end > len(table):
            raise DataError(
                f"a sequence of {end} positions is longer than attention.position.max_length={len(table)}: train "
                "with a larger max_length or with attention/position=sinusoidal, or leave long sequences out."
            )
        if first_position < 0:
            raise ValueError(
                f"learned positions are of one sequence, whose end the queries are, and there are {-first_position} "
                "more queries than keys: use attention/position=none between two sequences."
            )
        if vectors.shape[-1] != self.head_dim:
            raise ValueError(
                f"learned positions have the size {self.head_dim} of a head's query, and the keys have "
                f"{vectors.shape[-1]}: use projections=true, or attention/position=sinusoidal."
            )
        return vectors + table[first_position:end].to(vectors.dtype)

    def extra_repr(self) -> str:
        return f"max_length={self.max_length}"
