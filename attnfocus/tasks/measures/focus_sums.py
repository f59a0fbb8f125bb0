"""The measures of `attnfocus.focus` over a batch, all at once: each tensor of the weights' size is gone over as seldom
as can be, since on long inputs that is what evaluations spend their time on. A test holds them to the functions.

Shapes: B examples, H heads, Q queries, K keys.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from attnfocus import focus
from attnfocus.attention.masks import surely_all
from attnfocus.attention.observation import spread_places
from attnfocus.attention.paths.rows import CACHED, rows_at
from attnfocus.attention.plane import Plane
from attnfocus.attention.role import Kind
from attnfocus.models.lengths import length_mask
from attnfocus.tasks.looks import MOST_QUERIES

# What a sum is divided by; the others by the number of queries.
DIVISORS = {
    "coverage_deviation": "maps",
    "monotonicity": "maps",
    "diagonality": "maps",
    "peak_coverage": "several",
    "head_disagreement": "together",
    "total_weight": "asked",
    "measured_queries": "inputs",
}
_OF_MAPS = ("peak_coverage", "several", "special", "measured_queries", "inputs", "all_queries")
COUNTS = ("queries", "maps", "several", "together", "special", "asked", "inputs", "all_queries")


def focus_sums(
    weights: Tensor,
    num_keys: Tensor,
    num_queries: Tensor | None,
    kind: Kind | None,
    special: Tensor | None = None,
    plane: Plane | None = None,
    places: Tensor | None = None,
) -> dict[str, Tensor]:
    """For each example and head the sums of the measures and the counts to divide them by, (B, H) or (B, 1).

    Of self-attention over more than `MOST_QUERIES` positions that many queries are measured, evenly spread, and stand
    for all.

    Args:
        weights: (B, H, Q, K), Q and K at least 1.
        kind: what the attention is for; None: nobody says, and what is measured of one kind alone is left out.
        num_keys, num_queries, special, plane, places: as in `FocusMeans.add`.
    """
    is_square = weights.shape[2] == weights.shape[3]  # else its keys are no positions of the input
    all_queries = num_keys.new_full(num_keys.shape, weights.shape[2]) if num_queries is None else num_queries
    num_queries = all_queries
    if kind == "self":
        num_queries = all_queries.clamp(max=MOST_QUERIES)
        if places is None:
            asked = spread_places(all_queries, weights.shape[2], MOST_QUERIES)
            weights, places = _spread_rows(weights, asked), asked if is_square else None
    real = _Real(_unless_all(num_keys, weights.shape[3]), _unless_all(num_queries, weights.shape[2]))
    at_once = weights.shape[2] if kind == "cross" else _rows_at_once(weights)
    sums, covered = dict[str, Tensor](), weights.new_zeros(())
    for first in range(0, weights.shape[2], at_once):
        rows = slice(first, first + at_once)
        seen = _last_seen(weights[:, :, rows], _at(places, rows))
        given = weights[:, :, rows, :seen], real.at(rows, seen)
        of_rows, parts = _of_rows(*given, num_keys, _at(places, rows), plane)
        if kind == "pooling":
            last = (num_keys - 1).clamp_min(0)[:, None, None, None].expand(*parts.shape[:3], 1)
            of_rows["last_mass"] = parts.gather(-1, last).squeeze(-1).sum(dim=-1)
        sums = {measure: value + sums[measure] if sums else value for measure, value in of_rows.items()}
        covered = covered + pad(parts.sum(dim=-2), (0, weights.shape[3] - seen))  # (B, H, K)
    sums["asked"] = (num_queries * (num_keys > 0)).unsqueeze(1).expand(covered.shape[:2])
    keys = length_mask(num_keys, weights.shape[3])  # (B, K)
    if special is not None:
        sums["special_mass"] = (covered * special.unsqueeze(1)).sum(dim=-1)
        sums["special"] = (special & keys).sum(dim=-1, keepdim=True)
    if kind == "cross":
        sums |= _of_maps(parts, covered, keys, num_queries, num_keys)
    if kind in ("self", "cross"):
        several = (sums["queries"] > 1) & (num_keys > 1).unsqueeze(1)
        peak = covered.amax(dim=-1) / sums["queries"].clamp_min(1)
        sums |= {"peak_coverage": torch.where(several, peak, 0.0), "several": several}
    if kind == "self":  # the queries left out count too
        counts = {"measured_queries": num_queries, "all_queries": all_queries, "inputs": all_queries > 0}
        sums |= {name: each.unsqueeze(1) for name, each in counts.items()}
        share = (all_queries / num_queries.clamp_min(1)).to(covered.dtype).unsqueeze(1)
        sums = {measure: value if measure in _OF_MAPS else value * share for measure, value in sums.items()}
    return sums


class _Real(NamedTuple):
    """What is no padding; None: all."""

    keys: Tensor | None  # (B, K)
    queries: Tensor | None  # (B, Q)

    def at(self, rows: slice, num_keys: int) -> _Real:
        """Of some of the queries and the first keys."""
        return _Real(None if self.keys is None else self.keys[:, :num_keys], _at(self.queries, rows))


def _at(of_queries: Tensor | None, rows: slice) -> Tensor | None:
    """(B, Q) of some of the queries."""
    return None if of_queries is None else of_queries[:, rows]


def _unless_all(lengths: Tensor, size: int) -> Tensor | None:
    """What is real (B, size); None where all is, and a look at it costs next to nothing."""
    return None if surely_all(lengths >= size) else length_mask(lengths, size)


def _last_seen(weights: Tensor, places: Tensor | None) -> int:
    """How many keys have any weight (B, H, Q, K), as far as a quick look tells: those up to the last of the queries'
    own `places` (B, Q) where no query looks ahead, else all."""
    num_keys = weights.shape[3]
    last = num_keys if places is None or weights.device.type != "cpu" else int(places.max()) + 1
    if last >= num_keys:
        return num_keys
    low, high = torch.aminmax(weights[..., last:])
    return last if low.item() == high.item() == 0 else num_keys


def _rows_at_once(weights: Tensor) -> int:
    """How many queries of weights (B, H, Q, K) are gone over together: what stays in the cache of a CPU."""
    num_queries = max(1, weights.shape[2])
    if weights.device.type != "cpu":
        return num_queries
    return max(1, min(num_queries, CACHED * num_queries // max(1, weights.numel())))


def _of_rows(
    weights: Tensor, real: _Real, num_keys: Tensor, places: Tensor | None, plane: Plane | None
) -> tuple[dict[str, Tensor], Tensor]:
    """Sums (B, H) or (B, 1) over some queries of what is measured of each, and their shares (B, H, Q, K)."""
    parts, totals = focus.shares_and_totals(weights, None if real.keys is None else real.keys[:, None, None])
    if real.queries is not None:
        padded = ~real.queries.unsqueeze(1)  # (B, 1, Q)
        parts.masked_fill_(padded.unsqueeze(-1), 0.0)
        totals = totals.masked_fill(padded, 0.0)
    top = parts.amax(dim=-1)
    looks = top > 0  # (B, H, Q)
    entropy = focus.entropy_of_shares(parts)
    sums = _of_queries(parts, top, looks, entropy, num_keys)
    sums |= {"queries": looks.sum(dim=-1), "total_weight": totals.sum(dim=-1)}
    if places is not None:
        sums["distance"] = _distances(parts, places, plane).sum(dim=-1)
    if weights.shape[1] > 1:
        sums |= _disagreement(parts, looks, entropy)
    return sums, parts


def _of_maps(parts: Tensor, covered: Tensor, keys: Tensor, num_queries: Tensor, num_keys: Tensor) -> dict[str, Tensor]:
    """Of whole maps of cross-attention, those of which any query looks anywhere: (B, H)."""
    sizes = {"num_queries": num_queries.unsqueeze(1), "num_keys": num_keys.unsqueeze(1)}
    of_maps = {
        "coverage_deviation": _coverage_deviation(covered, keys.unsqueeze(1)),
        "monotonicity": focus.monotonicity(parts),
        "diagonality": focus.diagonality(parts, **sizes),
    }
    maps = (parts > 0).any(dim=-1).any(dim=-1)
    return {measure: torch.where(maps, value, 0.0) for measure, value in of_maps.items()} | {"maps": maps}


def largest_logits(logits: Tensor, num_queries: Tensor | None, kind: Kind | None, *, are_spread: bool) -> Tensor:
    """The largest logit of the queries that `focus_sums` measures, by head: (B, H, Q) -> (B, H), -inf without any.

    Args:
        num_queries: (B,) how many are real; None: all of them.
        are_spread: whether they are those of `spread_places` already.
    """
    if num_queries is not None:
        if kind == "self" and not are_spread:
            places = spread_places(num_queries, logits.shape[2], MOST_QUERIES)
            logits = _spread_rows(logits.unsqueeze(-1), places).squeeze(-1)
        real = length_mask(num_queries, logits.shape[2]).unsqueeze(1)
        logits = logits.masked_fill(~real, -torch.inf)
    return logits.amax(dim=-1)


def _spread_rows(weights: Tensor, places: Tensor) -> Tensor:
    """Rows `places` (B, N) of weights (B, H, Q, K), the same where they are all of them."""
    if places.shape[1] == weights.shape[2]:
        return weights
    return rows_at(weights, places)


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
