"""Attention as a small algebra: score x normalizer x pattern x position, over heads.

    attention = Attention(query_dim=256, key_dim=512, score=AdditiveScore)
    context, weights = attention(query, keys, values, mask, need_weights=True)

Each factor is a class of its own and every combination has one interface; see `Attention`.
"""

from attnfocus.attention.algebra import Attention
from attnfocus.attention.base import BaseAttention
from attnfocus.attention.memory import GrowingMemory, History, Memory, Places
from attnfocus.attention.normalizers import (
    Entmax,
    Entmax15,
    Monotonic,
    Normalizer,
    ScalableSoftmax,
    Sigmoid,
    Softmax,
    SoftmaxPlusOne,
    Sparsemax,
    TemperatureSoftmax,
)
from attnfocus.attention.paths import Call, PathChoice
from attnfocus.attention.patterns import (
    BackwardPattern,
    BigBirdPattern,
    BlockSparsePattern,
    CausalPattern,
    FullPattern,
    LocalPattern,
    Pattern,
    StridedPattern,
    TopKPattern,
    looking_back,
)
from attnfocus.attention.positions import (
    AlibiPosition,
    LearnedPosition,
    NoPosition,
    Position,
    RotaryPosition,
    ShawPosition,
    SinusoidalPosition,
    T5Position,
    TransformerXLPosition,
)
from attnfocus.attention.replacement import replaced_weights
from attnfocus.attention.role import Role
from attnfocus.attention.scores import (
    AdditiveScore,
    CosineScore,
    CoverageScore,
    DotScore,
    GeneralScore,
    LocationScore,
    ScaledDotScore,
    Score,
)
from attnfocus.attention.siblings import (
    AdaptiveSpanAttention,
    DifferentialAttention,
    GatedAttention,
    LinearAttention,
    Linformer,
    LocalPredictiveAttention,
    Performer,
    TalkingHeadsAttention,
    TransformerXLAttention,
)

__all__ = [
    "AdaptiveSpanAttention",
    "AdditiveScore",
    "AlibiPosition",
    "Attention",
    "BackwardPattern",
    "BaseAttention",
    "BigBirdPattern",
    "BlockSparsePattern",
    "Call",
    "CausalPattern",
    "CosineScore",
    "CoverageScore",
    "DifferentialAttention",
    "DotScore",
    "Entmax",
    "Entmax15",
    "FullPattern",
    "GatedAttention",
    "GeneralScore",
    "GrowingMemory",
    "History",
    "LearnedPosition",
    "LinearAttention",
    "Linformer",
    "LocalPattern",
    "LocalPredictiveAttention",
    "LocationScore",
    "Memory",
    "Monotonic",
    "NoPosition",
    "Normalizer",
    "PathChoice",
    "Pattern",
    "Performer",
    "Places",
    "Position",
    "Role",
    "RotaryPosition",
    "ScalableSoftmax",
    "ScaledDotScore",
    "Score",
    "ShawPosition",
    "Sigmoid",
    "SinusoidalPosition",
    "Softmax",
    "SoftmaxPlusOne",
    "Sparsemax",
    "StridedPattern",
    "T5Position",
    "TalkingHeadsAttention",
    "TemperatureSoftmax",
    "TopKPattern",
    "TransformerXLAttention",
    "TransformerXLPosition",
    "looking_back",
    "replaced_weights",
]
