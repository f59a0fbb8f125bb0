"""Losses of classes: a number for each example, before sums and means.

Shapes: B examples, C classes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.tasks.evaluation import LOWEST_PROBABILITY, at_least_float32


def cross_entropies(logits: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """-log softmax(logits)[target]: logits (B, C), targets (B,) -> (B,)."""
    return F.cross_entropy(at_least_float32(logits), targets, reduction="none", label_smoothing=label_smoothing)


def squared_errors(logits: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The mean over classes of (logits - one-hot target)^2: logits (B, C), targets (B,) -> (B,)."""
    logits, num_classes = at_least_float32(logits), logits.shape[-1]
    one_hot = F.one_hot(targets, num_classes).to(logits.dtype)
    expected = one_hot * (1 - label_smoothing) + label_smoothing / num_classes
    return (logits - expected).square().mean(dim=-1)


def focal_factors(logits: Tensor, targets: Tensor, gamma: float) -> Tensor:
    """(1 - p)^gamma, p = softmax(logits)[target]   (Lin et al. 2017, eq. 4, arXiv:1708.02002): (B, C), (B,) -> (B,)."""
    log_p = -cross_entropies(logits, targets)
    # 1 - p without rounding p to 1; above 0, where a power below 1 has a slope without end.
    return (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).tiny) ** gamma


def estimated_log_probabilities(logits: Tensor) -> Tensor:
    """Of logits (B, C) that are themselves estimates of the probabilities, as squared errors make them."""
    return at_least_float32(logits).clamp(LOWEST_PROBABILITY, 1.0).log()
