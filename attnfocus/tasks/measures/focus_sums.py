"""The measures of `attnfocus.focus` over a batch, all at once: each tensor of the weights' size is gone over as seldom
as can be, since on long inputs that is what evaluations spend their time on. A test holds them to the functions.

Shapes: B examples, H heads, Q queries, K keys.
"""

from __future__ import annotations

import torch
from torch import Tensor

from attnfocus import focus
from attnfocus.attention.plane import Plane
from attnfocus.attention.role import Kind
from attnfocus.models.lengths import length_mask

MOST_QUERIES = 64  # measured of each map of self-attention: such maps grow with the square of the length

# What a sum is divided by; the others by the number of queries.
DIVISORS = {
    "coverage_deviation": "maps",
    "monotonicity": "maps",
    "diagonality": "maps",
    "peak_coverage": "several",
    "head_disagreement": "together",
    "total_weight": "asked",
}
_OF_MAPS = ("peak_coverage", "several", "special")
COUNTS = ("queries", "maps", "several", "together", "special", "asked")


def focus_sums(
    weights: Tensor,
    num_keys: Tensor,
    num_queries: Tensor | None,
    kind: Kind | None,
    special: Tensor | None = None,
    plane: Plane | None = None,
) -> dict[str, Tensor]:
    """For each example and head the sums of the measures and the counts to divide them by, (B, H) or (B, 1).

    Of self-attention over more than `MOST_QUERIES` positions that many queries are measured, evenly spread, and stand
    for all.

    Args:
        weights: (B, H, Q, K), Q and K at least 1.
        kind: what the attention is for; None: nobody says, and what is measured of one kind alone is left out.
        num_keys, num_queries, special, plane: as in `FocusMeans.add`.
    """
    mask = length_mask(num_keys, weights.shape[3])[:, None, None]  # (B, 1, 1, K)
    places = None
    if kind == "self":
        is_square = weights.shape[2] == weights.shape[3]  # else its keys are no positions of the input
        all_queries = num_keys.new_full(num_keys.shape, weights.shape[2]) if num_queries is None else num_queries
        weights, num_queries, asked = _spread_queries(weights, all_queries)
        places = asked if is_square else None
    parts, totals = focus.shares_and_totals(weights, mask)
    if num_queries is None:
        num_queries = torch.full_like(num_keys, weights.shape[2])
    else:
        padded = ~length_mask(num_queries, weights.shape[2])[:, None]  # (B, 1, Q)
        parts.masked_fill_(padded.unsqueeze(-1), 0.0)
        totals = totals.masked_fill(padded, 0.0)
    top = parts.amax(dim=-1)
    looks = top > 0  # (B, H, Q)
    entropy = focus.entropy_of_shares(parts)
    sums = _of_queries(parts, top, looks, entropy, num_keys) | {"queries": looks.sum(dim=-1)}
    asked = (num_queries * (num_keys > 0)).unsqueeze(1).expand(looks.shape[:2])
    sums |= {"total_weight": totals.sum(dim=-1), "asked": asked}
    if places is not None:
        sums["distance"] = _distances(parts, places, plane).sum(dim=-1)
    covered = parts.sum(dim=-2)  # (B, H, K)
    if special is not None:
        sums["special_mass"] = (covered * special.unsqueeze(1)).sum(dim=-1)
        sums["special"] = (special & mask[:, 0, 0]).sum(dim=-1, keepdim=True)
    if kind == "cross":
        sizes = {"num_queries": num_queries.unsqueeze(1), "num_keys": num_keys.unsqueeze(1)}
        of_maps = {
            "coverage_deviation": _coverage_deviation(covered, mask[:, :, 0]),
            "monotonicity": focus.monotonicity(parts),
            "diagonality": focus.diagonality(parts, **sizes),
        }
        maps = looks.any(dim=-1)
        sums |= {measure: torch.where(maps, value, 0.0) for measure, value in of_maps.items()} | {"maps": maps}
    if kind in ("self", "cross"):
        several = (sums["queries"] > 1) & (num_keys > 1).unsqueeze(1)
        peak = covered.amax(dim=-1) / sums["queries"].clamp_min(1)
        sums |= {"peak_coverage": torch.where(several, peak, 0.0), "several": several}
    if kind == "pooling":
        last = (num_keys - 1).clamp_min(0)[:, None, None, None].expand(*parts.shape[:3], 1)
        sums["last_mass"] = parts.gather(-1, last).squeeze(-1).sum(dim=-1)
    if weights.shape[1] > 1:
        sums |= _disagreement(parts, looks, entropy)
    if kind == "self":  # the queries left out count too
        share = (all_queries / num_queries.clamp_min(1)).to(parts.dtype).unsqueeze(1)
        sums = {measure: value if measure in _OF_MAPS else value * share for measure, value in sums.items()}
    return sums


