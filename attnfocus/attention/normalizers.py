"""From scores to weights.

Shapes: ... leading dims, H heads, Q queries, K keys. Masks are bool, True = may attend.
"""

from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn


class Normalizer(nn.Module):
    """Turns scores (..., H, Q, K) into weights >= 0 of the same shape, exactly 0 where masked.

    Args:
        num_heads: for normalizers with parameters, each head has its own.
    """

    # True: the weights of a query that may attend to anything sum to 1.
    sums_to_one: ClassVar[bool] = True

    def __init__(self, *, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads

    def forward(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        """scores (..., H, Q, K), mask broadcastable to them or None (all may be attended) -> weights (..., H, Q, K)."""
        raise NotImplementedError


class NormalizerFactory(Protocol):
    """Builds a normalizer: a `Normalizer` class, or a `functools.partial` of one."""

    def __call__(self, *, num_heads: int) -> Normalizer: ...


class Softmax(Normalizer):
    """weight_j = exp(score_j) / sum_k exp(score_k), over the keys k that the mask lets through.

    Half precision scores are normalized in float32: their exponentials would lose the small weights. A row with
    nothing to attend has weights 0. Cost: O(Q K).
    """

    def forward(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        exact = scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores
        if mask is None:
            return torch.softmax(exact, dim=-1).to(scores.dtype)
        blocked = ~mask
        # Not -inf: a row of nothing but -inf is NaN, forward and backward. The lowest finite number still gives
        # exactly 0 beside any other score, and the second fill clears the rows where all is blocked.
        exact = exact.masked_fill(blocked, torch.finfo(exact.dtype).min)
        return torch.softmax(exact, dim=-1).masked_fill(blocked, 0.0).to(scores.dtype)
