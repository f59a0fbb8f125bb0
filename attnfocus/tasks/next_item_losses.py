"""What training minimizes where a model predicts the next item of many.

Shapes: B histories, L positions, N positions that expect an item, K negatives, V vocabulary, R readout width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.models.outputs import SequenceOutput
from attnfocus.special import PAD, SPECIAL_TOKENS
from attnfocus.tasks.evaluation import at_least_float32

FIRST_ITEM = len(SPECIAL_TOKENS)
WITH_NEGATIVES = ("binary_cross_entropy", "sampled_softmax")  # as trainer.loss calls them


def binary_cross_entropy(output: SequenceOutput, expected: Tensor, num_negatives: int) -> Tensor:
    """Sum of -log s(r e_+) - sum_k log(1 - s(r e_k))   (Kang & McAuley 2018, eq. 12, arXiv:1808.09781, with K = 1)

    The K negatives of each position are drawn uniformly from all items; those that the history itself has do not count.

    Args:
        expected: (B, L), PAD where nothing is expected.
    """
    rows, places = (expected != PAD).nonzero(as_tuple=True)
    readout, positive = output.readout[rows, places], expected[rows, places]
    drawn = _drawn((len(rows), num_negatives), output, expected.device)
    own = (drawn.unsqueeze(-1) == expected[rows].unsqueeze(1)).any(dim=-1)  # (N, K)
    right = _scores(readout, positive.unsqueeze(1), output)
    wrong = _scores(readout, drawn, output)
    losses = F.softplus(wrong).masked_fill(own, 0.0)
    return F.softplus(-right).sum() + losses.sum()


def sampled_softmax(output: SequenceOutput, expected: Tensor, num_negatives: int) -> Tensor:
    """Sum of -log of the softmax over the item itself and K others, which all positions of the batch share.

    They are drawn uniformly, and log((V - 1) / K) is added to their scores, so that the sum over them is on average
    that over all items (Jean et al. 2015, arXiv:1412.2007, sec. 3). One that is the item itself does not count.
    """
    real = expected != PAD
    readout, positive = output.readout[real], expected[real]
    drawn = _drawn((num_negatives,), output, expected.device)
    right = _scores(readout, positive.unsqueeze(1), output)  # (N, 1)
    bias = None if output.output_bias is None else output.output_bias[drawn]
    wrong = at_least_float32(F.linear(readout, output.output_weight[drawn], bias))  # (N, K)
    num_others = len(output.output_weight) - FIRST_ITEM - 1
    wrong = wrong + math.log(max(num_others, 1) / num_negatives)
    wrong = wrong.masked_fill(drawn.unsqueeze(0) == positive.unsqueeze(1), -torch.inf)
    return (torch.cat([right, wrong], dim=1).logsumexp(dim=1) - right.squeeze(1)).sum()


def _drawn(shape: tuple[int, ...], output: SequenceOutput, device: torch.device) -> Tensor:
    """Any items, by torch's generator, which a run seeds by (seed, step)."""
    return torch.randint(FIRST_ITEM, len(output.output_weight), shape, device=device)


def _scores(readout: Tensor, items: Tensor, output: SequenceOutput) -> Tensor:
    """readout (N, R) with items (N, K) each: (N, K)."""
    found = (output.output_weight[items] * readout.unsqueeze(1)).sum(dim=-1)
    if output.output_bias is not None:
        found = found + output.output_bias[items]
    return at_least_float32(found)
