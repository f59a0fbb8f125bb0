"""Additive scores that also look at where a decoder has looked: location and coverage.

Shapes: ... leading dims, H heads, Q queries, K keys, h hidden size, k filters, r kernel size.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention import own_gradients
from attnfocus.attention.masks import leading_dims
from attnfocus.attention.memory import History
from attnfocus.attention.scores.additive import AdditiveScore
from attnfocus.attention.scores.base import per_head_linear, xavier_uniform_per_head_
from attnfocus.attention.scores.steps import SoftmaxSteps
from attnfocus.limits import Size


class AdditiveHistoryScore(AdditiveScore):
    """score(q_i, k_j) = v . tanh(W q_i + U k_j + b + features_ij), the features made of the weights of earlier steps.

    Without a history (`forward`) the features are 0 and this is the additive score.

    Cost: that of the additive score, and of the features once per query. Queries come one by one: what a step
    adds to the keys follows from the weights of the one before, through a tanh and a softmax, which no scan can join.
    """

    uses_history: ClassVar[bool] = True

    def feature_inputs(self, history: History) -> tuple[Tensor, Tensor | None, Tensor]:
        """What the features are made of: matrix M (H, f, h), filters F (H, f, r) or None, numbers c (..., H, 1, K).

        With filters c is the weights of the last step, and features = M^T (F * c); without, it is the sum of the
        weights of all steps so far, f = 1, and features = M^T c.
        """
        raise NotImplementedError

    def features(self, history: History) -> Tensor:
        """(..., H, K, h), added to U k + b. Linear in the weights, so that 0 before the first step gives 0."""
        matrix, filters, numbers = self.feature_inputs(history)
        numbers = numbers.to(matrix.dtype)
        if filters is None:
            return numbers.mT * matrix
        width = filters.shape[-1]
        # One place more than there are windows to keep: a window then fits in even where there are no keys.
        padded = F.pad(numbers, (width // 2, width // 2 + 1))
        windows = padded.unfold(-1, width, 1)[..., :-1, :].squeeze(-3)  # (..., H, K, r)
        return per_head_linear(per_head_linear(windows, filters), matrix.mT)

    def step(self, query: Tensor, keys: Tensor, history: History) -> Tensor:
        return self(query, keys + self.features(history))

    def softmax_steps(self, query: Tensor, keys: Tensor, mask: Tensor | None, history: History) -> Tensor | None:
        cls = AdditiveHistoryScore
        if not own_gradients.possible() or type(self).step is not cls.step or type(self).features is not cls.features:
            return None
        query = self.prepare_query(query)
        matrix, filters, start = self.feature_inputs(history)
        dtype = torch.promote_types(torch.promote_types(query.dtype, keys.dtype), torch.float32)
        leading = leading_dims(query, keys)  # (..., H)
        query, keys, vector, matrix, start = (
            tensor.to(dtype).expand(*leading, *tensor.shape[-2:]).flatten(0, -3)
            for tensor in (query, keys, self.vector.unsqueeze(-2), matrix, start)
        )
        if filters is not None:
            filters = filters.to(dtype).expand(*leading, *filters.shape[-2:]).flatten(0, -3)
        if mask is not None:
            mask = mask.expand(*leading, mask.shape[-2] if mask.dim() > 1 else 1, keys.shape[-2]).flatten(0, -3)
        weights: Tensor = SoftmaxSteps.apply(query, keys, vector, matrix, filters, start, mask)
        return weights.view(*leading, *weights.shape[-2:])


class LocationScore(AdditiveHistoryScore):
    """score(q_i, k_j) = v . tanh(W q_i + U k_j + b + M f_ij),  f_i = F * weights_{i-1}

    The location-aware attention of Chorowski et al. 2015, eq. 8 and 9, arXiv:1506.07503: k filters run over the weights
    of the last step, so that the score can move on from there. As everywhere in the field the convolution is not
    flipped: f_ij = sum_n F_n weight_{i-1, j+n}, n from -(r-1)/2 to (r-1)/2, with weights 0 outside the sequence.

    Per head, besides the additive score's: `filters` F (k, r), `feature_weight` M (h, k).

    Cost: of the features O(K (r k + k h)) for each query.

    Args:
        query_dim, key_dim, num_heads, hidden_size: as in `AdditiveScore`.
        num_filters: k.
        kernel_size: r, in keys: odd, so that a filter reaches as far back as ahead.

    Raises:
        ValueError: kernel_size is even.
    """

    def __init__(
        self,
        *,
        query_dim: int,
        key_dim: int,
        num_heads: int,
        num_filters: Size = 10,
        kernel_size: Size = 31,
        hidden_size: Size | None = None,
    ) -> None:
        super().__init__(query_dim=query_dim, key_dim=key_dim, num_heads=num_heads, hidden_size=hidden_size)
        if kernel_size % 2 == 0:
            raise ValueError(
                f"kernel_size must be odd, to reach as far back as ahead, got {kernel_size}: "
                f"use {kernel_size - 1} or {kernel_size + 1}."
            )
        self.kernel_size = kernel_size
        self.filters = nn.Parameter(torch.empty(self.num_heads, num_filters, kernel_size))
        self.feature_weight = nn.Parameter(torch.empty(self.num_heads, self.hidden_size, num_filters))
        bound = math.sqrt(3 / num_filters)  # for all weight on one key the features have a length of about 1
        nn.init.uniform_(self.filters, -bound, bound)
        xavier_uniform_per_head_(self.feature_weight)

    def feature_inputs(self, history: History) -> tuple[Tensor, Tensor | None, Tensor]:
        return self.feature_weight.mT, self.filters, history.previous

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, num_filters={self.filters.shape[1]}, kernel_size={self.kernel_size}"


class CoverageScore(AdditiveHistoryScore):
    """score(q_i, k_j) = v . tanh(W q_i + U k_j + b + w c_ij),  c_ij = sum_{t < i} weight_tj

    The coverage vector c of See et al. 2017, eq. 10 and 11, arXiv:1704.04368 (the idea: Tu et al. 2016,
    arXiv:1601.04811): how much a key has been looked at so far, so that the score can turn away from it.

    Per head, besides the additive score's: `coverage_weight` w (h). It starts at 0: the score starts as the additive
    one, and learns whether to turn away from what it has seen or to stay there.

    Cost: of the features O(K h) for each query.
    """

    def __init__(self, *, query_dim: int, key_dim: int, num_heads: int, hidden_size: Size | None = None) -> None:
        super().__init__(query_dim=query_dim, key_dim=key_dim, num_heads=num_heads, hidden_size=hidden_size)
        self.coverage_weight = nn.Parameter(torch.zeros(self.num_heads, 1, self.hidden_size))

    def feature_inputs(self, history: History) -> tuple[Tensor, Tensor | None, Tensor]:
        return self.coverage_weight, None, history.total
