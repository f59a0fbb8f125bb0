"""What a model answers.

Shapes: B batch, N rows, T target tokens, V target vocabulary, R readout width, C classes, H heads, Q queries, K keys.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.models.stepwise import product_dtype

ALIGNED = 16  # numbers, 64 bytes in float32: a line of a CPU's cache


class SequenceOutput(NamedTuple):
    """Vectors to predict every next target token from, and the output layer that scores them.

    The scores of a large vocabulary are the largest tensor of a step, so they are made when asked for: a loss can go
    over them in parts.
    `weights` maps an attention's name to (B, H, Q, K), Q and K positions of the sequences that its place tells (see
    `models.base`): `cross`, or in a Transformer `encoder.layers.0`, `decoder.layers.0.self`, `decoder.layers.0.cross`,
    ... Empty unless weights were asked for.
    """

    readout: Tensor  # (B, T, R)
    output_weight: Tensor  # (V, R)
    output_bias: Tensor | None  # (V,)
    weights: dict[str, Tensor]

    @property
    def logits(self) -> Tensor:
        """Scores (B, T, V), in the readout's dtype: half precision after a forward pass under autocast."""
        bias = None if self.output_bias is None else self.output_bias.to(self.readout.dtype)
        return F.linear(self.readout, self.output_weight.to(self.readout.dtype), bias)


def untracked_scores(readout: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """W r + b where no gradient is wanted: readout (N, R), weight (V, R), bias (V,) or None -> (N, V)."""
    return padded_scores(readout, weight, bias)[:, : len(weight)]


def padded_scores(readout: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The same, on a CPU with columns beside them that hold anything: (N, V or more), contiguous.

    They let each row start at a multiple of 64 bytes: the product takes 1.6 times as long where it does not (measured
    with MKL, R = 256, V = 5921), and few vocabularies are multiples of 16 by themselves.
    """
    gap = -len(weight) % ALIGNED
    is_cpu = readout.device.type == "cpu" and not torch.compiler.is_compiling()
    if gap == 0 or not is_cpu or torch.is_grad_enabled() or product_dtype(readout) != readout.dtype:
        return F.linear(readout, weight, bias)
    padded = readout.new_empty(len(readout), len(weight) + gap)
    scores = padded[:, : len(weight)]
    if bias is None:
        torch.mm(readout, weight.t(), out=scores)
    else:
        torch.addmm(bias, readout, weight.t(), out=scores)
    return padded


class ClassifierOutput(NamedTuple):
    """Scores of every class.

    `weights` maps an attention's name (`pooling`, `layers.0`) to (B, H, Q, K); empty unless weights were asked for.
    """

    logits: Tensor  # (B, C)
    weights: dict[str, Tensor]
