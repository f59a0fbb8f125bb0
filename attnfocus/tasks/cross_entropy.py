"""The cross entropy of an output layer, without its scores ever standing in memory all at once.

Shapes: N tokens, R readout width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from attnfocus.models.outputs import padded_scores
from attnfocus.models.stepwise import product_dtype

# Scores that one part may have: smaller ones make the products of matrices slower, larger ones only take memory.
CPU_PART = 2**22
OTHER_PART = 2**26


def linear_cross_entropy(
    readout: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    expected: Tensor,
    label_smoothing: float = 0.0,
    part_size: int | None = None,
) -> Tensor:
    """Sum of -log softmax(W r + b)[expected] over all tokens, at least float32.

    With label smoothing s the target has the probability 1 - s + s / V and every other token s / V
    (Szegedy et al. 2016, sec. 7, arXiv:1512.00567).

    Args:
        readout: r, (N, R). weight: W, (V, R). bias: b, (V,) or None.
        expected: (N,) int64.
        part_size: scores that are held at a time. None: what suits the device.

    Cost: three matrix products of N V R in training, and memory for the gradients of r, W and b.
    """
    dtype = product_dtype(readout)
    if dtype == torch.float16:  # gradients made in the forward pass would not have the loss's scale yet
        logits = F.linear(readout, weight, bias).float()
        return F.cross_entropy(logits, expected, reduction="sum", label_smoothing=label_smoothing)
    if part_size is None:
        part_size = CPU_PART if readout.device.type == "cpu" else OTHER_PART
    how = label_smoothing, dtype, part_size, torch.is_grad_enabled()
    loss: Tensor = _LinearCrossEntropy.apply(readout, weight, bias, expected, *how)
    return loss


class _LinearCrossEntropy(torch.autograd.Function):
    """The gradient of softmax and cross entropy is known with the loss, so one visit to each part serves both."""

    @staticmethod
    def forward(
        ctx: Any,
        readout: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        expected: Tensor,
        smoothing: float,
        dtype: torch.dtype,
        part_size: int,
        needs_gradients: bool,
    ) -> Tensor:
        with torch.autocast(readout.device.type, enabled=False):
            rows, table = readout.to(dtype), weight.to(dtype)
            added = None if bias is None else bias.to(dtype)
            losses, gradients = [], _Gradients(rows, weight, bias) if needs_gradients else None
            for part in _parts(len(rows), len(table), part_size):
                scores = padded_scores(rows[part], table, added)
                scores[:, len(table) :] = -torch.inf
                log_probs = scores.to(torch.promote_types(dtype, torch.float32)).log_softmax(dim=-1)[:, : len(table)]
                target = expected[part].unsqueeze(1)
                loss = (smoothing - 1) * log_probs.gather(1, target).sum()
                losses.append(loss - smoothing * log_probs.mean(dim=1).sum() if smoothing else loss)
                if gradients is not None:
                    of_scores = log_probs.exp_().sub_(smoothing / len(table)) if smoothing else log_probs.exp_()
                    of_scores.scatter_add_(1, target, of_scores.new_full(target.shape, smoothing - 1))
                    gradients.add(part, of_scores.to(dtype), rows, table)
        if gradients is not None:
            ctx.save_for_backward(gradients.of_readout, gradients.of_weight, gradients.of_bias)
        return torch.stack(losses).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        given = [None if saved is None else (saved * gradient).to(saved.dtype) for saved in ctx.saved_tensors]
        return (*given, None, None, None, None, None)


class _Gradients:
    """Of the readout, the weight and the bias, summed part by part."""

    def __init__(self, rows: Tensor, weight: Tensor, bias: Tensor | None) -> None:
        self.of_readout = torch.empty_like(rows)
        self.of_weight = torch.zeros_like(weight)
        self.of_bias = None if bias is None else torch.zeros_like(bias)

    def add(self, part: slice, of_scores: Tensor, rows: Tensor, table: Tensor) -> None:
        self.of_readout[part] = of_scores @ table
        if self.of_weight.dtype == of_scores.dtype:
            self.of_weight.addmm_(of_scores.t(), rows[part])
        else:
            self.of_weight += of_scores.t() @ rows[part]
        if self.of_bias is not None:
            self.of_bias += of_scores.sum(dim=0, dtype=self.of_bias.dtype)


def _parts(num_rows: int, vocab_size: int, part_size: int) -> Iterator[slice]:
    """Slices of the tokens whose scores are about one part, of nearly the same size; one at least."""
    count = max(1, -(-num_rows * vocab_size // part_size))
    size = max(1, -(-num_rows // count))
    for first in range(0, max(1, num_rows), size):
        yield slice(first, first + size)
