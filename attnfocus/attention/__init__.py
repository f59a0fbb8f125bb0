"""Attention as a small algebra: score x normalizer x pattern x position, over heads.

    attention = Attention(query_dim=256, key_dim=512, score=AdditiveScore)
    context, weights = attention(query, keys, values, mask, need_weights=True)

Each factor is a class of its own and every combination has one interface; see `Attention`.
"""

from attnfocus.attention.attention import Attention, Memory
from attnfocus.attention.normalizers import Normalizer, Softmax
from attnfocus.attention.paths import PathChoice
from attnfocus.attention.patterns import CausalPattern, FullPattern, Pattern
from attnfocus.attention.positions import NoPosition, Position
from attnfocus.attention.scores import AdditiveScore, CosineScore, DotScore, GeneralScore, ScaledDotScore, Score

__all__ = [
    "AdditiveScore",
    "Attention",
    "CausalPattern",
    "CosineScore",
    "DotScore",
    "FullPattern",
    "GeneralScore",
    "Memory",
    "NoPosition",
    "Normalizer",
    "PathChoice",
    "Pattern",
    "Position",
    "ScaledDotScore",
    "Score",
    "Softmax",
]
