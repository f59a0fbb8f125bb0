"""Sparse weights and their gradients on a CPU, where a look at the numbers costs nothing: as few passes as it takes.

Shapes: R rows, each with K scores; n rows of a part, which are worked on together; alpha a number, or (R, 1).
With m = 1 / (alpha - 1) the weights are u^m, u_j = max((alpha - 1) score_j - tau, 0).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

# Of Newton's method. It converges quadratically: six steps are exact for most rows of some hundred keys, ten for the
# worst rows of 2000 that the tests know, and within 1e-6 for the worst of 16384.
NEWTON_STEPS = 10
# Numbers of the rows that are worked on together: they, and as many beside them, stay in the cache of a core.
PART = 2**17
GROUPS = 64  # of scores, whose largest are looked at first
NEAR = 1e-2  # a step after which these have done their work

Alpha = Tensor | float


def fill_with_weights(scores: Tensor, out: Tensor, alpha: Alpha) -> None:
    """alpha-entmax of scores (R, K) into out (R, K), which may be the scores themselves."""
    spare = _room(scores)
    for rows in _parts(scores):
        part = torch.sub(scores[rows], scores[rows].amax(dim=-1, keepdim=True), out=out[rows])
        if is_sparsemax(alpha):
            _fill_linear(part, spare[0][: len(part)])
        elif is_one_and_a_half(alpha):
            _fill_square(part.mul_(0.5), spare[0][: len(part)])
        else:
            powers = _Powers(alpha if isinstance(alpha, float) else alpha[rows], part.dtype)
            powers.fill(part.mul_(powers.excess), spare[:, : len(part)])


def fill_with_gradients(weights: Tensor, gradient: Tensor, alpha: Alpha, out: Tensor) -> Tensor | None:
    """The gradient of the scores into out (R, K), given that of the weights (R, K); `EntmaxFunction` says the formula.

    Returns that of alpha in each row, (R, 1), unless it is a number.
    """
    spare, of_alpha = _room(weights), []
    for rows in _parts(weights):
        part, of_part, result = weights[rows], gradient[rows], out[rows]
        own = alpha if isinstance(alpha, float) else alpha[rows]
        slopes, logs = _slopes(part, own, spare[:, : len(part)])
        of_row = torch.mul(slopes, of_part, out=result).sum(dim=-1, keepdim=True)
        of_row /= slopes.sum(dim=-1, keepdim=True).clamp_(min=_tiny(weights))
        torch.sub(of_part, of_row, out=result).mul_(slopes)
        if isinstance(own, Tensor):
            of_alpha.append(_of_alpha(part, of_part, logs, own, of_row))
    return torch.cat(of_alpha) if of_alpha else None


def sorted_threshold(scores: Tensor) -> Tensor:
    """tau (..., 1) of sparsemax, for scores whose largest is 0 (Martins and Astudillo 2016, algorithm 1)."""
    ordered = scores.sort(dim=-1, descending=True).values
    ranks = torch.arange(1, scores.shape[-1] + 1, dtype=scores.dtype, device=scores.device)
    excess = ordered.cumsum(dim=-1) - 1
    support = (ranks * ordered > excess).sum(dim=-1, keepdim=True)  # how many keys have weight
    support = support.clamp(min=1)  # none where scores are NaN
    return excess.gather(-1, support - 1) / support


def is_sparsemax(alpha: Alpha) -> bool:
    return isinstance(alpha, float) and alpha == 2.0


def is_one_and_a_half(alpha: Alpha) -> bool:
    return isinstance(alpha, float) and alpha == 1.5


# Scores (n, K) below are scaled by alpha - 1, and the largest of each row is 0. A step is (n, 1), from a threshold to
# where the m-norm of u, linear in tau, would be 1: the norm is convex and falling, so that Newton's method comes from
# the left.


def _fill_linear(scores: Tensor, spare: Tensor) -> None:
    def step(rest: Tensor) -> Tensor:
        total = rest.clamp_(min=0).sum(dim=-1, keepdim=True)
        return (total - 1) / rest.sign_().sum(dim=-1, keepdim=True)

    threshold, tolerance = _start(scores, step), 8 * torch.finfo(scores.dtype).eps
    if not _come_to_rest(threshold, scores, step, tolerance, spare):
        threshold = sorted_threshold(scores)
    scores.sub_(threshold).clamp_(min=0)


def _fill_square(scores: Tensor, spare: Tensor) -> None:
    def step(rest: Tensor) -> Tensor:
        norm = torch.linalg.vector_norm(rest.clamp_(min=0), dim=-1, keepdim=True)
        return norm * (norm - 1) / rest.sum(dim=-1, keepdim=True)

    threshold, tolerance = _start(scores, step), 8 * torch.finfo(scores.dtype).eps
    _come_to_rest(threshold, scores, step, tolerance, spare)
    scores.sub_(threshold).clamp_(min=0).square_()
    scores.div_(scores.sum(dim=-1, keepdim=True))


class _Powers:
    """Any alpha. Logarithms are made of normal numbers alone: those of 0 take ten times as long."""

    def __init__(self, alpha: Alpha, dtype: torch.dtype) -> None:
        self.excess = torch.as_tensor(alpha, dtype=dtype) - 1
        least = -1000.0 if dtype == torch.float64 else -120.0
        self.least = 2.0**least  # weights below it are 0
        self.floor = torch.exp2((least - 1) * self.excess).clamp_(min=torch.finfo(dtype).tiny)  # of u

    def fill(self, scores: Tensor, spare: Tensor) -> None:
        """spare (2, n, K)."""
        threshold = _start(scores, self._first_step)
        # The step after one of this size would be about its square, which the weights below take in.
        tolerance = math.sqrt(torch.finfo(scores.dtype).eps) / 8
        for number in range(NEWTON_STEPS):
            rest = torch.sub(scores, threshold, out=spare[0])
            change, slopes = self._step(rest, spare[1])
            if _largest(change) <= tolerance or number + 1 == NEWTON_STEPS:
                break
            threshold = threshold + change
        # u^m after the last step, to its first order: u^(m - 1) (u - m step).
        torch.sub(rest, change / self.excess, out=scores).clamp_(min=0).mul_(slopes)
        scores.div_(scores.sum(dim=-1, keepdim=True))

    def _first_step(self, rest: Tensor) -> Tensor:
        return self._step(rest, torch.empty_like(rest))[0]

    def _step(self, rest: Tensor, spare: Tensor) -> tuple[Tensor, Tensor]:
        """The step, and u^(m - 1) in `spare`; `rest` becomes u, and small numbers where that is 0."""
        torch.maximum(rest, self.floor, out=rest)
        powers = torch.threshold_(torch.log2(rest, out=spare).div_(self.excess).exp2_(), self.least, 0.0)
        total = powers.sum(dim=-1, keepdim=True)
        slopes = powers.div_(rest)
        return total * (1 - total.pow(-self.excess)) / slopes.sum(dim=-1, keepdim=True), slopes


def _start(scores: Tensor, step: Callable[[Tensor], Tensor]) -> Tensor:
    """tau (n, 1) for Newton's method: of a part of the keys it is not above the one of all, and close to it if these
    are the largest of some groups."""
    threshold = scores.new_full((len(scores), 1), -1.0)
    num_keys = scores.shape[-1]
    if num_keys < 2 * GROUPS:
        return threshold
    whole = num_keys - num_keys % GROUPS
    largest = scores[:, :whole].unflatten(-1, (-1, GROUPS)).amax(dim=-2)
    if whole < num_keys:
        rest = scores[:, whole:]
        torch.maximum(largest[:, : rest.shape[-1]], rest, out=largest[:, : rest.shape[-1]])
    _come_to_rest(threshold, largest, step, NEAR)
    return threshold


def _come_to_rest(
    threshold: Tensor, scores: Tensor, step: Callable[[Tensor], Tensor], tolerance: float, spare: Tensor | None = None
) -> bool:
    """Moves the threshold (n, 1) by steps until one is at most `tolerance`; False: after the last it was not."""
    for _ in range(NEWTON_STEPS):
        change = step(torch.sub(scores, threshold, out=spare))
        threshold += change
        if _largest(change) <= tolerance:
            return True
    return False


def _slopes(weights: Tensor, alpha: Alpha, spare: Tensor) -> tuple[Tensor, Tensor]:
    """weights^(2 - alpha), and 0 where there is no weight; for any alpha also log2 of weights. spare (2, n, K)."""
    first, second = spare
    if is_sparsemax(alpha):
        return torch.sign(weights, out=first), second
    least = _tiny(weights)
    torch.clamp(weights, min=least, out=second)
    if is_one_and_a_half(alpha):  # roots of 0 are slow
        return torch.threshold_(torch.sqrt(second, out=first), 1.001 * math.sqrt(least), 0.0), second
    torch.mul(second.log2_(), 2 - alpha, out=first).exp2_()
    return first.mul_(torch.sign(weights)), second


def _of_alpha(weights: Tensor, gradient: Tensor, logs: Tensor, alpha: Tensor, of_row: Tensor) -> Tensor:
    """What alpha has of each row (n, 1): `_alpha_slopes` of `entmax`, less what the threshold takes back."""
    excess = alpha - 1
    logs.mul_(excess * math.log(2))
    own = logs.neg().expm1_().add_(logs).mul_(weights)
    total = own.sum(dim=-1, keepdim=True)
    return (of_row * total - own.mul_(gradient).sum(dim=-1, keepdim=True)) / excess**2


def _parts(rows: Tensor) -> list[slice]:
    size = max(1, PART // max(1, rows.shape[-1]))
    return [slice(first, first + size) for first in range(0, len(rows), size)]


def _room(rows: Tensor) -> Tensor:
    """For two parts: (2, n, K)."""
    return rows.new_empty(2, min(len(rows), max(1, PART // max(1, rows.shape[-1]))), rows.shape[-1])


def _largest(steps: Tensor) -> float:
    return steps.abs().amax().item()


def _tiny(tensor: Tensor) -> float:
    return torch.finfo(tensor.dtype).tiny
