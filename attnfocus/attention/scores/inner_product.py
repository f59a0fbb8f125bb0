"""Scores that are inner products: dot, scaled dot, general (bilinear) and cosine.

All of them reduce to c prepare_query(q) . prepare_keys(k), with c = `kernel_scale`, which a matrix product computes
without anything of the size (..., Q, K, d), and which fused kernels accept.

Shapes: ... leading dims, H heads, Q queries, K keys, d sizes of one query or key.
"""

import math
from typing import Annotated, ClassVar, Literal, TypedDict, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention.precision import as_scores, exact, for_scores, in_score_precision, lowered
from attnfocus.attention.scores.base import Score, per_head_linear, xavier_uniform_per_head_
from attnfocus.limits import PositiveFloat, Range

QkNorm = Literal["none", "rms", "l2"]


class NormKeywords(TypedDict, total=False):
    """Of `NormableScore`, which hands them on."""

    qk_norm: QkNorm
    soft_cap: PositiveFloat | None


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


class NormableScore(InnerProductScore):
    """An inner product with two options against scores that grow.

    qk_norm=rms: RMSNorm of queries and keys, each with a learned factor for each of its d numbers, the same for all
    heads: x / sqrt(mean(x^2) + eps) * w   (layer norm there: Dehghani et al. 2023, arXiv:2302.05442; rms norm,
    for each head: Gemma 3, arXiv:2503.19786). qk_norm=l2: queries and keys of length 1, and the score times a factor g
    that each head learns, in the place of the score's own: g cos(q, k)   (Henry et al. 2020, arXiv:2010.04245).
    g starts at 10, the paper's log2(L^2 - L) for a length L of 33. Both norms come before positions move the vectors.

    soft_cap: c tanh(score / c), so that no score is beyond c   (Gemma 2, arXiv:2408.00118, with c = 50). The bias of a
    position is added afterwards. Costs O(Q K), and the fused kernel.

    Args:
        qk_norm: none, rms or l2.
        soft_cap: c. None: no cap.
    """

    EPS: ClassVar[float] = 1e-6
    INITIAL_FACTOR: ClassVar[float] = 10.0

    def __init__(
        self,
        *,
        query_dim: int,
        key_dim: int,
        num_heads: int,
        qk_norm: QkNorm = "none",
        soft_cap: PositiveFloat | None = None,
    ) -> None:
        super().__init__(query_dim=query_dim, key_dim=key_dim, num_heads=num_heads)
        self.qk_norm, self.soft_cap = qk_norm, soft_cap
        if soft_cap is not None:
            self.bends_scores_by = f"soft_cap={soft_cap:g}"
        if qk_norm == "rms":
            self.query_norm, self.key_norm = nn.Parameter(torch.ones(query_dim)), nn.Parameter(torch.ones(key_dim))
        elif qk_norm == "l2":
            self.factor = nn.Parameter(torch.full((num_heads, 1, 1), self.INITIAL_FACTOR))

    def normed_keys(self, keys: Tensor) -> Tensor:
        return self._normed(keys, "key_norm")

    def normed_query(self, query: Tensor) -> Tensor:
        return self._normed(query, "query_norm")

    def prepare_query(self, query: Tensor) -> Tensor:
        return (query * self.factor).to(query.dtype) if self.qk_norm == "l2" else query

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        scores = super().forward(query, keys)
        return scores if self.soft_cap is None else self.soft_cap * torch.tanh(scores / self.soft_cap)

    def _normed(self, vectors: Tensor, weight: str) -> Tensor:
        if self.qk_norm == "none":
            return vectors
        if self.qk_norm == "l2":
            return unit_length(vectors, self.EPS).to(vectors.dtype)
        precise, factors = exact(vectors), exact(getattr(self, weight))
        return F.rms_norm(precise, precise.shape[-1:], factors.to(precise.dtype), self.EPS).to(vectors.dtype)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, qk_norm={self.qk_norm}, soft_cap={self.soft_cap}"


def unit_length(vectors: Tensor, eps: float) -> Tensor:
    """v / sqrt(v . v + eps), in float32 at least."""
    precise = exact(vectors)
    return precise * torch.rsqrt(precise.square().sum(-1, keepdim=True) + eps)


def _require_equal_dims(name: str, query_dim: int, key_dim: int) -> None:
    if query_dim != key_dim:
        raise ValueError(
            f"the {name} score compares query and keys of one size, got query_dim {query_dim} and key_dim {key_dim}: "
            "use the score general or additive, or projections=true."
        )


