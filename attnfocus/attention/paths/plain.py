"""The plain path. Shapes: ... leading dims, H heads, Q queries, K keys, dv size of a value."""

import torch
from torch import Tensor

from attnfocus.attention.dropout import dropout
from attnfocus.attention.memory import Places
from attnfocus.attention.paths.factors import Algebra
from attnfocus.attention.paths.protocol import Work
from attnfocus.attention.positions.base import Position


def plain(attention: Algebra, work: Work, dropout: float) -> tuple[Tensor, Tensor]:
    """Context (..., H, Q, dv), and weights (..., H, Q, K) before dropout."""
    places = work.places
    weights = attention.used(attention.weigh(work.query, work.keys, work.mask, places))
    return read(attention.position, weights, work.values, places, dropout), weights


def read(position: Position, weights: Tensor, values: Tensor, places: Places, rate: float) -> Tensor:
    """`mixed`, with what the position adds to the values between these places."""
    if not position.adds_to_values:
        return mixed(weights, values, rate)
    weights = dropout(weights, rate)
    context = torch.matmul(weights, values)
    return context + position.read_offsets(weights, places.offsets).to(context.dtype)


def mixed(weights: Tensor, values: Tensor, rate: float) -> Tensor:
    """weights (..., Q, K) after dropout at this rate, times values (..., K, dv) -> (..., Q, dv)."""
    return torch.matmul(dropout(weights, rate), values)
