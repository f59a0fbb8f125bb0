"""What training can ask of attention weights: penalties, one number per query, with gradients.

Shapes: ... leading dims (batch), H heads, Q queries, K keys. Masks are bool, True = may attend, broadcastable to the
weights, as in `measures`. Weights are divided by their sum first, those below 0 count by their size, and half precision
is computed in float32. Masked keys get a gradient of exactly 0, and may hold anything.

The penalty on entropy is `measures.normalized_entropy`.
"""

import torch
from torch import Tensor

from attnfocus.focus.measures import shares


def repeated_attention(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """sum_k min(a_tk, c_tk),  c_tk = sum_{s<t} a_sk: weight on keys that had weight before. (..., Q, K) -> (..., Q).

    The coverage loss of See et al. 2017, eq. 12, arXiv:1704.04368, after the coverage of Tu et al. 2016,
    arXiv:1601.04811. From 0 (always elsewhere) to 1 (never). Queries are steps of a decoder in their order; padded
    ones stand at the end, where no real one looks back at them.
    """
    parts = shares(weights, mask)
    coverage = parts.cumsum(dim=-2) - parts
    return torch.minimum(parts, coverage).sum(dim=-1)


def off_diagonal(
    weights: Tensor, mask: Tensor | None = None, valid: Tensor | None = None, width: float = 0.2
) -> Tensor:
    """sum_k a_tk W_tk,  W_tk = 1 - exp(-(k / K' - t / Q')^2 / (2 width^2)): weight far from the diagonal.

    Guided attention of Tachibana et al. 2018, eq. 6, arXiv:1710.08969, where width is g = 0.2; summed over the keys,
    where the paper takes the mean, so that the penalty does not shrink with the length of the input: it is from 0 (on
    the diagonal) to 1. (..., Q, K) -> (..., Q).

    Args:
        mask: real keys; K' is their number. Padding stands at the end.
        valid: bool, broadcastable to (..., Q): real queries; Q' is their number. None: all.
        width: how far from the diagonal is near, as a share of the lengths (> 0).
    """
    parts = shares(weights, mask)
    num_queries, num_keys = weights.shape[-2:]
    keys = parts.new_full((1,), num_keys) if mask is None else mask.sum(dim=-1)  # broadcastable to (..., Q)
    queries = parts.new_full((1,), num_queries) if valid is None else valid.sum(dim=-1, keepdim=True)
    key_places = torch.arange(num_keys, device=weights.device) / keys.clamp_min(1).unsqueeze(-1)
    query_places = torch.arange(num_queries, device=weights.device) / queries.clamp_min(1)
    distance = key_places - query_places.unsqueeze(-1)  # broadcastable to (..., Q, K)
    return (parts * -torch.expm1(-distance.square() / (2 * width**2))).sum(dim=-1)


def missed_alignment(weights: Tensor, links: Tensor, mask: Tensor | None = None) -> Tensor:
    """-ln sum_{k linked to t} a_tk: how little of a query's weight lies on the keys that it is aligned with.

    Supervised attention (Liu et al. 2016, arXiv:1609.04186; Mi et al. 2016, D16-1249; Garg et al. 2019, sec. 4.2,
    arXiv:1909.02074). With one link per query this is their cross entropy; with several any split of the weight among
    the linked keys is as good as another, where theirs asks for equal parts. 0 for a query without links.
    (..., Q, K) -> (..., Q), >= 0; a weight of exactly 0, as of a sparse normalizer, gets no gradient.

    Args:
        links: bool, broadcastable to (..., Q, K): which keys a query is aligned with.
    """
    parts = shares(weights, mask)
    found = parts.masked_fill(~links, 0.0).sum(dim=-1)
    has_links = links.any(dim=-1).expand(found.shape)
    missed = -torch.where(has_links, found, 1.0).clamp_min(torch.finfo(parts.dtype).tiny).log()
    return missed.clamp_min(0.0)  # a sum of shares may round to above 1


def head_overlap(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean over pairs of heads i != j of sum_k a^i_k a^j_k: how much heads look at the same.

    The disagreement on attended positions of Li et al. 2018, sec. 3, arXiv:1810.10183, with its sign turned and without
    the pairs of a head with itself, which only measure how focused that head is. 1: all on one and the same key; 0: on
    different keys; heads that look everywhere alike overlap by 1 / K. (..., H, Q, K) -> (..., Q).

    Raises:
        ValueError: fewer than two heads.
    """
    num_heads = weights.shape[-3]
    if num_heads < 2:
        raise ValueError(f"heads can only be compared if there are two or more, got {num_heads}")
    parts = shares(weights, mask)
    all_pairs = parts.sum(dim=-3).square().sum(dim=-1)  # (..., Q)
    same_head = parts.square().sum(dim=(-3, -1))
    return (all_pairs - same_head) / (num_heads * (num_heads - 1))
