"""Positions that add to the scores a number for each offset, whatever the query.

Shapes: ... leading dims, H heads, Q queries, K keys.
"""

from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from attnfocus.attention.positions.base import Position
from attnfocus.attention.precision import as_scores
from attnfocus.limits import NumPositions, Range


class AlibiPosition(Position):
    """score_ij - m_h |i - j|: attention with linear biases   (Press et al. 2022, sec. 3, arXiv:2108.12409)

    The slopes m_h of H heads, H a power of 2, are 2^(-8/H), 2^(-16/H), ..., 2^-8. For other H the paper's code takes
    those of the next lower power of 2, and then the first, third, fifth ... of twice as many heads. The paper is
    about causal attention; without a causal pattern both sides fade alike.

    No parameters, any length. Cost: O(H Q K).
    """

    goes_by_distance: ClassVar[bool] = True
    has_bias: ClassVar[bool] = True

    def bias(self, query: Tensor, offsets: Tensor) -> Tensor:
        dtype = torch.promote_types(query.dtype, torch.float32)
        distance = offsets.abs().unsqueeze(-3).to(dtype)
        return as_scores(distance * -self.slopes(query.device, dtype), query)  # (..., H, Q, K)

    def slopes(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        """m (H, 1, 1)."""
        whole = 1 << (self.num_heads.bit_length() - 1)  # the largest power of 2 within H
        head = torch.arange(self.num_heads, device=device, dtype=dtype)
        between = (2 * (head - whole) + 1) * (4 / whole)
        return torch.exp2(-torch.where(head < whole, (head + 1) * (8 / whole), between)).view(-1, 1, 1)


class T5Position(Position):
    """score_ij + b_h[bucket(j - i)], learned   (Raffel et al. 2020, sec. 2.1, arXiv:1910.10683)

    Half of the buckets are for keys ahead of the query, half for those behind it (and for itself); without
    `bidirectional` all are for those behind, and keys ahead share bucket 0. Of n buckets for one side, distances
    below n/2 have one each; from there to max_distance the buckets widen by a constant factor; the last one takes all
    that is farther:

        bucket(distance) = min(n/2 + floor(ln(distance / (n/2)) / ln(max_distance / (n/2)) * n/2), n - 1)

    T5 itself shares one table between its layers and does not divide scores by sqrt(d). `table` b (num_buckets, H)
    starts at 0, where no offset is preferred. Any length. Cost: O(H Q K).

    Args:
        num_buckets: of both sides together.
        max_distance: where the last bucket begins, or earlier.
        bidirectional: whether keys ahead have buckets; false saves them under a causal pattern.

    Raises:
        ValueError: max_distance within the distances that have buckets of their own, or an odd num_buckets with
            bidirectional.
    """

    goes_by_distance: ClassVar[bool] = True
    has_bias: ClassVar[bool] = True

    def __init__(
        self,
        *,
        num_heads: int,
        head_dim: int,
        num_buckets: Annotated[int, Range(ge=4, le=2**16, why="a table has a row for each")] = 32,
        max_distance: NumPositions = 128,
        bidirectional: bool = True,
    ) -> None:
        super().__init__(num_heads=num_heads, head_dim=head_dim)
        one_side = num_buckets // 2 if bidirectional else num_buckets
        if bidirectional and num_buckets % 2:
            raise ValueError(
                f"num_buckets={num_buckets} cannot be halved for keys behind and ahead: use an even number, or "
                "bidirectional=false."
            )
        if max_distance <= one_side // 2:
            raise ValueError(
                f"max_distance={max_distance} lies within the first {one_side // 2} distances, which have buckets of "
                f"their own: use max_distance > {one_side // 2}, or fewer num_buckets."
            )
        self.num_buckets, self.max_distance, self.bidirectional = num_buckets, max_distance, bidirectional
        behind = [bucket_of(distance, one_side, max_distance) for distance in range(max_distance, -1, -1)]
        ahead = [one_side + bucket for bucket in behind[-2::-1]] if bidirectional else [0] * max_distance
        # Of the offsets -max_distance ... max_distance. Whole numbers, so that no change of precision moves a limit.
        self.buckets: Tensor
        self.register_buffer("buckets", torch.tensor(behind + ahead), persistent=False)
        self.table = nn.Parameter(torch.zeros(num_buckets, num_heads))

    def bias(self, query: Tensor, offsets: Tensor) -> Tensor:
        near = offsets.clamp(-self.max_distance, self.max_distance) + self.max_distance
        buckets = self.buckets[near]  # (..., Q, K)
        # Head by head: fused kernels read a bias along the keys, and its gradient takes a tenth of that of `embedding`.
        biases = self.table.t().index_select(1, buckets.flatten()).unflatten(1, buckets.shape)  # (H, ..., Q, K)
        return as_scores(biases.movedim(0, -3).to(torch.promote_types(query.dtype, torch.float32)), query)

    def extra_repr(self) -> str:
        sides = "" if self.bidirectional else ", bidirectional=False"
        return f"num_buckets={self.num_buckets}, max_distance={self.max_distance}{sides}"


def bucket_of(distance: int, num_buckets: int, max_distance: int) -> int:
    """The bucket of a distance >= 0 to one side, by the formula of `T5Position`, in whole numbers.

    floor(ln(a) / ln(b) * n) >= k just where a^n >= b^k, which needs no logarithm and so has no rounding.
    """
    exact = num_buckets // 2
    if distance < exact:
        return distance
    wide = num_buckets - exact
    bucket = exact
    while bucket < num_buckets - 1:
        step = bucket + 1 - exact
        if distance**wide * exact**step < max_distance**step * exact**wide:
            break
        bucket += 1
    return bucket
