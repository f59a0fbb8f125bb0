"""Stick-breaking weights. Shapes: ... leading dims, H heads, Q queries, K keys. Masks are bool, True = may attend."""

from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from attnfocus.attention.normalizers.base import Normalizer
from attnfocus.attention.precision import exact


class StickBreaking(Normalizer):
    """weight_j = sigmoid(score_j) prod_{k > j} (1 - sigmoid(score_k)), over the keys which the query may attend to

    Tan et al. 2024, arXiv:2410.17980: the keys are taken one by one from the last to the first, and each takes its
    part of what the ones behind it have left, so that the nearest key with a high score wins and no position is
    needed. What is left at the first key goes nowhere: the weights of a row sum to less than 1.

    Under a causal pattern the last key is the query itself, which the paper leaves out (its keys are j < i). Without
    one, and in cross-attention or a pooling, the stick is broken from the last key on, whatever the query. A masked
    key is passed by.

    Computed as exp(log sigmoid(score_j) - sum_{k > j} softplus(score_k)), in float32 for half precision. Cost: O(Q K).

    A `mask` is bool and broadcastable to the scores, True = may attend; None: all may be attended.
    """

    sums_to_one: ClassVar[bool] = False
    needs_order: ClassVar[bool] = True

    def forward(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        if scores.shape[-1] == 0:
            return scores
        precise = exact(scores)
        left = F.softplus(precise)  # -log(1 - sigmoid)
        if mask is not None:
            left = left.masked_fill(~mask, 0.0)
        taken = F.pad(left[..., 1:].flip(-1).cumsum(dim=-1).flip(-1), (0, 1))  # by the keys behind each
        weights = (F.logsigmoid(precise) - taken).exp()
        return (weights if mask is None else weights.masked_fill(~mask, 0.0)).to(scores.dtype)
