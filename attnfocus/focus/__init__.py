"""Where attention looks, and how focused it is."""

from attnfocus.focus.measures import (
    attends,
    effective_positions,
    entropy,
    mean_over_queries,
    normalized_entropy,
    num_positions,
    sum_over_queries,
)

__all__ = [
    "attends",
    "effective_positions",
    "entropy",
    "mean_over_queries",
    "normalized_entropy",
    "num_positions",
    "sum_over_queries",
]
