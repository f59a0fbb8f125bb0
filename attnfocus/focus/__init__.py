"""Where attention looks, how focused it is, and what training can ask of it."""

from attnfocus.focus.measures import (
    attends,
    effective_positions,
    entropy,
    mean_over_queries,
    normalized_entropy,
    num_positions,
    sum_over_queries,
)
from attnfocus.focus.regularizers import head_overlap, missed_alignment, off_diagonal, repeated_attention
from attnfocus.focus.regularizers_options import (
    CoverageOptions,
    DiversityOptions,
    EntropyOptions,
    GuidedOptions,
    Regularization,
    SpanOptions,
)
from attnfocus.focus.regularizers_sigma import SigmaReparametrization, sigma_reparametrize

__all__ = [
    "CoverageOptions",
    "DiversityOptions",
    "EntropyOptions",
    "GuidedOptions",
    "Regularization",
    "SigmaReparametrization",
    "SpanOptions",
    "attends",
    "effective_positions",
    "entropy",
    "head_overlap",
    "mean_over_queries",
    "missed_alignment",
    "normalized_entropy",
    "num_positions",
    "off_diagonal",
    "repeated_attention",
    "sigma_reparametrize",
    "sum_over_queries",
]
