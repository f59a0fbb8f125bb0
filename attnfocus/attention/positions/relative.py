"""Positions that add to the scores what the query thinks of each offset.

Shapes: ... leading dims, H heads, Q queries, K keys, d, dv sizes of one head and of its values, F frequencies.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from attnfocus.attention.positions.base import Position
from attnfocus.attention.positions.sinusoids import FrequencyBase, angles
from attnfocus.attention.precision import as_scores, exact, for_scores, in_score_precision, no_autocast
from attnfocus.attention.scores.base import per_head_linear, xavier_uniform_per_head_
from attnfocus.limits import NumPositions


class ShawPosition(Position):
    """score_ij + query_i . a_c / sqrt(d),  context_i = sum_j weight_ij (value_j + b_c),  c = max(-k, min(k, j - i))
    (Shaw et al. 2018, eq. 3 and 4 and sec. 3.2, arXiv:1803.02155)

    Relative position representations: a on the side of the keys, and b on that of the values if asked for. The paper
    has both, and finds a to suffice in translation (its table 3). `table` a is (2k + 1, d) and `value_table` b
    (2k + 1, dv), from -k to k, shared by the heads as in the paper, Xavier uniform. The scale is that of the scaled dot
    score, whatever the score.

    Any length. Cost: O(Q (2k + 1) d) per head, and O(Q K); with b as much again, and no fused kernel.

    Args:
        max_distance: k; offsets beyond it count as k.
        with_values: whether there is b.
    """

    goes_by_distance: ClassVar[bool] = True
    has_bias: ClassVar[bool] = True
    bias_needs_query: ClassVar[bool] = True

    def __init__(
        self, *, num_heads: int, head_dim: int, max_distance: NumPositions = 16, with_values: bool = False
    ) -> None:
        super().__init__(num_heads=num_heads, head_dim=head_dim)
        self.max_distance, self.adds_to_values = max_distance, with_values
        self.table = nn.Parameter(torch.empty(2 * max_distance + 1, head_dim))
        nn.init.xavier_uniform_(self.table)

    def connect_values(self, value_dim: int) -> None:
        if self.adds_to_values:
            self.value_table = nn.Parameter(torch.empty(2 * self.max_distance + 1, value_dim))
            nn.init.xavier_uniform_(self.value_table)

    def bias(self, query: Tensor, offsets: Tensor) -> Tensor:
        with in_score_precision(query):
            scaled = for_scores(query) * (1 / math.sqrt(self.head_dim))
            of_offset = torch.matmul(scaled, for_scores(self.table).t())  # (..., H, Q, 2k + 1)
        index = self._rows(offsets)
        return as_scores(of_offset.gather(-1, index.expand(*of_offset.shape[:-1], offsets.shape[-1])), query)

    def read_offsets(self, weights: Tensor, offsets: Tensor) -> Tensor:
        precise = exact(weights)
        of_rows = precise.new_zeros(*weights.shape[:-1], 2 * self.max_distance + 1)
        of_rows = of_rows.scatter_add(-1, self._rows(offsets).expand(weights.shape), precise)
        with no_autocast(weights):
            return torch.matmul(of_rows, exact(self.value_table).to(of_rows.dtype))

    def _rows(self, offsets: Tensor) -> Tensor:
        """Which row of a table belongs to each pair: (..., 1, Q, K)."""
        return (offsets.clamp(-self.max_distance, self.max_distance) + self.max_distance).unsqueeze(-3)

    def extra_repr(self) -> str:
        return f"max_distance={self.max_distance}, with_values={self.adds_to_values}"


class TransformerXLPosition(Position):
    """score(query_i + u, key_j) + (query_i + v) . W_R r_(i-j) / sqrt(d)   (Dai et al. 2019, sec. 3.3, arXiv:1901.02860)

    With the scaled dot score these are the paper's terms (a) + (c) and (b) + (d). r_t = [sin(t w_1), ..., sin(t w_F),
    cos(t w_1), ..., cos(t w_F)] with w_f = base^(-2 (f - 1) / D), D = H d and F = ceil(D / 2). Per head:
    `content_bias` u (d) and `position_bias` v (d), which start at 0, and `weight` W_R (d, 2F), Xavier uniform.

    Any length, and any offsets: with z = W_R^T (query + v), the sum over f of z_f sin((i - j) w_f) + z_(F+f)
    cos((i - j) w_f) splits by the addition theorems into an inner product of what depends on i and what depends on j.
    Cost: O(Q K D) per head, and O((Q + K) D) memory besides the scores.

    Args:
        base: the longest wave has a length of 2 pi base positions.
    """

    goes_by_distance: ClassVar[bool] = True
    has_bias: ClassVar[bool] = True
    bias_needs_query: ClassVar[bool] = True

    def __init__(self, *, num_heads: int, head_dim: int, base: FrequencyBase = 10000.0) -> None:
        super().__init__(num_heads=num_heads, head_dim=head_dim)
        self.base, self.size = base, num_heads * head_dim
        self.content_bias = nn.Parameter(torch.zeros(num_heads, 1, head_dim))
        self.position_bias = nn.Parameter(torch.zeros(num_heads, 1, head_dim))
        self.weight = nn.Parameter(torch.empty(num_heads, head_dim, 2 * ((self.size + 1) // 2)))
        xavier_uniform_per_head_(self.weight)

    def place_queries(self, queries: Tensor, first_position: int) -> Tensor:
        return queries + self.content_bias.to(queries.dtype)

    def bias(self, query: Tensor, offsets: Tensor) -> Tensor:
        if offsets.numel() == 0:
            return query.new_zeros(*offsets.shape[:-2], 1, *offsets.shape[-2:])
        query = for_scores(query)
        query = query + (exact(self.position_bias) - exact(self.content_bias)).to(query.dtype)  # it came with u
        with in_score_precision(query):
            scaled = query * (1 / math.sqrt(self.head_dim))
            of_query = per_head_linear(scaled, for_scores(self.weight).transpose(-1, -2))
        # Offsets are differences of positions: measured from the first key, i - j = behind - ahead.
        behind = self._angles(-offsets[..., :, 0], query).unsqueeze(-3)  # (..., 1, Q, F)
        ahead = self._angles(offsets[..., 0, :] - offsets[..., 0, :1], query).unsqueeze(-3)  # (..., 1, K, F)
        sine, cosine = of_query.to(behind.dtype).chunk(2, dim=-1)
        left = (sine * behind.sin() + cosine * behind.cos(), cosine * behind.sin() - sine * behind.cos())
        right = torch.cat((ahead.cos(), ahead.sin()), dim=-1)
        with in_score_precision(query):
            return as_scores(torch.matmul(torch.cat(left, dim=-1), right.transpose(-1, -2)), query)  # (..., H, Q, K)

    def _angles(self, positions: Tensor, like: Tensor) -> Tensor:
        return angles(positions, self.size, self.base, like.dtype)

    def extra_repr(self) -> str:
        return f"base={self.base:g}"
