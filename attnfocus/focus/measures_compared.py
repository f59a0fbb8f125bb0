"""How different attention maps are: the heads of one attention, or one map at two times.

Shapes: ... leading dims (batch), H heads, Q queries, K keys. Masks and weights as in `focus.measures`.
"""

import math

import torch
from torch import Tensor

from attnfocus.focus.measures import entropy, shares


def head_disagreement(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """How differently heads look: 0 all alike, 1 no two at the same key. (..., H, Q, K) -> (..., Q).

    [entropy(mean of heads) - mean of entropy(head)] / ln H: the Jensen-Shannon divergence of H distributions (Lin 1991,
    eq. 5.1) in parts of its largest value. Linear in H, other than a mean over pairs. Heads that attend to nothing are
    left out; 0 where fewer than two are left.

    Args:
        mask: broadcastable to the weights, head axis included.
    """
    parts = shares(weights, mask)
    count = (parts.sum(dim=-1) > 0).sum(dim=-2)  # (..., Q)
    several = count.clamp_min(1).to(parts.dtype)
    mixture = entropy(parts.sum(dim=-3) / several.unsqueeze(-1))
    divergence = mixture - entropy(parts).sum(dim=-2) / several
    most = several.log()
    return torch.where(count > 1, divergence / torch.where(most > 0, most, 1.0), 0.0).clamp(0.0, 1.0)


def js_distance(first: Tensor, second: Tensor, mask: Tensor | None = None) -> Tensor:
    """Jensen-Shannon distance of the weights of each query: 0 the same, 1 no key in common. (..., Q, K) -> (..., Q).

    sqrt([entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2] / ln 2), a metric (Endres and Schindelin 2003). Of a map
    and the same map later it is how far it has drifted. 0 where either attends to nothing.
    """
    one, other = shares(first, mask), shares(second, mask)
    divergence = entropy((one + other) / 2) - (entropy(one) + entropy(other)) / 2
    both = (one.sum(dim=-1) > 0) & (other.sum(dim=-1) > 0)
    return torch.where(both, (divergence / math.log(2)).clamp(0.0, 1.0).sqrt(), 0.0)
