"""Rotary positions. Shapes: ... leading dims, H heads, N positions, d size of one head."""

from typing import ClassVar

import torch
from torch import Tensor

from attnfocus.attention.positions.base import Position
from attnfocus.attention.positions.sinusoids import FrequencyBase, angles, span


class RotaryPosition(Position):
    """R_i query_i and R_j key_j: numbers 2f and 2f + 1 at position t turn by the angle t / base^(2f/d)

        x_2f   -> x_2f cos(angle) - x_2f+1 sin(angle)
        x_2f+1 -> x_2f sin(angle) + x_2f+1 cos(angle)   (RoFormer, Su et al. 2021, eq. 15 and 34, arXiv:2104.09864)

    Since (R_i q) . (R_j k) = q . R_(j-i) k, scores know the offset of the key, and nothing else of the positions.
    Values do not turn. Some implementations pair f with f + d/2 instead, which is the same after a permutation of the
    projections' rows.

    No parameters, any length. Cost: O(N d). Computed in float32 at least.

    Args:
        base: the slowest pair turns once in 2 pi base positions; larger for longer sequences.

    Raises:
        ValueError: head_dim is odd.
    """

    needs_rotation_invariance: ClassVar[bool] = True

    def __init__(self, *, num_heads: int, head_dim: int, base: FrequencyBase = 10000.0) -> None:
        if head_dim % 2:
            raise ValueError(
                f"rotary positions turn pairs of numbers, and a head of size {head_dim} leaves one over: choose sizes "
                f"so that the query size is an even multiple of num_heads={num_heads}, or attention/position=t5."
            )
        super().__init__(num_heads=num_heads, head_dim=head_dim)
        self.base = base

    def place_keys(self, keys: Tensor, first_position: int) -> Tensor:
        return self._turned(keys, first_position)

    def place_queries(self, queries: Tensor, first_position: int) -> Tensor:
        return self._turned(queries, first_position)

    def _turned(self, vectors: Tensor, first_position: int) -> Tensor:
        turns = angles(span(first_position, vectors), vectors.shape[-1], self.base, vectors.dtype)  # (N, d / 2)
        cosine, sine = turns.cos(), turns.sin()
        even, odd = vectors.to(turns.dtype).unflatten(-1, (-1, 2)).unbind(-1)
        turned = torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), dim=-1)
        return turned.flatten(-2).to(vectors.dtype)

    def extra_repr(self) -> str:
        return f"base={self.base:g}"
