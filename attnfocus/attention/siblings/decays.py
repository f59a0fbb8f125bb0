"""How much each position leaves of the sums before it.

Shapes: ... leading dims, G key heads, K positions, Dk size of what a key is projected from, d size of one head.
All give logarithms (<= 0) in the precision of what they are given, which is float32 at least.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention.projections import linear

GATE_RANK = 16  # of the matrix from a position to its vector of decays (Yang et al. 2023, arXiv:2312.06635)
GATE_ROOT = 16  # the root that is taken of them (tau there)


class FixedDecay(nn.Module):
    """a = 1 - 2^(-5-h) for head h = 0, 1, ...   (Sun et al. 2023, sec. 2.2, arXiv:2307.08621): no parameters."""

    def __init__(self, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads

    def forward(self, states: Tensor) -> Tensor:
        """states (..., K, Dk) -> (G, 1, 1), the same for all positions."""
        heads = torch.arange(self.num_heads, device=states.device, dtype=states.dtype)
        return torch.log1p(-(2.0 ** (-5 - heads))).view(-1, 1, 1)


class StepDecay(nn.Module):
    """a_i = exp(-A s_i),  s_i = softplus(w . x_i + b) the length of a step   (Dao and Gu 2024, arXiv:2405.21060)

    A > 0 starts between 1 and 16 and, where x_i is 0, s_i between 0.001 and 0.1, as in the code of the paper.
    """

    def __init__(self, key_dim: int, num_heads: int) -> None:
        super().__init__()
        self.projection = linear(key_dim, num_heads)
        self.log_rate = nn.Parameter(torch.empty(num_heads).uniform_(1, 16).log())
        steps = torch.empty(num_heads).uniform_(math.log(0.001), math.log(0.1)).exp()
        with torch.no_grad():
            self.projection.bias.copy_(steps + torch.log(-torch.expm1(-steps)))  # its softplus is the step

    def steps(self, states: Tensor) -> Tensor:
        """states (..., K, Dk) -> s (..., G, K, 1)."""
        return F.softplus(_applied(self.projection, states)).mT.unsqueeze(-1)

    def of_steps(self, steps: Tensor) -> Tensor:
        """s -> (..., G, K, 1)."""
        return -steps * self.log_rate.to(steps.dtype).exp().view(-1, 1, 1)

    def forward(self, states: Tensor) -> Tensor:
        """states (..., K, Dk) -> (..., G, K, 1)."""
        return self.of_steps(self.steps(states))


class VectorDecay(nn.Module):
    """a_i = sigmoid(W_2 W_1 x_i + b)^(1/16), a number for each of the d of a head, W_1 of 16 rows

    (Yang et al. 2023, arXiv:2312.06635.) It starts at 0.96 where x_i is 0.
    """

    def __init__(self, key_dim: int, num_heads: int, head_dim: int) -> None:
        super().__init__()
        self.num_heads, rank = num_heads, min(GATE_RANK, key_dim)
        self.reduction = linear(key_dim, rank, bias=False)
        self.expansion = linear(rank, num_heads * head_dim)

    def forward(self, states: Tensor) -> Tensor:
        """states (..., K, Dk) -> (..., G, K, d)."""
        gates = _applied(self.expansion, _applied(self.reduction, states))
        return F.logsigmoid(gates.unflatten(-1, (self.num_heads, -1)).transpose(-2, -3)) / GATE_ROOT


class Strength(nn.Module):
    """sigmoid(w . x_i + b), how much of what a key finds is written anew. No bias at the start: 1/2 where x_i is 0."""

    def __init__(self, key_dim: int, num_heads: int) -> None:
        super().__init__()
        self.projection = linear(key_dim, num_heads)

    def forward(self, states: Tensor) -> Tensor:
        """states (..., K, Dk) -> (..., G, K, 1)."""
        return torch.sigmoid(_applied(self.projection, states)).mT.unsqueeze(-1)


def _applied(layer: nn.Linear, vectors: Tensor) -> Tensor:
    """The layer in the precision of the vectors."""
    bias = None if layer.bias is None else layer.bias.to(vectors.dtype)
    return F.linear(vectors, layer.weight.to(vectors.dtype), bias)
