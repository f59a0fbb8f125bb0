"""The two ways to compute attention, and the one place that chooses between them.

The plain path makes scores, weights and context one after the other and works for everything. The fused path hands
all of it to `torch.nn.functional.scaled_dot_product_attention`, which never holds the weights (flash attention:
Dao et al. 2022, arXiv:2205.14135). Both give the same numbers; the fused one is faster.

Shapes: ... leading dims, H heads, Q queries, K keys, d sizes. Masks are bool, True = may attend.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.attention.normalizers import Normalizer, Softmax
from attnfocus.attention.positions import Position
from attnfocus.attention.scores import Score


@dataclass(frozen=True)
class PathChoice:
    """Which path runs, and why, in words that complete `path: reason`."""

    name: Literal["plain", "fused"]
    reason: str


def choose(score: Score, normalizer: Normalizer, position: Position, need_weights: bool) -> PathChoice:
    """The path for these factors. It does not depend on the data, so it can be told before the first batch."""
    if need_weights:
        return PathChoice("plain", "weights were asked for, and the fused kernel never holds them")
    if not score.is_inner_product:
        return PathChoice("plain", f"{type(score).__name__} is no inner product of query and key")
    if type(normalizer) is not Softmax:
        return PathChoice("plain", f"the fused kernel normalizes by softmax, not by {type(normalizer).__name__}")
    if position.has_bias:
        return PathChoice("plain", f"{type(position).__name__} adds a bias to the scores")
    return PathChoice("fused", f"{type(score).__name__} with Softmax is what scaled_dot_product_attention computes")


def plain(
    scores: Tensor, values: Tensor, mask: Tensor | None, normalizer: Normalizer, dropout: float
) -> tuple[Tensor, Tensor]:
    """scores (..., H, Q, K), values (..., H, K, d) -> context (..., H, Q, d), weights (..., H, Q, K) before dropout."""
    weights = normalizer(scores, mask)
    used = F.dropout(weights, dropout) if dropout > 0 else weights
    return torch.matmul(used, values), weights


def fused(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, is_causal: bool, dropout: float) -> Tensor:
    """query (..., H, Q, d), keys (..., H, K, d), values (..., H, K, d') -> context (..., H, Q, d').

    `is_causal` stands for the causal mask of Q = K positions; then mask is None.
    """
    tensors = (query, keys, values) if mask is None else (query, keys, values, mask)
    leading = torch.broadcast_shapes(*(tensor.shape[:-2] for tensor in tensors))
    query, keys, values = (tensor.expand(*leading, *tensor.shape[-2:]) for tensor in (query, keys, values))
    if mask is None:
        return F.scaled_dot_product_attention(query, keys, values, None, dropout, is_causal, scale=1.0)
    # What a kernel does with a row that has nothing to attend is its own affair (some give NaN), so such a row is let
    # see everything, and its result is cleared.
    has_any = mask.any(dim=-1, keepdim=True)  # (..., H or 1, Q or 1, 1)
    allowed = (mask | ~has_any).expand(*mask.shape[:-1], keys.shape[-2])
    context = F.scaled_dot_product_attention(query, keys, values, allowed, dropout, scale=1.0)
    return context.masked_fill(~has_any, 0.0)
