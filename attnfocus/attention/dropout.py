"""Dropout (Srivastava et al. 2014) whose random numbers do not take longer than the layer they regularize."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_LEVELS = 2**16  # rates that 16 random bits can tell apart


def dropout(values: Tensor, rate: float, training: bool = True) -> Tensor:
    """Each number is 0 with probability `rate`, else divided by 1 - rate; the values themselves unless training.

    On a CPU torch draws a Bernoulli number for each value, which takes a tenth of a Transformer's training time; here
    four decisions share one draw of 64 bits, and the rate is the nearest of 65,536.
    """
    dropped = min(round(rate * _LEVELS), _LEVELS - 1)
    if not training or dropped == 0:
        return values
    if values.device.type != "cpu" or torch.compiler.is_compiling():
        return F.dropout(values, rate)
    result: Tensor = _Dropout.apply(values, dropped)[0]
    return result


class _Dropout(torch.autograd.Function):
    """values, of 65,536 how many are dropped -> the result, and what is kept. Linear: it has all derivatives."""

    @staticmethod
    def forward(values: Tensor, dropped: int) -> tuple[Tensor, Tensor]:
        words = torch.empty(-(-values.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        numbers = words.view(torch.int16)[: values.numel()].view(values.shape)
        least = dropped - _LEVELS // 2
        kept = numbers.clamp_(least - 1, least).sub_(least - 1)  # 0 or 1: a comparison takes several times as long
        return _thinned(values, kept, _scale(dropped)), kept

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        kept = output[1]
        ctx.mark_non_differentiable(kept)
        ctx.set_materialize_grads(False)
        ctx.scale = _scale(inputs[1])
        ctx.save_for_backward(kept)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None, _: None) -> tuple[Tensor | None, None]:
        (kept,) = ctx.saved_tensors
        return None if gradient is None else _thinned(gradient, kept, ctx.scale), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int, None], values: Tensor, dropped: int) -> tuple[Any, Any]:
        """Every item draws its own numbers, or all the same ones, as `torch.func.vmap(..., randomness=...)` says."""
        if info.randomness == "error":
            raise RuntimeError('vmap: dropout draws random numbers; give randomness="different" or "same".')
        whole = values.movedim(in_dims[0], 0)
        if info.randomness == "different":
            return _Dropout.apply(whole, dropped), (0, 0)
        _, kept = _Dropout.apply(torch.zeros_like(whole[0]), dropped)
        return (_thinned(whole, kept, _scale(dropped)), kept.expand(info.batch_size, *kept.shape)), (0, 0)


def _scale(dropped: int) -> float:
    return _LEVELS / (_LEVELS - dropped)


def _thinned(values: Tensor, kept: Tensor, scale: float) -> Tensor:
    """values * kept * scale, for `kept` of 0 and 1."""
    if torch.is_grad_enabled() or torch._C._are_functorch_transforms_active():
        return values * kept.to(values.dtype) * scale
    return kept.to(values.dtype).mul_(values).mul_(scale)
