"""How well a query and a key match: one number for each pair."""

from attnfocus.attention.scores.additive import AdditiveScore
from attnfocus.attention.scores.base import Score, ScoreFactory
from attnfocus.attention.scores.history import CoverageScore, LocationScore
from attnfocus.attention.scores.inner_product import CosineScore, DotScore, GeneralScore, ScaledDotScore

__all__ = [
    "AdditiveScore",
    "CosineScore",
    "CoverageScore",
    "DotScore",
    "GeneralScore",
    "LocationScore",
    "ScaledDotScore",
    "Score",
    "ScoreFactory",
]