def _spread_queries(weights: Tensor, num_queries: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each example at most `MOST_QUERIES` real queries, evenly spread: a function of its own length alone.

    Returns the weights (B, H, N, K), how many of them are real (B,), and their places (B, N).
    """
    most = min(MOST_QUERIES, weights.shape[2])
    kept = num_queries.clamp(max=most)
    steps = torch.arange(most, device=weights.device)
    places = (2 * steps + 1) * num_queries.unsqueeze(1) // (2 * kept.clamp_min(1).unsqueeze(1))
    places = places.clamp(max=weights.shape[2] - 1)
    if most == weights.shape[2]:
        return weights, kept, steps.expand(len(weights), most)
    index = places[:, None, :, None].expand(-1, weights.shape[1], -1, weights.shape[3])
    return weights.gather(2, index), kept, places


def _distances(parts: Tensor, places: Tensor, plane: Plane | None) -> Tensor:
    """Mean distances (B, H, N) of queries at `places` (B, N) to the keys that they look at.

    On a plane they are lengths of straight lines, in patches.
    """
    keys = torch.arange(parts.shape[-1], device=parts.device)
    if plane is None:
        distances = (places.unsqueeze(-1) - keys).abs().to(parts.dtype)  # (B, N, K)
    else:
        down, right = plane.distances(places, keys)
        distances = (down.square() + right.square()).to(parts.dtype).sqrt()
    return torch.linalg.vecdot(parts, distances.unsqueeze(1))


def _of_queries(parts: Tensor, top: Tensor, looks: Tensor, entropy: Tensor, num_keys: Tensor) -> dict[str, Tensor]:
    """Sums (B, H) over the queries of what is measured of each."""
    most = num_keys.to(entropy.dtype).clamp_min(1).log()[:, None, None]  # (B, 1, 1)
    of_queries = {
        "effective_positions": torch.where(looks, entropy.exp(), 0.0),
        "positions": looks * num_keys[:, None, None].to(entropy.dtype),
        "normalized_entropy": torch.where(most > 0, entropy / torch.where(most > 0, most, 1.0), 0.0),
        "top_mass": top,
        "first_mass": parts[..., 0],
    }
    return {measure: value.sum(dim=-1) for measure, value in of_queries.items()}


def _coverage_deviation(covered: Tensor, keys: Tensor) -> Tensor:
    """covered (B, H, K), keys bool (B, 1, K) -> (B, H)."""
    deviations = torch.where(keys, (covered - 1).abs(), 0.0)
    return deviations.sum(dim=-1) / keys.sum(dim=-1).clamp_min(1)


def _disagreement(parts: Tensor, looks: Tensor, entropy: Tensor) -> dict[str, Tensor]:
    """`focus.head_disagreement` of the queries, (B, 1), and of how many of them heads can disagree."""
    count = looks.sum(dim=1)  # (B, Q)
    number = count.clamp_min(1).to(parts.dtype)
    mixture = focus.entropy_of_shares(parts.sum(dim=1) / number.unsqueeze(-1))
    divergence = mixture - entropy.sum(dim=1) / number
    most = number.log()
    values = torch.where(count > 1, divergence / torch.where(most > 0, most, 1.0), 0.0).clamp(0.0, 1.0)
    return {
        "head_disagreement": values.sum(dim=-1, keepdim=True),
        "together": (count > 1).sum(dim=-1, keepdim=True),
    }