class DotScore(NormableScore):
    """score(q, k) = q . k   (Luong et al. 2015, eq. 8 "dot", arXiv:1508.04025)

    No parameters. Grows with the size of the vectors: `ScaledDotScore` does not.

    Args:
        qk_norm, soft_cap: see `NormableScore`.

    Raises:
        ValueError: query_dim and key_dim differ.
    """

    is_rotation_invariant: ClassVar[bool] = True

    def __init__(self, *, query_dim: int, key_dim: int, num_heads: int, **options: Unpack[NormKeywords]) -> None:
        _require_equal_dims("dot", query_dim, key_dim)
        super().__init__(query_dim=query_dim, key_dim=key_dim, num_heads=num_heads, **options)


class ScaledDotScore(NormableScore):
    """score(q, k) = q . k / sqrt(d)   (Vaswani et al. 2017, eq. 1, arXiv:1706.03762)

    No parameters.

    Args:
        qk_norm, soft_cap: see `NormableScore`.

    Raises:
        ValueError: query_dim and key_dim differ.
    """

    is_rotation_invariant: ClassVar[bool] = True

    def __init__(self, *, query_dim: int, key_dim: int, num_heads: int, **options: Unpack[NormKeywords]) -> None:
        _require_equal_dims("scaled_dot", query_dim, key_dim)
        super().__init__(query_dim=query_dim, key_dim=key_dim, num_heads=num_heads, **options)
        if self.qk_norm != "l2":  # which has a learned factor instead
            self.kernel_scale = 1 / math.sqrt(query_dim)


class GeneralScore(NormableScore):
    """score(q, k) = q^T W k   (Luong et al. 2015, eq. 8 "general", arXiv:1508.04025)

    `weight` W is (H, query_dim, key_dim), Xavier uniform. W k is computed once per sentence (`prepare_keys`).

    Args:
        qk_norm, soft_cap: see `NormableScore`.
    """

    keys_differ_by_head: ClassVar[bool] = True

    def __init__(self, *, query_dim: int, key_dim: int, num_heads: int, **options: Unpack[NormKeywords]) -> None:
        super().__init__(query_dim=query_dim, key_dim=key_dim, num_heads=num_heads, **options)
        self.weight = nn.Parameter(torch.empty(num_heads, query_dim, key_dim))
        xavier_uniform_per_head_(self.weight)

    def prepare_keys(self, keys: Tensor) -> Tensor:
        return per_head_linear(keys, self.weight)  # (..., H, K, query_dim)


class DistanceScore(InnerProductScore):
    """score(q, k) = -|q - k|^2 / sqrt(d)   (Kim et al. 2021, arXiv:2006.04710: L2 self-attention)

    The nearest key wins, and no query or key wins by its length. With softmax attention is then Lipschitz, if queries
    and keys share their projection, which is left to the paper here. No parameters.

    As an inner product -|q - k|^2 = [2 q, -1, -1, -|q|^2] . [k, |k|^2, the rest of |k|^2, 1]: the rest is what half
    precision leaves of |k|^2, so that it is not lost in a fused kernel. Cost: O(Q K d), as a scaled dot product.

    Raises:
        ValueError: query_dim and key_dim differ.
    """

    is_rotation_invariant: ClassVar[bool] = True
    is_never_positive: ClassVar[bool] = True

    def __init__(self, *, query_dim: int, key_dim: int, num_heads: int) -> None:
        _require_equal_dims("distance", query_dim, key_dim)
        super().__init__(query_dim=query_dim, key_dim=key_dim, num_heads=num_heads)
        self.kernel_scale = 1 / math.sqrt(query_dim)

    def prepare_keys(self, keys: Tensor) -> Tensor:
        square = exact(keys).square().sum(-1, keepdim=True)
        whole = lowered(square.to(keys.dtype))
        rest = (square - whole.to(square.dtype)).to(keys.dtype)
        return torch.cat((keys, whole.to(keys.dtype), rest, torch.ones_like(rest)), dim=-1)

    def prepare_query(self, query: Tensor) -> Tensor:
        square = exact(query).square().sum(-1, keepdim=True).to(query.dtype)  # the same for all keys
        ones = torch.ones_like(square)
        return torch.cat((2 * query, -ones, -ones, -square), dim=-1)


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
        return unit_length(vectors, self.EPS)
