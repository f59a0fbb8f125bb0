"""The plain path. Shapes: ... leading dims, H heads, Q queries, K keys, dv size of a value."""

import torch
from torch import Tensor

from attnfocus.attention.dropout import dropout
from attnfocus.attention.paths.factors import Algebra
from attnfocus.attention.paths.protocol import Work


def plain(attention: Algebra, work: Work, dropout: float) -> tuple[Tensor, Tensor]:
    """Context (..., H, Q, dv), and weights (..., H, Q, K) before dropout."""
    weights = attention.used(attention.weigh(work.query, work.keys, work.mask, work.places))
    return mixed(weights, work.values, dropout), weights


def mixed(weights: Tensor, values: Tensor, rate: float) -> Tensor:
    """weights (..., Q, K) after dropout at this rate, times values (..., K, dv) -> (..., Q, dv)."""
    return torch.matmul(dropout(weights, rate), values)
