"""Where attention looks: how far, at special tokens, at the first position.

Shapes: ... leading dims (batch and heads), Q queries, K keys. Masks and weights as in `focus.measures`.
"""

import torch
from torch import Tensor

from attnfocus.focus.measures import attends, measured_dtype, shares


def distance(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """sum_j p_j |i - j| of the query at position i, in positions: self-attention. (..., Q, K) -> (..., Q).

    Raises:
        ValueError: the queries are not the keys: Q differs from K.
    """
    return (shares(weights, mask) * _distances(weights)).sum(dim=-1)


def mass_within(weights: Tensor, mask: Tensor | None = None, *, window: int) -> Tensor:
    """Share of the weight on keys at most `window` positions away: self-attention. (..., Q, K) -> (..., Q), 0 to 1.

    Raises:
        ValueError: Q differs from K, or the window is negative.
    """
    if window < 0:
        raise ValueError(f"window must be at least 0, got {window}")
    return (shares(weights, mask) * (_distances(weights) <= window)).sum(dim=-1).clamp(max=1.0)


def relative_distance(
    weights: Tensor,
    mask: Tensor | None = None,
    *,
    num_queries: Tensor | None = None,
    num_keys: Tensor | None = None,
) -> Tensor:
    """sum_j p_j |i / (Q - 1) - j / (K - 1)|: how far from the diagonal, 0 to 1. (..., Q, K) -> (..., Q).

    For queries and keys of two sequences, where positions are only comparable as parts of the whole (as in the guided
    attention of Tachibana et al. 2018, arXiv:1710.08969, eq. 5). A side of one position counts as its beginning.

    Args:
        num_queries, num_keys: how many are real, broadcastable to the leading dims; None: all.
    """
    places = _places(weights, weights.shape[-2], num_queries).unsqueeze(-1)  # (..., Q, 1)
    keys = _places(weights, weights.shape[-1], num_keys).unsqueeze(-2)  # (..., 1, K)
    return (shares(weights, mask) * (places - keys).abs()).sum(dim=-1)


def first_mass(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """Share of the weight on the first key, where attention sinks form (Xiao et al. 2023, arXiv:2309.17453). 0 to 1.

    (..., Q, K) -> (..., Q), K at least 1.
    """
    return shares(weights, mask)[..., 0]


def special_mass(weights: Tensor, special: Tensor, mask: Tensor | None = None) -> Tensor:
    """Share of the weight on special tokens (Clark et al. 2019, arXiv:1906.04341, sec. 3.2), 0 to 1.

    (..., Q, K) -> (..., Q).

    Args:
        special: bool, True at special tokens, broadcastable to the weights: (B, 1, 1, K) of a batch.
    """
    return (shares(weights, mask) * special).sum(dim=-1).clamp(max=1.0)


def coverage(weights: Tensor, mask: Tensor | None = None, queries: Tensor | None = None) -> Tensor:
    """sum_i p_ij: how much each key was looked at by all queries. (..., Q, K) -> (..., K).

    Args:
        queries: bool, broadcastable to (..., Q): False for padded queries. None: all.
    """
    return _real(shares(weights, mask), queries).sum(dim=-2)


def coverage_deviation(weights: Tensor, mask: Tensor | None = None, queries: Tensor | None = None) -> Tensor:
    """Mean over the keys of |coverage - 1|: 0 if each was looked at once. (..., Q, K) -> (...), 0 to max(1, Q - 1).

    The coverage of Tu et al. 2016 (arXiv:1601.04811, sec. 3.2) with a fertility of 1 for all. 0 without any key.
    """
    deviations = (coverage(weights, mask, queries) - 1).abs()
    if mask is None:
        return deviations.mean(dim=-1)
    keys = mask.expand(weights.shape).any(dim=-2)  # (..., K)
    return torch.where(keys, deviations, 0.0).sum(dim=-1) / keys.sum(dim=-1).clamp_min(1)


def peak_coverage(weights: Tensor, mask: Tensor | None = None, queries: Tensor | None = None) -> Tensor:
    """Share of all weight that lies on the one key with most of it: 1 if all queries look at one and the same key.

    (..., Q, K) -> (...), from 1 / K to 1; 0 where no query attends. High values in all heads say that attention has
    collapsed: it no longer depends on the query.

    Args:
        queries: as in `coverage`.
    """
    covered = coverage(weights, mask, queries)
    total = covered.sum(dim=-1)
    return (covered.amax(dim=-1) / torch.where(total > 0, total, 1.0)).clamp(max=1.0)


def monotonicity(weights: Tensor, mask: Tensor | None = None, queries: Tensor | None = None) -> Tensor:
    """How surely attention does not go back from one query to the next. (..., Q, K) -> (...), 0 to 1.

    Mean over neighbors (i, i + 1) of the probability that a key drawn from the weights of i + 1 does not stand before
    one drawn from those of i: sum_j p_{i+1,j} sum_{l <= j} p_il. Staying or moving on gives 1, going back 0, equal
    weights (K + 1) / 2K. 1 where there are no two neighbors that attend.

    Args:
        queries: as in `coverage`.
    """
    parts = _real(shares(weights, mask), queries)
    stays = (parts[..., 1:, :] * parts[..., :-1, :].cumsum(dim=-1)).sum(dim=-1)  # (..., Q - 1)
    looks = attends(parts)
    pairs = looks[..., 1:] & looks[..., :-1]
    count = pairs.sum(dim=-1)
    mean = torch.where(pairs, stays, 0.0).sum(dim=-1) / count.clamp_min(1)
    return torch.where(count > 0, mean.clamp(max=1.0), 1.0)


def diagonality(
    weights: Tensor,
    mask: Tensor | None = None,
    queries: Tensor | None = None,
    *,
    num_queries: Tensor | None = None,
    num_keys: Tensor | None = None,
) -> Tensor:
    """1 - mean over the queries that attend of `relative_distance`. (..., Q, K) -> (...), 0 to 1, 1 on the diagonal.

    1 where no query attends.

    Args:
        queries: as in `coverage`.
        num_queries, num_keys: as in `relative_distance`.
    """
    looks = _real(attends(weights, mask).unsqueeze(-1), queries).squeeze(-1)
    distances = relative_distance(weights, mask, num_queries=num_queries, num_keys=num_keys)
    return 1 - torch.where(looks, distances, 0.0).sum(dim=-1) / looks.sum(dim=-1).clamp_min(1)


def _real(values: Tensor, queries: Tensor | None) -> Tensor:
    """Values (..., Q, K) with those of padded queries 0."""
    return values if queries is None else values.masked_fill(~queries.unsqueeze(-1), 0)


def _distances(weights: Tensor) -> Tensor:
    """|i - j|, (Q, K)."""
    num_queries, num_keys = weights.shape[-2:]
    if num_queries != num_keys:
        raise ValueError(
            f"distances in positions are of self-attention: got {num_queries} queries and {num_keys} keys. "
            "Use relative_distance for two sequences."
        )
    places = torch.arange(num_keys, device=weights.device)
    return (places.unsqueeze(1) - places).abs()


def _places(weights: Tensor, size: int, number: Tensor | None) -> Tensor:
    """0 at the first position to 1 at the last real one, (size,) or (..., size)."""
    places = torch.arange(size, device=weights.device, dtype=measured_dtype(weights))
    if number is None:
        return places / max(size - 1, 1)
    return places / (number - 1).clamp_min(1).unsqueeze(-1)
