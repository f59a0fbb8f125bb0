"""Which positions hold most of an output's weight, and how far the output's answer leads without the others.

Shapes: N outputs, K input positions, C classes or vocabulary. Masks are bool, True = real, or chosen.
"""

import torch
from torch import Tensor

from attnfocus.focus.erasure import ranks

_ROUNDING = 1e-6  # of sums of weights in float32


def lead(logits: Tensor, answers: Tensor) -> Tensor:
    """logit of the answer - the largest logit of another: below 0 where another answer is likelier.

    (..., C), (...) -> (...). A factor on the logits is a factor on the lead, whatever the number of classes.
    """
    index = answers.unsqueeze(-1)
    others = logits.scatter(-1, index, -torch.inf).amax(dim=-1)
    return logits.gather(-1, index).squeeze(-1) - others


def share_left(leads: Tensor, whole: Tensor) -> Tensor:
    """What is left of the lead with the whole input, 0 (another answer is as likely) to 1: (N,) twice -> (N,) float64.

    Args:
        whole: the lead with the whole input, > 0.
    """
    return (leads.double() / whole.double()).clamp(0, 1)


def fewest_holding(weights: Tensor, mask: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """The fewest positions that hold at least that share of the size of the weights: (N, K) -> (N, K) bool.

    At least one where any weight is not 0; ties are broken at random.
    """
    sizes = weights.abs().masked_fill(~mask, 0).double()
    places = ranks(sizes, mask, generator)
    ordered = torch.zeros_like(sizes).scatter(1, places, sizes)
    before = ordered.cumsum(dim=1) - ordered  # held by those of more weight
    enough = share * sizes.sum(dim=1, keepdim=True) * (1 - _ROUNDING)
    return mask & (before < enough).gather(1, places)


def most_important(importance: Tensor, mask: Tensor, counts: Tensor, generator: torch.Generator) -> Tensor:
    """The `counts` (N,) positions of most importance (N, K), ties broken at random: (N, K) bool."""
    return mask & (ranks(importance, mask, generator) < counts.unsqueeze(1))
