"""Patterns that follow the scores.

Shapes: ... leading dims, H heads, Q queries, K keys. Masks are bool, True = may attend.
"""

import torch
from torch import Tensor

from attnfocus.attention import masks
from attnfocus.attention.memory import Places
from attnfocus.attention.patterns.base import Direction, Pattern
from attnfocus.limits import PositiveInt


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

    def narrow(self, scores: Tensor, mask: Tensor | None) -> Tensor | None:
        if scores.shape[-1] <= self.k:
            return mask
        scores = scores.detach()
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        smallest = scores.topk(self.k, dim=-1, sorted=False).values.amin(dim=-1, keepdim=True)
        equal = scores == smallest
        larger = ~(equal | (scores < smallest))  # NaN is larger too: it must show in the result
        room = self.k - larger.sum(dim=-1, keepdim=True)
        return masks.both(mask, larger | (equal & (equal.cumsum(dim=-1) <= room)))
