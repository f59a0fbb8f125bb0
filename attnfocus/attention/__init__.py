"""Attention as a small algebra: score x normalizer x pattern x position, over heads.

    attention = Attention(query_dim=256, key_dim=512, score=AdditiveScore)
    context, weights = attention(query, keys, values, mask, need_weights=True)

Each factor is a class of its own and every combination has one interface; see `Attention`.
"""

from attnfocus.attention.attention import Attention
from attnfocus.attention.heads import BaseAttention
from attnfocus.attention.memory import History, Memory, Places
from attnfocus.attention.normalizers import Normalizer, Softmax
from attnfocus.attention.paths import Call, PathChoice
from attnfocus.attention.patterns import CausalPattern, FullPattern, Pattern
from attnfocus.attention.positions import NoPosition, Position
from attnfocus.attention.scores import AdditiveScore, CosineScore, DotScore, GeneralScore, ScaledDotScore, Score

__all__ = [
    "AdditiveScore",
    "Attention",
    "BaseAttention",
    "Call",
    "CausalPattern",
    "CosineScore",
    "DotScore",
    "FullPattern",
    "GeneralScore",
    "History",
    "Memory",
    "NoPosition",
    "Normalizer",
    "PathChoice",
    "Pattern",
    "Places",
    "Position",
    "ScaledDotScore",
    "Score",
    "Softmax",
]
