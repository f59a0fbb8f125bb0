"""Scores that are inner products: dot, scaled dot, general (bilinear) and cosine.

All of them reduce to c prepare_query(q) . prepare_keys(k), with c = `kernel_scale`, which a matrix product computes
without anything of the size (..., Q, K, d), and which fused kernels accept.

Shapes: ... leading dims, H heads, Q queries, K keys, d sizes of one query or key.
"""

import math
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from attnfocus.attention.precision import as_scores, exact, for_scores, in_score_precision, lowered
from attnfocus.attention.scores.base import Score, per_head_linear, xavier_uniform_per_head_
from attnfocus.limits import Range


class InnerProductScore(Score):
    """score(q, k) = c prepare_query(q) . prepare_keys(k). Cost: O(Q K d) multiplications, O(Q K) memory.

    Of half precision the scores are float32, as in a fused kernel: what is rounded is the vectors, never the scores.
    """

    is_inner_product: ClassVar[bool] = True

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        query, keys = for_scores(lowered(self.prepare_query(query))), for_scores(lowered(keys))
        with in_score_precision(query):
            if self.kernel_scale != 1:  # not the scores: a query has fewer numbers
                query = query * self.kernel_scale
            return torch.matmul(query, keys.transpose(-1, -2))


def _require_equal_dims(name: str, query_dim: int, key_dim: int) -> None:
    if query_dim != key_dim:
        raise ValueError(
            f"the {name} score compares query and keys of one size, got query_dim {query_dim} and key_dim {key_dim}: "
            "use the score general or additive, or projections=true."
        )


class DotScore(InnerProductScore):
    """score(q, k) = q . k   (Luong et al. 2015, eq. 8 "dot", arXiv:1508.04025)

    No parameters. Grows with the size of the vectors: `ScaledDotScore` does not.

    Raises:
        ValueError: query_dim and key_dim differ.
    """

    is_rotation_invariant: ClassVar[bool] = True

    def __init__(self, *, query_dim: int, key_dim: int, num_heads: int) -> None:
        _require_equal_dims("dot", query_dim, key_dim)
        super().__init__(query_dim=query_dim, key_dim=key_dim, num_heads=num_heads)


class ScaledDotScore(InnerProductScore):
    """score(q, k) = q . k / sqrt(d)   (Vaswani et al. 2017, eq. 1, arXiv:1706.03762)

    No parameters.

    Raises:
        ValueError: query_dim and key_dim differ.
    """

    is_rotation_invariant: ClassVar[bool] = True

    def __init__(self, *, query_dim: int, key_dim: int, num_heads: int) -> None:
        _require_equal_dims("scaled_dot", query_dim, key_dim)
        super().__init__(query_dim=query_dim, key_dim=key_dim, num_heads=num_heads)
        self.kernel_scale = 1 / math.sqrt(query_dim)


class GeneralScore(InnerProductScore):
    """score(q, k) = q^T W k   (Luong et al. 2015, eq. 8 "general", arXiv:1508.04025)

    `weight` W is (H, query_dim, key_dim), Xavier uniform. W k is computed once per sentence (`prepare_keys`).
    """

    keys_differ_by_head: ClassVar[bool] = True

    def __init__(self, *, query_dim: int, key_dim: int, num_heads: int) -> None:
        super().__init__(query_dim=query_dim, key_dim=key_dim, num_heads=num_heads)
        self.weight = nn.Parameter(torch.empty(num_heads, query_dim, key_dim))
        xavier_uniform_per_head_(self.weight)

    def prepare_keys(self, keys: Tensor) -> Tensor:
        return per_head_linear(keys, self.weight)  # (..., H, K, query_dim)


class CosineScore(InnerProductScore):
    """score(q, k) = cos(q, k) / tau   (Liu et al. 2022, Swin Transformer V2, eq. 2, arXiv:2111.09883)

    The temperature tau is learned per head as log(1 / tau), and held >= 0.01 as in the paper. cos(q, k) is
    q . k / (sqrt(q . q + eps) sqrt(k . k + eps)), so a zero vector, such as a decoder's first state, scores 0 and has
    a finite gradient. Lengths are computed in float32 for half precision inputs.

    Args:
        initial_temperature: tau at the start; smaller is sharper.

    Raises:
        ValueError: query_dim and key_dim differ.
    """

    is_rotation_invariant: ClassVar[bool] = True
    EPS: ClassVar[float] = 1e-6
    MIN_TEMPERATURE: ClassVar[float] = 0.01

    def __init__(
        self,
        *,
        query_dim: int,
        key_dim: int,
        num_heads: int,
        initial_temperature: Annotated[float, Range(ge=0.01)] = 0.1,
    ) -> None:
        _require_equal_dims("cosine", query_dim, key_dim)
        super().__init__(query_dim=query_dim, key_dim=key_dim, num_heads=num_heads)
        self.log_scale = nn.Parameter(torch.empty(num_heads, 1, 1))
        nn.init.constant_(self.log_scale, -math.log(initial_temperature))

    def prepare_keys(self, keys: Tensor) -> Tensor:
        return self._unit_length(keys).to(keys.dtype)

    def prepare_query(self, query: Tensor) -> Tensor:
        scale = exact(self.log_scale).clamp(max=-math.log(self.MIN_TEMPERATURE)).exp()  # (H, 1, 1)
        return (as_scores(self._unit_length(query), query) * scale).to(query.dtype)

    def _unit_length(self, vectors: Tensor) -> Tensor:
        precise = exact(vectors)
        return precise * torch.rsqrt(precise.square().sum(-1, keepdim=True) + self.EPS)
