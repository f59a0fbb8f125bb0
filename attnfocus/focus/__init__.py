"""Where attention looks, and how focused it is."""

from attnfocus.focus.alignment import (
    AlignmentCounts,
    alignment_counts,
    alignment_error_rate,
    argmax_links,
    mutual_links,
    threshold_links,
)
from attnfocus.focus.measures import (
    attends,
    effective_positions,
    entropy,
    inverse_simpson,
    mean_over_queries,
    normalized_entropy,
    num_positions,
    shares,
    sum_over_queries,
    top_k_mass,
)
from attnfocus.focus.measures_compared import head_disagreement, js_distance
from attnfocus.focus.measures_places import (
    coverage,
    coverage_deviation,
    diagonality,
    distance,
    first_mass,
    mass_within,
    monotonicity,
    peak_coverage,
    relative_distance,
    special_mass,
)
from attnfocus.focus.plausibility import token_f1

__all__ = [
    "AlignmentCounts",
    "alignment_counts",
    "alignment_error_rate",
    "argmax_links",
    "attends",
    "coverage",
    "coverage_deviation",
    "diagonality",
    "distance",
    "effective_positions",
    "entropy",
    "first_mass",
    "head_disagreement",
    "inverse_simpson",
    "js_distance",
    "mass_within",
    "mean_over_queries",
    "monotonicity",
    "mutual_links",
    "normalized_entropy",
    "num_positions",
    "peak_coverage",
    "relative_distance",
    "shares",
    "special_mass",
    "sum_over_queries",
    "threshold_links",
    "token_f1",
    "top_k_mass",
]
