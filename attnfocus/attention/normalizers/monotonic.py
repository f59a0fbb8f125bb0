"""Monotonic attention. Shapes: ... leading dims, H heads, Q queries, K keys. Masks are bool, True = may attend."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention.memory import History
from attnfocus.attention.normalizers.base import Normalizer
from attnfocus.attention.precision import exact
from attnfocus.limits import NonNegativeFloat


class Monotonic(Normalizer):
    """weight_ij = p_ij sum_{k <= j} weight_{i-1,k} prod_{k <= l < j} (1 - p_il),  p_ij = sigmoid(score_ij + r)

    The expected alignment of Raffel et al. 2017, eq. 9 to 14, arXiv:1704.00784: each step starts where the last one
    stopped, takes the keys in their order, and stops at key j with probability p_ij; it never goes back. The first step
    starts at the first key. The weights sum to less than 1 by the probability that no key was chosen. They are an
    expectation: nothing is sampled. With `hard_at_test`, each step in evaluation takes the first key from the last one
    on whose p is above 1/2, as the paper decodes online: one weight of 1, or none, there and in all steps
    after it.

    The recurrence q_j = (1 - p_{j-1}) q_{j-1} + weight_{i-1,j}, weight_ij = p_ij q_j (eq. 13 and 14) runs over all keys
    at once (`carried`), without the quotients of the paper's appendix, which underflow on long inputs.

    A masked key is passed by: p = 0. Half precision is computed in float32. Parameter per head: `offset` r.

    Cost: O(K log K) for each query, which come one by one.

    A `mask` is bool and broadcastable to the scores, True = may attend; None: all may be attended.

    Args:
        initial_offset: r at the start: negative, so that probability is left for the keys further on; the longer the
            inputs, the lower.
        noise: standard deviation of normal noise on the scores in training, which drives p towards 0 and 1, as the
            paper's online decoding needs. 0: none.
        hard_at_test: whether one key is chosen in evaluation. Its weights have no gradient.
    """

    sums_to_one: ClassVar[bool] = False
    uses_history: ClassVar[bool] = True

    def __init__(
        self,
        *,
        num_heads: int,
        initial_offset: float = -1.0,
        noise: NonNegativeFloat = 0.0,
        hard_at_test: bool = False,
    ) -> None:
        super().__init__(num_heads=num_heads)
        self.noise, self.hard_at_test = noise, hard_at_test
        self.offset = nn.Parameter(torch.empty(num_heads, 1, 1))
        nn.init.constant_(self.offset, initial_offset)

    def forward(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        """Every query as a first step."""
        return self._weights(scores, mask, self.first_weights(torch.zeros_like(scores)))

    def step(self, scores: Tensor, mask: Tensor | None, history: History) -> Tensor:
        return self._weights(scores, mask, history.previous)

    def first_weights(self, zeros: Tensor) -> Tensor:
        """All on the first key: the first step starts there."""
        return F.pad(zeros[..., 1:], (1, 0), value=1.0) if zeros.shape[-1] > 0 else zeros

    def _weights(self, scores: Tensor, mask: Tensor | None, previous: Tensor) -> Tensor:
        logits = exact(scores) + self.offset
        if self.training and self.noise > 0:
            logits = logits + self.noise * torch.randn_like(logits)
        if mask is not None:  # the lowest finite number: sigmoid makes it exactly 0, and of its negative exactly 1
            logits = logits.masked_fill(~mask, torch.finfo(logits.dtype).min)
        if self.hard_at_test and not self.training:  # the same recurrence, of probabilities 0 and 1
            stopping = (logits > 0).to(logits.dtype)
            return (stopping * carried(previous.to(logits.dtype), 1 - stopping)).to(scores.dtype)
        arriving = carried(previous.to(logits.dtype), torch.sigmoid(-logits))
        return (torch.sigmoid(logits) * arriving).to(scores.dtype)

    def extra_repr(self) -> str:
        return f"noise={self.noise}, hard_at_test={self.hard_at_test}"


def carried(entering: Tensor, passing: Tensor) -> Tensor:
    """x_j = entering_j + passing_{j-1} x_{j-1} along the last axis, for all j in log2(K) rounds.

    After a round of `reach`, x_j holds what entered at the last 2 reach places. With passing in [0, 1] and entering
    >= 0 there are only sums and products that stay in range, so no rounding grows (the scan of Hillis and Steele 1986).
    """
    factor, reach = F.pad(passing[..., :-1], (1, 0)), 1
    while reach < entering.shape[-1]:
        entering = entering + factor * F.pad(entering[..., :-reach], (reach, 0))
        factor = factor * F.pad(factor[..., :-reach], (reach, 0))
        reach *= 2
    return entering
