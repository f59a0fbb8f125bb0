"""Linear attention.

Shapes: ... leading dims, H heads, G key heads, N queries or keys, d size of one head.
"""

import math
from typing import Literal, Unpack

import torch
from torch import Tensor, nn

from attnfocus.attention.keywords import KernelKeywords
from attnfocus.attention.siblings.kernel import KernelAttention, Side

FeatureMap = Literal["elu", "relu", "exp", "taylor", "hedgehog"]


class LinearAttention(KernelAttention):
    """phi(x) = elu(x) + 1   (Katharopoulos et al. 2020, eq. 7, arXiv:2006.16236), in `KernelAttention`

    elu(x) + 1 is x + 1 where x > 0 and e^x elsewhere; queries and keys are not scaled. Other maps:

    relu      max(x, 0), f = d; where it leaves nothing of any key, all count alike (Performer-ReLU, Choromanski et al.
              2021, arXiv:2009.14794).
    exp       e^x, f = d.
    taylor    [1, y, y_a y_b (a < b), y_a^2 / sqrt(2)] of y = x / d^(1/4), whose kernel is 1 + s + s^2 / 2, the second
              order Taylor polynomial of e^s at s = q . k / sqrt(d); f = (d + 1) (d + 2) / 2 (Based, Arora et al. 2024,
              arXiv:2402.18668).
    hedgehog  [e^y, e^-y] of y = W x + b, one W for the queries and one for the keys of each head, which start as the
              identity and learn with all else; f = 2 d (Zhang et al. 2024, arXiv:2402.04347, which trains them to be
              like softmax first).

    Args:
        feature_map: phi; f = d but for those above.
        pattern, and the rest: as in `KernelAttention`.
    """

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        feature_map: FeatureMap = "elu",
        **options: Unpack[KernelKeywords],
    ) -> None:
        super().__init__(query_dim, key_dim, value_dim, **options)
        self.feature_map = feature_map
        if feature_map == "hedgehog":
            size = self.query_head_dim
            self.query_map = nn.Parameter(torch.eye(size).repeat(self.num_heads, 1, 1))
            self.query_shift = nn.Parameter(torch.zeros(self.num_heads, 1, size))
            self.key_map = nn.Parameter(torch.eye(size).repeat(self.num_key_heads, 1, 1))
            self.key_shift = nn.Parameter(torch.zeros(self.num_key_heads, 1, size))

    @property
    def features_are_logarithms(self) -> bool:
        return self.feature_map not in ("relu", "taylor")

    def features(self, vectors: Tensor, side: Side) -> Tensor:
        if self.feature_map == "elu":
            # relu has slope 0 at 0 and clamp slope 1, so that together they have the 1 of elu there.
            return torch.log1p(vectors.relu()) / math.log(2) + vectors.clamp(max=0) / math.log(2)
        if self.feature_map == "relu":
            return vectors.relu()
        if self.feature_map == "exp":
            return vectors / math.log(2)
        if self.feature_map == "taylor":
            return _taylor(vectors * vectors.shape[-1] ** -0.25)
        learned = (self.query_map, self.query_shift) if side == "query" else (self.key_map, self.key_shift)
        matrix, shift = (each.to(vectors.dtype) for each in learned)
        mapped = vectors @ matrix.mT + shift
        return torch.cat((mapped, -mapped), dim=-1) / math.log(2)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, feature_map={self.feature_map}"


def _taylor(vectors: Tensor) -> Tensor:
    """(..., d) -> (..., (d + 1) (d + 2) / 2): products of two numbers that meet twice in a square are taken once."""
    size = vectors.shape[-1]
    first, second = torch.triu_indices(size, size, device=vectors.device)
    factors = torch.where(first == second, 2**-0.5, 1.0).to(vectors.dtype)
    products = vectors[..., first] * vectors[..., second] * factors
    return torch.cat((torch.ones_like(vectors[..., :1]), vectors, products), dim=-1)
