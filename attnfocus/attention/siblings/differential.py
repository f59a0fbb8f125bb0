"""Differential attention.

Shapes: ... leading dims, H heads, G key heads, Q queries, K keys, d size of a query or key of one map (half of a
head's), dv size of one head's value. Masks are bool, True = may attend.
"""

import math
from typing import Annotated, ClassVar, Literal, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention import paths
from attnfocus.attention.algebra import Attention
from attnfocus.attention.keywords import AttentionKeywords
from attnfocus.attention.precision import exact
from attnfocus.limits import Probability
from attnfocus.marks import Before


class DifferentialAttention(Attention):
    """weights = normalizer(score(q_1, k_1)) - lambda normalizer(score(q_2, k_2))   (Ye et al. 2024, eq. 1,
    arXiv:2410.05258)

    Each head's query and key are two halves of size d, which make two maps; what both maps see, such as noise, cancels.
    lambda = exp(lambda_q1 . lambda_k1) - exp(lambda_q2 . lambda_k2) + lambda_init (eq. 2) is one number, shared by the
    heads, and the context of a head is (1 - lambda_init) RMSNorm(weights values) (eq. 3). Score, normalizer, pattern
    and position work as on 2 H heads of size d. With lambda = 0 the weights are those of the first map.

    The weights that are returned are the difference: they may be negative, and sum to 1 - lambda.

    `lambda_query` and `lambda_key` are (2, d), normal with deviation 0.1; `norm_weight` (dv) starts at 1.

    Cost: scores as `Attention`, and twice the normalizer and the context. Dropout drops weights of each map by itself.

    Args:
        lambda_init: lambda at the start, about. layer: as in the paper, 0.8 - 0.6 exp(-0.3 l) in layer l, counted from
            0 (`depth`): 0.2 in the first, towards 0.8. It finds a constant 0.8 about as good (sec. 3.8).
        score, normalizer, pattern, position, path, and the rest: as in `Attention`.

    Raises:
        ValueError: sizes of queries or keys that have no halves, a score or normalizer that follows a decoder's
            steps, or as in `Attention`.
    """

    EPS: ClassVar[float] = 1e-5

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        lambda_init: Annotated[Probability | Literal["layer"], Before(0.8)] = "layer",
        **options: Unpack[AttentionKeywords],
    ) -> None:
        super().__init__(query_dim, key_dim, value_dim, **options)
        if self.uses_history:
            raise ValueError(
                f"{self.history_factor} follows the weights of the step before, and a difference of two maps is no "
                "such weight: use attention/score=scaled_dot or additive with attention/normalizer=softmax."
            )
        self.lambda_init: float | Literal["layer"] = lambda_init
        value_dim = self.query_head_dim if self.has_projections else self.output_dim
        self.lambda_query = nn.Parameter(torch.empty(2, self.query_head_dim // 2))
        self.lambda_key = nn.Parameter(torch.empty(2, self.query_head_dim // 2))
        self.norm_weight = nn.Parameter(torch.ones(value_dim))
        nn.init.normal_(self.lambda_query, std=0.1)
        nn.init.normal_(self.lambda_key, std=0.1)

    def _sizes_of_maps(self) -> tuple[int, int, int]:
        if self.query_head_dim % 2 or self.key_head_dim % 2:
            raise ValueError(
                f"DifferentialAttention halves the queries and keys of a head, got sizes {self.query_head_dim} and "
                f"{self.key_head_dim}: use fewer attention.num_heads, or sizes that are even."
            )
        return self.query_head_dim // 2, self.key_head_dim // 2, 2 * self.num_heads

    @property
    def weights_are_distributions(self) -> bool:
        return False

    @property
    def difference(self) -> Tensor:
        """lambda, a tensor without axes."""
        first, second = exact(self.lambda_query * self.lambda_key).sum(dim=-1).exp().unbind()
        return first - second + self.start_of_lambda

    @property
    def start_of_lambda(self) -> float:
        """lambda_init as a number."""
        return 0.8 - 0.6 * math.exp(-0.3 * self.depth) if self.lambda_init == "layer" else self.lambda_init

    def prepare_heads(
        self, keys: Tensor, values: Tensor, mask: Tensor | None, first_position: int = 0
    ) -> tuple[Tensor, Tensor]:
        keys = self.position.place_keys(_as_maps(keys), first_position)
        if self.score.keys_differ_by_head:
            keys = _as_maps(self._for_each_head(_as_heads(keys)))
        return _as_heads(self.score.prepare_keys(keys)), values

    def mix(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        query = self.position.place_queries(_as_maps(query), keys.shape[-2] - query.shape[-2])
        if mask is not None and mask.shape[-3] > 1:
            mask = mask.repeat_interleave(2, dim=-3)
        keys, clock = self.clocked(keys, mask)
        keys, values = _as_maps(self._for_each_head(keys)), self._for_each_head(values)
        work = paths.Work(query, keys, values.repeat_interleave(2, dim=-3), mask, clock)  # 2 H heads, on any path
        context, weights = self.run_path(work, need_weights)
        return self._normed(self._less(context)), None if weights is None else self._less(weights)

    def _less(self, of_maps: Tensor) -> Tensor:
        """Weights or contexts of maps (..., 2 H, Q, any size) -> first - lambda second (..., H, Q, any size)."""
        first, second = of_maps.unflatten(-3, (-1, 2)).unbind(-3)
        return first - self.difference.to(second.dtype) * second

    def _normed(self, context: Tensor) -> Tensor:
        normed = F.rms_norm(exact(context), context.shape[-1:], exact(self.norm_weight), self.EPS)
        return ((1 - self.start_of_lambda) * normed).to(context.dtype)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, lambda_init={self.lambda_init}"


def _as_maps(heads: Tensor) -> Tensor:
    """(..., H, N, 2 d) -> (..., 2 H, N, d): the first and the second half of each head follow each other."""
    return heads.unflatten(-1, (2, -1)).movedim(-2, -3).flatten(-4, -3)


def _as_heads(maps: Tensor) -> Tensor:
    """(..., 2 H, N, d) -> (..., H, N, 2 d)."""
    return maps.unflatten(-3, (-1, 2)).movedim(-3, -2).flatten(-2)
