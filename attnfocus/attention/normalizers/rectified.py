"""Weights that are 0 where the score is not above 0. Shapes: ... leading dims, H heads, Q queries, K keys.

Masks are bool, True = may attend.
"""

from typing import ClassVar

import torch
from torch import Tensor

from attnfocus.attention.normalizers.base import Normalizer, count
from attnfocus.attention.precision import exact


class Softpick(Normalizer):
    """weight_j = max(exp(score_j) - 1, 0) / (sum_k |exp(score_k) - 1| + epsilon)

    Rectified softmax: Zuhri et al. 2025, arXiv:2504.20966. A key whose score is not above 0 has weight exactly 0, and
    still takes from the others through the denominator, where its gradient comes from. The weights of a row sum to at
    most 1, and to 0 where no score is above 0, so that no key has to serve as a sink.

    All is divided by the largest exponential of a row, or by 1, and exp(x) - 1 by `expm1`: nothing overflows, and small
    scores keep their digits. Half precision is computed in float32. Cost: O(Q K).

    A `mask` is bool and broadcastable to the scores, True = may attend; None: all may be attended.
    """

    sums_to_one: ClassVar[bool] = False
    needs_positive: ClassVar[bool] = True
    EPS: ClassVar[float] = 1e-6

    def forward(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        if scores.shape[-1] == 0:
            return scores
        precise = exact(scores)
        if mask is not None:
            precise = precise.masked_fill(~mask, 0.0)  # exp(0) - 1 adds to nothing
        above, below = precise.clamp(min=0), precise.clamp(max=0)
        largest = above.detach().amax(dim=-1, keepdim=True)  # cancels, so it needs no gradient
        scale = (-largest).exp()
        picked = -torch.expm1(-above) * (above - largest).exp()
        total = picked.sum(dim=-1, keepdim=True) - (torch.expm1(below).sum(dim=-1, keepdim=True) - self.EPS) * scale
        return (picked / total).to(scores.dtype)


class ReluSquared(Normalizer):
    """weight_j = max(score_j, 0)^2 / n   (Hua et al. 2022, the gated attention unit, arXiv:2202.10447)

    Each key has a weight of its own, exactly 0 where its score is not above 0, whatever the others have; the weights of
    a row may sum to anything. n counts the keys which the query may attend to; what division by the length does for
    relu: Wortsman et al. 2023, arXiv:2309.08586. Weights grow with the square of the scores, without end: normed
    queries and keys (attention.score.qk_norm=rms) hold them in range. Half precision is computed in float32. Cost:
    O(Q K).

    A `mask` is bool and broadcastable to the scores, True = may attend; None: all may be attended.
    """

    sums_to_one: ClassVar[bool] = False
    needs_positive: ClassVar[bool] = True
    is_bounded: ClassVar[bool] = False

    def forward(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        precise = exact(scores)
        if mask is not None:
            precise = precise.masked_fill(~mask, 0.0)
        return (torch.relu(precise).square() / count(precise, mask)).to(scores.dtype)
