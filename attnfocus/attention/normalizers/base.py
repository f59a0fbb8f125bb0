"""What every way from scores to weights has in common.

Shapes: ... leading dims, H heads, Q queries, K keys. Masks are bool, True = may attend.
"""

import math
from typing import ClassVar, Protocol

from torch import Tensor, nn

from attnfocus.attention.memory import History


class Normalizer(nn.Module):
    """Turns scores (..., H, Q, K) into weights >= 0 of the same shape, exactly 0 where masked.

    Each row (one query's scores) is normalized by itself, so that rows can be computed in any pieces.

    A `mask` is bool and broadcastable to the scores, True = may attend; None: all may be attended.

    Args:
        num_heads: for normalizers with parameters, each head has its own.
    """

    # True: the weights of a query that may attend to anything sum to 1.
    sums_to_one: ClassVar[bool] = True
    # True: weights depend on where earlier steps looked, so that queries come one by one: see `step`.
    uses_history: ClassVar[bool] = False

    def __init__(self, *, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads

    def forward(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        """scores (..., H, Q, K), mask broadcastable to them or None (all may be attended) -> weights (..., H, Q, K)."""
        raise NotImplementedError

    def step(self, scores: Tensor, mask: Tensor | None, history: History) -> Tensor:
        """One step of a decoder: scores (..., H, 1, K) -> weights (..., H, 1, K)."""
        return self(scores, mask)

    def first_weights(self, zeros: Tensor) -> Tensor:
        """What stands for the weights of the step before the first, given zeros (..., H, 1, K)."""
        return zeros


class NormalizerFactory(Protocol):
    """Builds a normalizer: a `Normalizer` class, or a `functools.partial` of one."""

    def __call__(self, *, num_heads: int) -> Normalizer: ...


def log_count(scores: Tensor, mask: Tensor | None) -> Tensor | float:
    """log n, n the keys which a query may attend to, in the precision of the scores: (..., 1), or a number for all.

    A query with nothing to attend counts as one with one key: its log is finite, and its weights are 0 anyway.
    """
    num_keys = scores.shape[-1]
    if mask is None:
        return math.log(max(1, num_keys))
    counts = mask.count_nonzero(dim=-1).unsqueeze(-1)
    if mask.shape[-1] != num_keys:  # one bool for all keys
        counts = counts * num_keys
    return counts.clamp(min=1).to(scores.dtype).log()
