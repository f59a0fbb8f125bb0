"""Softmax. Shapes: ... leading dims, H heads, Q queries, K keys. Masks are bool, True = may attend."""

import torch
from torch import Tensor

from attnfocus.attention.normalizers.base import Normalizer, exact


class Softmax(Normalizer):
    """weight_j = exp(score_j) / sum_k exp(score_k), over the keys k that the mask lets through.

    Half precision scores are normalized in float32. A row with nothing to attend has weights 0. Cost: O(Q K).
    """

    def forward(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        return masked_softmax(exact(scores), mask).to(scores.dtype)


def masked_softmax(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax over the last axis, 0 where masked, and 0 everywhere in a row with nothing to attend."""
    if mask is None:
        return torch.softmax(scores, dim=-1)
    blocked = ~mask
    # Not -inf: a row of nothing but -inf is NaN, forward and backward. The lowest finite number still gives
    # exactly 0 beside any other score, and the second fill clears the rows where all is blocked.
    scores = scores.masked_fill(blocked, torch.finfo(scores.dtype).min)
    return torch.softmax(scores, dim=-1).masked_fill(blocked, 0.0)
