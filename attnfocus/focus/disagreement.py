"""How different attention maps are: the heads of one attention, or one map at two times.

Shapes: ... leading dims (batch), H heads, Q queries, K keys. Masks and weights as in `focus.measures`.
"""

import math

import torch
from torch import Tensor

from attnfocus.focus.measures import attends, entropy, shares


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


def jensen_shannon(first: Tensor, second: Tensor, mask: Tensor | None = None) -> Tensor:
    """Divergence of the weights of each query, in nats: 0 the same, ln 2 no key in common. (..., Q, K) -> (..., Q).

    1/2 KL(p || m) + 1/2 KL(q || m), m = (p + q) / 2 (Lin 1991, eq. 3.4); with gradients.
    """
    parts = shares(first, mask), shares(second, mask)
    middle = 0.5 * (parts[0] + parts[1])
    tiny = torch.finfo(middle.dtype).tiny
    log_middle = middle.clamp_min(tiny).log()
    terms = [each * (each.clamp_min(tiny).log() - log_middle) for each in parts]
    return 0.5 * (terms[0] + terms[1]).sum(dim=-1)


def js_distance(first: Tensor, second: Tensor, mask: Tensor | None = None) -> Tensor:
    """Jensen-Shannon distance of the weights of each query: 0 the same, 1 no key in common. (..., Q, K) -> (..., Q).

    sqrt(`jensen_shannon` / ln 2), a metric (Endres and Schindelin 2003). Of a map and the same map later it is how far
    it has drifted. 0 where either attends to nothing.
    """
    divergence = jensen_shannon(first, second, mask) / math.log(2)
    both = attends(first, mask) & attends(second, mask)
    return torch.where(both, divergence.clamp(0.0, 1.0).sqrt(), 0.0)
