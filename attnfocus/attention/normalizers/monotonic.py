"""Monotonic attention. Masks are bool, True = may attend.

Shapes: ... leading dims, H heads, Q queries, K keys; N leading dims and heads in one; D = Q + K - 1 diagonals.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention import own_gradients
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

    The recurrence q_ij = (1 - p_{i,j-1}) q_{i,j-1} + weight_{i-1,j}, weight_ij = p_ij q_ij (eq. 13 and 14) needs of
    each pair its neighbors before it, so that all pairs of the same i + j are computed at once (`Alignments`), and of a
    single step all keys (`carried`): without the quotients of the paper's appendix, which underflow on long inputs.

    A masked key is passed by: p = 0. Half precision is computed in float32. Parameter per head: `offset` r.

    Cost: O(Q K) for Q queries at once, in Q + K - 1 rounds; O(K log K) for a single one, in log2 K rounds.

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

    def steps(self, scores: Tensor, mask: Tensor | None, history: History) -> Tensor:
        if self._is_hard or scores.shape[-2] < 2 or scores.shape[-1] == 0 or not own_gradients.possible():
            return super().steps(scores, mask, history)
        logits = self._logits(scores, mask)
        previous = history.previous.to(logits.dtype).expand(*logits.shape[:-2], 1, -1)
        weights: Tensor = Alignments.apply(logits.flatten(0, -3), previous.flatten(0, -2))
        return weights.view(logits.shape).to(scores.dtype)

    def first_weights(self, zeros: Tensor) -> Tensor:
        """All on the first key: the first step starts there."""
        return F.pad(zeros[..., 1:], (1, 0), value=1.0) if zeros.shape[-1] > 0 else zeros

    def _weights(self, scores: Tensor, mask: Tensor | None, previous: Tensor) -> Tensor:
        logits = self._logits(scores, mask)
        if self._is_hard:  # the same recurrence, of probabilities 0 and 1
            stopping = (logits > 0).to(logits.dtype)
            return (stopping * carried(previous.to(logits.dtype), 1 - stopping)).to(scores.dtype)
        return after(previous.to(logits.dtype), logits).to(scores.dtype)

    def _logits(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        logits = exact(scores) + self.offset
        if self.training and self.noise > 0:
            logits = logits + self.noise * torch.randn_like(logits)
        if mask is not None:  # the lowest finite number: sigmoid makes it exactly 0, and of its negative exactly 1
            logits = logits.masked_fill(~mask, torch.finfo(logits.dtype).min)
        return logits

    @property
    def _is_hard(self) -> bool:
        return self.hard_at_test and not self.training

    def extra_repr(self) -> str:
        return f"noise={self.noise}, hard_at_test={self.hard_at_test}"


def after(previous: Tensor, logits: Tensor) -> Tensor:
    """Weights (..., K) of a step with these logits of p, after one with the weights `previous`."""
    return torch.sigmoid(logits) * carried(previous, torch.sigmoid(-logits))


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


class Alignments(torch.autograd.Function):
    """logits (N, Q, K) of p, weights (N, K) before the first step -> weights of all steps (N, Q, K).

    With x_ij what arrives at a key: x_ij = (1 - p_{i,j-1}) x_{i,j-1} + weight_{i-1,j} and weight_ij = p_ij x_ij. The
    two neighbors of a pair lie on the diagonal before its own, i + j - 1, so that one diagonal after the other is
    computed, each in two operations; in the gradient from the last to the first, in three. Only sums and products that
    stay in range. Gradients of gradients go step by step.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, previous: Tensor) -> Tensor:
        num_queries, num_keys = logits.shape[1:]
        skewed = _by_diagonals(logits, torch.finfo(logits.dtype).min)
        stop, passing = torch.sigmoid(skewed), skewed.neg_().sigmoid_()
        arriving = torch.empty_like(stop)
        entering = stop.new_zeros(*stop.shape[:2], num_queries + 1)  # the next diagonal, at query i, from query i - 1
        entering[: num_keys - 1, :, 0] = previous[:, 1:].T
        arriving[0] = 0
        arriving[0, :, 0] = previous[:, 0]
        diagonals = zip(*(each.unbind(0) for each in (stop, passing, arriving, entering)), strict=True)
        before: tuple[Tensor, Tensor, Tensor] | None = None
        for stops, passes, arrives, enters in diagonals:
            if before is not None:
                torch.addcmul(*before, out=arrives)
            torch.mul(stops, arrives, out=enters[:, 1:])
            before = enters[:, :-1], passes, arrives
        ctx.save_for_backward(logits, previous, stop, passing, arriving)
        return _by_queries(entering[..., 1:], num_keys)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        logits, previous, stop, passing, arriving = ctx.saved_tensors
        if torch.is_grad_enabled():
            return own_gradients.by_plain(_steps, (logits, previous), gradient)
        num_keys = logits.shape[2]
        of_weights = _by_diagonals(gradient, 0.0)
        length, count, num_queries = stop.shape
        of_arriving = stop.new_zeros(length + 1, count, num_queries + 1)
        diagonals = zip(*(each.unbind(0) for each in (stop, passing, of_weights, of_arriving[:-1])), strict=True)
        later = of_arriving[-1]
        for stops, passes, gradients, now in reversed(list(diagonals)):
            gradients.add_(later[:, 1:])
            torch.mul(stops, gradients, out=now[:, :-1]).addcmul_(passes, later[:, :-1])
            later = now
        slope = of_weights.sub_(of_arriving[1:, :, :-1]).mul_(arriving).mul_(stop).mul_(passing)
        return _by_queries(slope, num_keys), of_arriving[:num_keys, :, 0].T


def _steps(logits: Tensor, previous: Tensor) -> Tensor:
    """What `Alignments` computes, step by step."""
    rows = []
    for row in logits.unbind(1):
        previous = after(previous, row)
        rows.append(previous)
    return torch.stack(rows, dim=1)


def _by_diagonals(pairs: Tensor, outside: float) -> Tensor:
    """(N, Q, K) -> (D, N, Q): pair (i, j) at (i + j, i), and `outside` where there are no keys."""
    count, num_queries, num_keys = pairs.shape
    diagonals = pairs.new_full((num_queries + num_keys - 1, count, num_queries), outside)
    _pairs_of(diagonals, num_keys).copy_(pairs)
    return diagonals


def _by_queries(diagonals: Tensor, num_keys: int) -> Tensor:
    """(D, N, Q) -> (N, Q, K), the inverse of `_by_diagonals`."""
    return _pairs_of(diagonals, num_keys).contiguous()


def _pairs_of(diagonals: Tensor, num_keys: int) -> Tensor:
    """A view of (D, N, Q) as (N, Q, K)."""
    along, items, queries = diagonals.stride()
    shape = (*diagonals.shape[1:], num_keys)
    return diagonals.as_strided(shape, (items, along + queries, along), diagonals.storage_offset())
