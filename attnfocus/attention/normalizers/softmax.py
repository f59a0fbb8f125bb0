"""Softmax and what changes one thing about it: its temperature, its growth with the length, its sum.

Shapes: ... leading dims, H heads, Q queries, K keys, n keys that a query may attend to. Masks are bool, True = may
attend.
"""

import math
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from attnfocus.attention import masks
from attnfocus.attention.normalizers.base import Normalizer, count
from attnfocus.attention.precision import exact
from attnfocus.limits import PositiveFloat, Range


class SoftmaxKind(Normalizer):
    """Softmax of c score, beside one more key or none: what a fused kernel for softmax computes, too.

    c and the score of that key are `factor` and `extra_logit`; a class below says these alone. Half precision scores
    are normalized in float32. A row with nothing to attend has weights 0.

    A `mask` is bool and broadcastable to the scores, True = may attend; None: all may be attended.
    """

    has_one_more: ClassVar[bool] = False  # a key of value 0, which takes its part of the weights
    counts_keys: ClassVar[bool] = False  # `factor` depends on n

    def factor(self, counts: Tensor | int) -> Tensor | None:
        """c, broadcastable to (..., H, Q, 1); None: 1. counts: n of each query, (..., 1), or of all; if they count."""
        return None

    @property
    def extra_logit(self) -> Tensor | None:
        """Score of the one more key, (H, 1, 1); None: 0."""
        return None

    def forward(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        precise = exact(scores)
        factor = self.factor(count(precise, mask if self.counts_keys else None))
        precise = precise if factor is None else precise * factor
        if self.has_one_more:
            return beside_one_more(precise, mask, self.extra_logit).to(scores.dtype)
        return masked_softmax(precise, mask).to(scores.dtype)


class Softmax(SoftmaxKind):
    """weight_j = exp(score_j) / sum_k exp(score_k), over the keys k that the mask lets through.

    Half precision scores are normalized in float32. A row with nothing to attend has weights 0. Cost: O(Q K).

    A `mask` is bool and broadcastable to the scores, True = may attend; None: all may be attended.
    """


class TemperatureSoftmax(SoftmaxKind):
    """weight = softmax(score / tau)   (Hinton et al. 2015, eq. 1, arXiv:1503.02531)

    tau is learned for each head as log(1 / tau), and held >= 0.01; tau of 1 is `Softmax`, less is sharper. A learned
    temperature in attention: El-Nouby et al. 2021 (arXiv:2106.09681), Lee et al. 2021 (arXiv:2112.13492).
    Cost: O(Q K).

    A `mask` is bool and broadcastable to the scores, True = may attend; None: all may be attended.

    Args:
        initial_temperature: tau at the start.
    """

    MIN_TEMPERATURE: ClassVar[float] = 0.01

    def __init__(self, *, num_heads: int, initial_temperature: Annotated[float, Range(ge=0.01)] = 1.0) -> None:
        super().__init__(num_heads=num_heads)
        self.log_scale = nn.Parameter(torch.empty(num_heads, 1, 1))
        nn.init.constant_(self.log_scale, -math.log(initial_temperature))

    def factor(self, counts: Tensor | int) -> Tensor:
        return exact(self.log_scale).clamp(max=-math.log(self.MIN_TEMPERATURE)).exp()  # (H, 1, 1)


class ScalableSoftmax(SoftmaxKind):
    """weight_j = n^(s score_j) / sum_k n^(s score_k) = softmax(s log(n) score)   (Nakanishi 2025, arXiv:2501.19399)

    Softmax flattens as the number n of keys grows; here the largest weight keeps its size. n counts the keys which
    the query may attend to, and s is learned for each head. Cost: O(Q K).

    A `mask` is bool and broadcastable to the scores, True = may attend; None: all may be attended.

    Args:
        initial_scale: s at the start; 0.43, that of the paper's figure 1, is `Softmax` at n = 10.
    """

    def __init__(self, *, num_heads: int, initial_scale: PositiveFloat = 0.43) -> None:
        super().__init__(num_heads=num_heads)
        self.scale = nn.Parameter(torch.empty(num_heads, 1, 1))
        nn.init.constant_(self.scale, initial_scale)

    counts_keys: ClassVar[bool] = True

    def factor(self, counts: Tensor | int) -> Tensor:
        return exact(self.scale) * (counts.log() if isinstance(counts, Tensor) else math.log(counts))


class SoftmaxPlusOne(SoftmaxKind):
    """weight_j = exp(score_j) / (1 + sum_k exp(score_k))   (Miller 2023, "Attention Is Off By One", a web article)

    As if there were one more key, of score 0 and value 0, so that a head may attend to nothing: the weights of a row
    sum to less than 1. Cost: O(Q K).

    A `mask` is bool and broadcastable to the scores, True = may attend; None: all may be attended.
    """

    sums_to_one: ClassVar[bool] = False
    has_one_more: ClassVar[bool] = True


class Sink(SoftmaxKind):
    """weight_j = exp(score_j) / (exp(s) + sum_k exp(score_k)), with a logit s that each head learns

    OpenAI 2025, the model card of gpt-oss, arXiv:2508.10925: a learned number in the denominator of softmax. As
    if there were one more key, of score s and value 0, so that a head may attend to nothing: the weights of a row sum
    to less than 1. s = 0 is `SoftmaxPlusOne`. Cost: O(Q K).

    A `mask` is bool and broadcastable to the scores, True = may attend; None: all may be attended.

    Args:
        initial_logit: s of all heads at the start.
    """

    sums_to_one: ClassVar[bool] = False
    has_one_more: ClassVar[bool] = True

    def __init__(self, *, num_heads: int, initial_logit: float = 0.0) -> None:
        super().__init__(num_heads=num_heads)
        self.logit = nn.Parameter(torch.empty(num_heads, 1, 1))
        nn.init.constant_(self.logit, initial_logit)

    @property
    def extra_logit(self) -> Tensor:
        return exact(self.logit)


def is_softmax(normalizer: Normalizer) -> bool:
    """Whether the two properties of `SoftmaxKind` say all of it."""
    return type(normalizer).forward is SoftmaxKind.forward


def beside_one_more(scores: Tensor, mask: Tensor | None, logit: Tensor | None) -> Tensor:
    """Softmax beside one more key of this logit (broadcastable to (..., H, Q, 1); None: 0), whose weight is cut off."""
    if scores.shape[-1] == 0:
        return scores
    if mask is not None:
        scores = torch.where(mask, scores, -torch.inf)
    # What is subtracted cancels, so it needs no gradient. It is never -inf: a blocked row is exp(-inf) / 1 = 0.
    largest = scores.detach().amax(dim=-1, keepdim=True)
    largest = largest.clamp(min=0) if logit is None else torch.maximum(largest, logit.detach())
    powers = (scores - largest).exp()
    rest = (-largest if logit is None else logit - largest).exp()
    return powers / (powers.sum(dim=-1, keepdim=True) + rest)


def masked_softmax(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax over the last axis, 0 where masked, and 0 everywhere in a row with nothing to attend."""
    if mask is None:
        return torch.softmax(scores, dim=-1)
    # Not -inf: a row of nothing but -inf is NaN, forward and backward. The lowest finite number still gives
    # exactly 0 beside any other score, and the last product clears the rows where all is blocked.
    weights = torch.softmax(torch.where(mask, scores, torch.finfo(scores.dtype).min), dim=-1)
    has_any = mask.any(dim=-1, keepdim=True)
    return weights if masks.surely_all(has_any) else weights * has_any  # which holds a second map for the gradient
