"""Over how many positions the weights of a map are spread: the measures of `focus`, for arrays.

Shapes: ... leading dims, Q queries, K keys.
"""

from typing import NamedTuple

import numpy as np
import torch

from attnfocus.focus import effective_positions

NEARLY_UNIFORM = 0.9  # normalized entropy above which a picture means little


class Spread(NamedTuple):
    """Means over the queries that look anywhere."""

    effective_positions: float  # 1 to K
    normalized_entropy: float  # 0: one position, 1: all alike


def effective_of_rows(weights: np.ndarray) -> np.ndarray:
    """Effective positions of each query, 0 of one that looks nowhere. weights (..., Q, K) -> (..., Q)."""
    found: np.ndarray = effective_positions(torch.from_numpy(np.ascontiguousarray(weights))).numpy()
    return found


def spread_of(weights: np.ndarray) -> Spread | None:
    """Of one map; None where no query looks anywhere. weights (Q, K)."""
    return mean_spread(effective_of_rows(weights), weights.shape[-1])


def mean_spread(effective: np.ndarray, num_keys: int) -> Spread | None:
    """As `spread_of`, from the effective positions (Q,): their logarithm is the entropy."""
    used = effective[effective > 0].astype(np.float64)
    if not len(used):
        return None
    entropies = np.log(used) / np.log(max(num_keys, 2))
    return Spread(float(used.mean()), float(entropies.mean()))
