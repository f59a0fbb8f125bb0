"""Sparse weights: the family alpha-entmax, from softmax (alpha = 1) to sparsemax (alpha = 2).

Shapes: ... leading dims, H heads, Q queries, K keys. Masks are bool, True = may attend.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from attnfocus.attention import masks
from attnfocus.attention.normalizers.base import Normalizer
from attnfocus.attention.normalizers.sparse_rows import (
    NEWTON_STEPS,
    fill_with_gradients,
    fill_with_weights,
    is_one_and_a_half,
    is_sparsemax,
    sorted_threshold,
)
from attnfocus.attention.precision import exact
from attnfocus.limits import Range


class Sparsemax(Normalizer):
    """weight = argmin_p |p - score|^2 over distributions p, weight_j = max(score_j - tau, 0)

    Martins and Astudillo 2016, eq. 2 and algorithm 1, arXiv:1602.02068. tau is what makes the weights sum to 1, so
    that keys whose score is below it have weight exactly 0. Piecewise linear: the slope is constant while the keys
    above tau stay the same, and a key without weight has no gradient.

    Cost: O(Q K), on a CPU about seven times over for the threshold; O(Q K log K) for sorting elsewhere.

    A `mask` is bool and broadcastable to the scores, True = may attend; None: all may be attended.
    """

    def forward(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        return entmax(scores, mask, 2.0)


class Entmax15(Normalizer):
    """weight_j = max(score_j / 2 - tau, 0)^2   (1.5-entmax: Peters et al. 2019, arXiv:1905.05702)

    Between softmax and sparsemax: keys far below the best have weight exactly 0, and the others change smoothly.

    Cost: O(Q K), about ten times over for the threshold tau, which makes the weights sum to 1; on a CPU five times.

    A `mask` is bool and broadcastable to the scores, True = may attend; None: all may be attended.
    """

    def forward(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        return entmax(scores, mask, 1.5)


class Entmax(Normalizer):
    """weight_j = max((alpha - 1) score_j - tau, 0)^(1 / (alpha - 1)), with an alpha that each head learns

    alpha-entmax: Peters et al. 2019, arXiv:1905.05702. Learned, alpha = 1 + sigmoid(a): Correia et al. 2019, whose
    proposition 1 is the gradient of alpha, arXiv:1909.00015. Near 1 a head is dense as with softmax, near 2 as sparse
    as with sparsemax. At 1 the formula is 0 / 0, so alpha stays above MIN_ALPHA: 1.01 + 0.99 sigmoid(a).

    Cost: O(Q K) powers, about ten times over for the threshold tau, which makes the weights sum to 1; on a CPU about
    four times.

    A `mask` is bool and broadcastable to the scores, True = may attend; None: all may be attended.

    Args:
        initial_alpha: alpha of all heads at the start.
    """

    MIN_ALPHA: ClassVar[float] = 1.01

    def __init__(self, *, num_heads: int, initial_alpha: Annotated[float, Range(gt=1.01, lt=2)] = 1.5) -> None:
        super().__init__(num_heads=num_heads)
        self.pre_alpha = nn.Parameter(torch.empty(num_heads, 1, 1))
        part = (initial_alpha - self.MIN_ALPHA) / (2 - self.MIN_ALPHA)
        nn.init.constant_(self.pre_alpha, math.log(part / (1 - part)))

    @property
    def alpha(self) -> Tensor:
        """(H, 1, 1), above MIN_ALPHA and at most 2."""
        return self.MIN_ALPHA + (2 - self.MIN_ALPHA) * torch.sigmoid(exact(self.pre_alpha))

    def forward(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        return entmax(scores, mask, self.alpha)


def entmax(scores: Tensor, mask: Tensor | None, alpha: Tensor | float) -> Tensor:
    """alpha-entmax over the last axis, 0 where masked; alpha in (1, 2], a number or a tensor that broadcasts."""
    if scores.shape[-1] == 0:
        return scores
    weights: Tensor = EntmaxFunction.apply(exact(scores), mask, alpha)
    return weights.to(scores.dtype)


class EntmaxFunction(torch.autograd.Function):
    """Weights, and their slopes by the implicit function theorem, which need nothing but the weights themselves.

    With s_j = weight_j^(2 - alpha) where weight_j > 0, and 0 elsewhere: d weight_i / d score_j = s_i (1[i = j] -
    s_j / sum s). It can be differentiated again.
    """

    @staticmethod
    def forward(scores: Tensor, mask: Tensor | None, alpha: Tensor | float) -> Tensor:
        if mask is not None:
            scores = torch.where(mask, scores, torch.finfo(scores.dtype).min)
        if _by_rows(scores):
            rows = scores.reshape(-1, scores.shape[-1])
            weights = torch.empty_like(rows) if mask is None else rows
            fill_with_weights(rows, weights, _of_rows(alpha, scores))
            weights = weights.view(scores.shape)
        else:
            weights = weights_by_fixed_steps(scores, alpha)
        if mask is None:
            return weights
        has_any = mask.any(dim=-1, keepdim=True)
        return weights if masks.surely_all(has_any) else weights.mul_(has_any)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        alpha = inputs[2]
        is_learned = isinstance(alpha, Tensor)
        ctx.alpha = None if is_learned else alpha
        ctx.save_for_backward(output, *([alpha] if is_learned else []))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, Tensor | None]:
        (gradient,), (weights, *learned) = gradients, ctx.saved_tensors
        alpha = learned[0] if learned else ctx.alpha
        if _by_rows(weights) and not torch.is_grad_enabled():
            return _gradients_by_rows(weights, gradient, alpha)
        slopes = _slopes(weights, alpha)
        of_threshold = slopes / slopes.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
        of_scores = slopes * (gradient - (of_threshold * gradient).sum(dim=-1, keepdim=True))
        if not learned or not ctx.needs_input_grad[2]:
            return of_scores, None, None
        own = _alpha_slopes(weights, alpha)
        of_alpha = own - of_threshold * own.sum(dim=-1, keepdim=True)
        return of_scores, None, (gradient * of_alpha).sum_to_size(alpha.shape)

    @staticmethod
    def vmap(
        info: Any, in_dims: Sequence[int | None], scores: Tensor, mask: Tensor | None, alpha: Tensor | float
    ) -> tuple[Tensor, int]:
        """What `torch.func.vmap` maps over becomes one more leading dim."""
        rank = scores.dim() + (in_dims[0] is None)
        whole = scores.expand(info.batch_size, *scores.shape) if in_dims[0] is None else scores.movedim(in_dims[0], 0)
        mask, alpha = (_in_front(each, dim, rank) for each, dim in zip((mask, alpha), in_dims[1:], strict=True))
        weights: Tensor = EntmaxFunction.apply(whole, mask, alpha)
        return weights, 0


def _in_front(tensor: Any, dim: int | None, rank: int) -> Any:
    """A tensor that broadcasts to scores of `rank` dims, with its dim `dim` as the first of them; anything without."""
    if dim is None:
        return tensor
    moved = tensor.movedim(dim, 0)
    return moved.reshape(len(moved), *(1 for _ in range(rank - moved.dim())), *moved.shape[1:])


def _by_rows(tensor: Tensor) -> bool:
    """Whether its numbers can be looked at, at no cost."""
    if tensor.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    return not torch._C._are_functorch_transforms_active()


def _of_rows(alpha: Tensor | float, scores: Tensor) -> Tensor | float:
    return alpha.expand(*scores.shape[:-1], 1).reshape(-1, 1) if isinstance(alpha, Tensor) else alpha


def _gradients_by_rows(weights: Tensor, gradient: Tensor, alpha: Tensor | float) -> tuple[Tensor, None, Tensor | None]:
    num_keys, out = weights.shape[-1], torch.empty_like(weights, memory_format=torch.contiguous_format)
    rows = weights.reshape(-1, num_keys), gradient.reshape(-1, num_keys)
    of_alpha = fill_with_gradients(*rows, _of_rows(alpha, weights), out.view(-1, num_keys))
    if of_alpha is None or not isinstance(alpha, Tensor):
        return out, None, None
    return out, None, of_alpha.view(*weights.shape[:-1], 1).sum_to_size(alpha.shape)


def weights_by_fixed_steps(scores: Tensor, alpha: Tensor | float) -> Tensor:
    """alpha-entmax over the last axis by as many steps for all rows, so that none asks the device for an answer."""
    # More than 1 below the best (times alpha - 1) there is no weight. The clamp keeps sums small and finite.
    scores = scores - scores.amax(dim=-1, keepdim=True)
    if is_sparsemax(alpha):
        scores.clamp_(min=-1)
        return (scores - sorted_threshold(scores)).clamp_(min=0)
    return entmax_of(scores.mul_(alpha - 1).clamp_(min=-1), alpha)


def entmax_of(scores: Tensor, alpha: Tensor | float) -> Tensor:
    """alpha-entmax of scores (alpha - 1) score_j, all within [-1, 0], the largest 0.

    With m = 1 / (alpha - 1) and u_j = max(score_j - tau, 0), the weights u_j^m sum to 1 where the m-norm of u is 1.
    The norm is convex and falling in tau, so that Newton's method comes from the left, at tau = -1, and never steps
    over the root.
    """
    threshold = torch.full_like(scores[..., :1], -1.0)
    for _ in range(NEWTON_STEPS):
        total, slope, norm = _norm(scores - threshold, alpha)
        threshold = threshold + total * (1 - 1 / norm) / slope
    rest = (scores - threshold).clamp_(min=0)
    weights = rest.square_() if is_one_and_a_half(alpha) else rest.pow_(1 / (alpha - 1))
    return weights.div_(weights.sum(dim=-1, keepdim=True))


def _norm(rest: Tensor, alpha: Tensor | float) -> tuple[Tensor, Tensor, Tensor]:
    """sum u^m, sum u^(m - 1), and the m-norm (sum u^m)^(1 / m), each (..., 1); u is `rest` where that is above 0."""
    rest = rest.clamp_(min=0)
    if is_one_and_a_half(alpha):  # m = 2, without powers
        norm = torch.linalg.vector_norm(rest, dim=-1, keepdim=True)
        return norm.square(), rest.sum(dim=-1, keepdim=True), norm
    powers = rest.pow(1 / (alpha - 1))
    total = powers.sum(dim=-1, keepdim=True)
    slope = powers.div_(rest.clamp_(min=torch.finfo(rest.dtype).tiny)).sum(dim=-1, keepdim=True)
    return total, slope, total.pow(alpha - 1)


def _slopes(weights: Tensor, alpha: Tensor | float) -> Tensor:
    """weight^(2 - alpha) where there is weight, and 0 elsewhere."""
    support = (weights > 0).to(weights.dtype)
    if is_sparsemax(alpha):
        return support
    positive = weights.clamp(min=torch.finfo(weights.dtype).tiny)  # the slope of a power at 0 is infinite
    return (positive.sqrt() if is_one_and_a_half(alpha) else positive.pow(2 - alpha)) * support


def _alpha_slopes(weights: Tensor, alpha: Tensor) -> Tensor:
    """d weight_j / d alpha but for what the threshold takes back, in the weights alone.

    With b = alpha - 1, u_j = weight_j^b and score_j = (u_j + tau) / b, proposition 1 of Correia et al. (2019) is
    this and a multiple of `_slopes`. Written with x = b log(weight): no difference of large numbers as b nears 0.
    """
    excess = alpha - 1
    positive = weights.clamp(min=torch.finfo(weights.dtype).tiny)
    logs = excess * positive.log() * (weights > 0).to(weights.dtype)
    return -weights * (torch.expm1(-logs) + logs) / excess.square()
