"""Dropout (Srivastava et al. 2014) whose random numbers do not take longer than the layer they regularize."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
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
    result: Tensor = _Dropout.apply(values, dropped)
    return result


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, dropped: int) -> Tensor:
        words = torch.empty(-(-values.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        numbers = words.view(torch.int16)[: values.numel()].view(values.shape)
        least = dropped - _LEVELS // 2
        kept = numbers.clamp_(least - 1, least).sub_(least - 1)  # 0 or 1: a comparison takes several times as long
        ctx.scale = _LEVELS / (_LEVELS - dropped)
        ctx.save_for_backward(kept)
        return _thinned(values, kept, ctx.scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return _thinned(gradient, kept, ctx.scale), None


def _thinned(values: Tensor, kept: Tensor, scale: float) -> Tensor:
    """values * kept * scale, for `kept` of 0 and 1."""
    return kept.to(values.dtype).mul_(values).mul_(scale)
