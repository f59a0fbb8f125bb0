"""Patterns that follow the scores.

Shapes: ... leading dims, H heads, Q queries, K keys, N blocks. Masks are bool, True = may attend.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.attention import masks
from attnfocus.attention.memory import Places
from attnfocus.attention.patterns.base import Direction, Pattern
from attnfocus.limits import NumPositions, PositiveInt


class TopKPattern(Pattern):
    """Each query looks at the k keys of its largest scores   (Zhao et al. 2019, arXiv:1912.11637)

    Only keys that the mask allows compete, and a row with k of them or fewer keeps all. Of equal scores the key that
    comes first wins. What is not kept has weight and gradient exactly 0. With softmax this is also the attention of
    Gupta et al. 2021 (arXiv:2106.06899).

    Cost: O(Q K) memory, as all scores must be there; finding the k largest is O(K) for each query.

    Args:
        k: keys for each query and head.
        direction: backward: among the query itself and what came before (self-attention only).
    """

    is_selective = True

    def __init__(self, *, k: PositiveInt = 8, direction: Direction = "both") -> None:
        self.k, self.direction = k, direction
        self.same_sequence_only = direction == "backward"

    def allows(self, places: Places) -> Tensor | None:
        return places.offsets <= 0 if self.direction == "backward" else None

    def narrow(self, scores: Tensor, mask: Tensor | None, places: Places) -> Tensor | None:
        if scores.shape[-1] <= self.k:
            return mask
        scores = scores.detach()
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return masks.both(mask, largest(scores, self.k))


class MobaPattern(Pattern):
    """Each query looks into its own block of b = block_size keys, and into the k - 1 others of the largest mean score
    (mixture of block attention, MoBA: Lu et al. 2025, sec. 2.2, arXiv:2502.13189)

    For scores that are inner products the mean score of a block is the score of its mean key, as in the paper; what a
    position adds to the scores counts too. Only keys that the mask allows count, a block without any is not chosen,
    and of equal blocks the one that comes first wins. Each head chooses for itself, and no gradient flows through the
    choice. direction=backward cuts away j > i, as in the paper, where blocks ahead are never chosen.

    Cost: O(Q K): all scores must be there, of which the paper's kernel makes those of the chosen blocks alone.

    Args:
        block_size: b, keys in a block.
        k: blocks for each query and head, its own included.
        direction: both sides, or backward only.
    """

    is_selective = True
    same_sequence_only = True

    def __init__(self, *, block_size: NumPositions = 16, k: PositiveInt = 3, direction: Direction = "both") -> None:
        self.block_size: int = block_size
        self.k, self.direction = k, direction

    def allows(self, places: Places) -> Tensor | None:
        return places.offsets <= 0 if self.direction == "backward" else None

    def narrow(self, scores: Tensor, mask: Tensor | None, places: Places) -> Tensor | None:
        num_keys = scores.shape[-1]
        num_blocks = -(-num_keys // self.block_size)
        if num_blocks <= self.k:
            return mask
        scores = scores.detach()
        allowed = torch.ones_like(scores[..., :1, :], dtype=torch.bool) if mask is None else mask
        allowed = allowed.expand(*allowed.shape[:-1], num_keys)
        count = self._by_block(allowed).sum(dim=-1)  # (..., Q or 1, N)
        mean = self._by_block(torch.where(allowed, scores, 0.0)).sum(dim=-1) / count  # (..., H, Q, N)
        own = (places.queries // self.block_size).unsqueeze(-1) == torch.arange(num_blocks, device=scores.device)
        mean = mean.masked_fill(count == 0, -torch.inf).masked_fill(masks.with_head_axis(own), torch.inf)
        chosen = largest(mean, self.k).repeat_interleave(self.block_size, dim=-1)[..., :num_keys]
        return masks.both(mask, chosen)

    def _by_block(self, numbers: Tensor) -> Tensor:
        """(..., K) -> (..., N, b), 0 behind the last."""
        return F.pad(numbers, (0, -numbers.shape[-1] % self.block_size)).unflatten(-1, (-1, self.block_size))


def largest(scores: Tensor, k: int) -> Tensor:
    """True for the k largest of each row (..., N), N > k; of equal ones the first. NaN is larger than any number."""
    smallest = scores.topk(k, dim=-1, sorted=False).values.amin(dim=-1, keepdim=True)
    equal = scores == smallest
    larger = ~(equal | (scores < smallest))  # NaN is larger too: it must show in the result
    room = k - larger.sum(dim=-1, keepdim=True)
    return larger | (equal & (equal.cumsum(dim=-1) <= room))
