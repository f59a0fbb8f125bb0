"""How much each input position adds to a score of the model, by gradients and by leaving positions out.

Shapes: N explained outputs, one row each; M rows of one call; K input positions, D numbers of a position's vector.

A `Score` is the model, seen from its embedded inputs: (vectors (M, K, D), rows (M,)) -> one score for each (M,), where
`rows` says which of the N outputs each is about. The rows of a call must not know of one another. Positions beyond an
input's length are the caller's: their vectors equal the baseline's, so that they are attributed 0.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Score = Callable[[Tensor, Tensor], Tensor]

ROWS_AT_ONCE = 128  # rows of one call at most,
PAIRS_AT_ONCE = 2**22  # ... and rows times squared length, which bound the memory that their graph takes


def rows_at_once(num_positions: int) -> int:
    """How many inputs of that many positions are computed together."""
    return max(1, min(ROWS_AT_ONCE, PAIRS_AT_ONCE // max(1, num_positions) ** 2))


def gradients(score: Score, vectors: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (M,) and their gradients (M, K, D) at vectors (M, K, D)."""
    values, slopes = [], []
    size = rows_at_once(vectors.shape[1])
    for part, of_part in zip(vectors.split(size), rows.split(size), strict=True):
        with torch.enable_grad():
            leaf = part.detach().clone().requires_grad_()
            scores = score(leaf, of_part)
            (slope,) = torch.autograd.grad(scores.sum(), leaf)
        values.append(scores.detach())
        slopes.append(slope)
    return torch.cat(values), torch.cat(slopes)


def gradient_input(score: Score, vectors: Tensor, baseline: Tensor) -> Tensor:
    """sum_d (x - x')_d  d score / d x_d   (Shrikumar et al. 2017, arXiv:1704.02685; x' = 0 there)

    Args:
        vectors: x, (N, K, D).
        baseline: x', broadcastable to it.

    Returns:
        (N, K), signed.
    """
    _, slopes = gradients(score, vectors, torch.arange(len(vectors), device=vectors.device))
    return ((vectors - baseline) * slopes).sum(dim=-1)


def integrated_gradients(score: Score, vectors: Tensor, baseline: Tensor, num_steps: int = 32) -> tuple[Tensor, Tensor]:
    """(x - x')_d  integral over a from 0 to 1 of  d score / d x_d  at x' + a (x - x'), summed over d.

    Sundararajan et al. 2017, eq. 1, arXiv:1703.01365.

    The integral is taken at the points of Gauss and Legendre, which need far fewer than equal distances.

    Args:
        vectors: x, (N, K, D).
        baseline: x', broadcastable to it.
        num_steps: points; each costs a forward and a backward pass.

    Returns:
        attributions (N, K), signed; and the completeness error (N,): |sum of the attributions - (score(x) -
        score(x'))| / max(|score(x) - score(x')|, sum of |attributions|), which exact integrals bring to 0.
    """
    num_rows, device = len(vectors), vectors.device
    rows = torch.arange(num_rows, device=device)
    points, shares = np.polynomial.legendre.leggauss(num_steps)  # over -1 to 1
    way = vectors - baseline
    total = torch.zeros_like(vectors)
    size = rows_at_once(vectors.shape[1])
    at_once = max(1, size // max(1, num_rows))  # points of one call
    for first in range(0, num_steps, at_once):
        part = slice(first, first + at_once)
        along = torch.as_tensor((points[part] + 1) / 2, dtype=vectors.dtype, device=device)
        weights = torch.as_tensor(shares[part] / 2, dtype=vectors.dtype, device=device)
        steps = (vectors - (1 - along).view(-1, 1, 1, 1) * way).flatten(0, 1)  # (points N, K, D)
        _, slopes = gradients(score, steps, rows.repeat(len(along)))
        total += (weights.view(-1, 1, 1, 1) * slopes.unflatten(0, (len(along), num_rows))).sum(dim=0)
    found = (way * total).sum(dim=-1)
    with torch.no_grad():
        ends = (vectors, vectors - way)
        pairs = [zip(each.split(size), rows.split(size), strict=True) for each in ends]
        at_input, at_baseline = (torch.cat([score(*part) for part in parts]) for parts in pairs)
    change = at_input - at_baseline
    most = torch.maximum(change.abs(), found.abs().sum(dim=-1)).clamp_min(torch.finfo(found.dtype).tiny)
    return found, (found.sum(dim=-1) - change).abs() / most


def leave_one_out(scores: Callable[[Tensor, Tensor], Tensor], mask: Tensor) -> Tensor:
    """score(x) - score(x without position j), for every real position   (Li et al. 2016, arXiv:1612.08220, eq. 1, as a
    difference)

    Args:
        scores: (kept (M, K) bool, examples (M,)) -> the scores (M, T) of the outputs of those examples, when the model
            is given the kept positions alone.
        mask: (B, K), True at real positions.

    Returns:
        (B, T, K), signed, 0 at padding.
    """
    examples, positions = mask.nonzero(as_tuple=True)
    whole = scores(mask, torch.arange(len(mask), device=mask.device))  # (B, T)
    found = whole.new_zeros(*mask.shape, whole.shape[1])  # (B, K, T)
    for part in torch.arange(len(examples), device=mask.device).split(rows_at_once(mask.shape[1])):
        kept = mask[examples[part]]
        kept[torch.arange(len(part), device=mask.device), positions[part]] = False
        found[examples[part], positions[part]] = whole[examples[part]] - scores(kept, examples[part])
    return found.transpose(1, 2)


def leave_spans_out(scores: Callable[[Tensor, Tensor], Tensor], mask: Tensor, units: Tensor, span: int = 1) -> Tensor:
    """score(x) - score(x without a span), for every `span` units in a row   (occlusion: Zeiler & Fergus 2014, sec. 4.2,
    arXiv:1311.2901; of text Li et al. 2016, arXiv:1612.08220)

    The change by a span is shared out evenly among its positions, and a position gets the mean over the spans that hold
    it. With span=1 the positions of a unit sum to what the unit changes; where each position is a unit of its own this
    is `leave_one_out`. An input of fewer units is one span.

    Args:
        scores, mask: as in `leave_one_out`.
        units: (B, K) the number of each position's unit, from 0, rising by 1: a word, or the position; any at padding.
        span: units that are left out together (> 0).

    Returns:
        (B, T, K), signed, 0 at padding.
    """
    num_units = torch.where(mask, units + 1, 0).amax(dim=1)  # (B,)
    num_spans = (num_units - span + 1).clamp(min=1)
    firsts = torch.arange(int(num_spans.max()), device=mask.device)
    examples, first = (firsts < num_spans.unsqueeze(1)).nonzero(as_tuple=True)
    whole = scores(mask, torch.arange(len(mask), device=mask.device))  # (B, T)
    found = whole.new_zeros(*mask.shape, whole.shape[1])  # (B, K, T)
    times = torch.zeros_like(mask, dtype=whole.dtype)  # spans that hold a position
    for part in torch.arange(len(examples), device=mask.device).split(rows_at_once(mask.shape[1])):
        rows, start = examples[part], first[part].unsqueeze(1)
        left_out = mask[rows] & (units[rows] >= start) & (units[rows] < start + span)
        change = whole[rows] - scores(mask[rows] & ~left_out, rows)  # (M, T)
        share = left_out / left_out.sum(dim=1, keepdim=True)
        found.index_add_(0, rows, share.to(change.dtype).unsqueeze(-1) * change.unsqueeze(1))
        times.index_add_(0, rows, left_out.to(times.dtype))
    return (found / times.clamp_min(1).unsqueeze(-1)).transpose(1, 2)
