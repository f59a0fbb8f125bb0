"""Sigmoid weights. Shapes: ... leading dims, H heads, Q queries, K keys. Masks are bool, True = may attend."""

from typing import ClassVar

import torch
from torch import Tensor

from attnfocus.attention.normalizers.base import Normalizer, log_count
from attnfocus.attention.precision import exact


class Sigmoid(Normalizer):
    """weight_j = 1 / (1 + exp(-(score_j + b))), b = -log(n)   (Ramapuram et al. 2024, sec. 2, arXiv:2409.04431)

    Each key has a weight of its own, whatever the others have, so that the weights of a row need not sum to 1. n
    counts the keys which the query may attend to: b makes weights of about 1 / n where scores are about 0, and a
    context as large as that of softmax whatever the length. Cost: O(Q K).

    A `mask` is bool and broadcastable to the scores, True = may attend; None: all may be attended.
    """

    sums_to_one: ClassVar[bool] = False

    def forward(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        precise = exact(scores)
        bias = -log_count(precise, mask)
        if mask is not None:
            precise = precise.masked_fill(~mask, -torch.inf)  # sigmoid(-inf) is 0, and so is its slope
        return torch.sigmoid(precise + bias).to(scores.dtype)
