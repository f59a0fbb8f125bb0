"""Attention as a small algebra: score x normalizer x pattern x position, over heads.

    attention = Attention(query_dim=256, key_dim=512, score=AdditiveScore)
    context, weights = attention(query, keys, values, mask, need_weights=True)

Each factor is a class of its own and every combination has one interface; see `Attention`.
"""

from attnfocus.attention.algebra import Attention
from attnfocus.attention.base import BaseAttention
from attnfocus.attention.head_changes import changed_heads
from attnfocus.attention.memory import GrowingMemory, History, Memory, Past, Places, RollingMemory, RunningSums
from attnfocus.attention.normalizers.adaptive import AdaptiveScalableEntmax
from attnfocus.attention.normalizers.base import Normalizer
from attnfocus.attention.normalizers.entmax import Entmax, Entmax15, Sparsemax
from attnfocus.attention.normalizers.monotonic import Monotonic
from attnfocus.attention.normalizers.rectified import ReluSquared, Softpick
from attnfocus.attention.normalizers.sigmoid import Sigmoid
from attnfocus.attention.normalizers.softmax import (
    ScalableSoftmax,
    Sink,
    Softmax,
    SoftmaxPlusOne,
    TemperatureSoftmax,
)
from attnfocus.attention.normalizers.stick_breaking import StickBreaking
from attnfocus.attention.paths import Call, PathChoice
from attnfocus.attention.patterns.backward import BackwardPattern, looking_back
from attnfocus.attention.patterns.base import Pattern
from attnfocus.attention.patterns.blocks import BigBirdPattern, BlockSparsePattern
from attnfocus.attention.patterns.dense import CausalPattern, FullPattern, PrefixPattern
from attnfocus.attention.patterns.local import LocalPattern
from attnfocus.attention.patterns.selective import MobaPattern, TopKPattern
from attnfocus.attention.patterns.strided import StridedPattern
from attnfocus.attention.positions.absolute import LearnedPosition, SinusoidalPosition
from attnfocus.attention.positions.base import NoPosition, Position
from attnfocus.attention.positions.bias import AlibiPosition, T5Position
from attnfocus.attention.positions.contextual import ContextualPosition
from attnfocus.attention.positions.forgetting import ForgettingPosition
from attnfocus.attention.positions.relative import ShawPosition, TransformerXLPosition
from attnfocus.attention.positions.rotary import RotaryPosition
from attnfocus.attention.replacement import replaced_weights
from attnfocus.attention.role import Role
from attnfocus.attention.scores.additive import AdditiveScore
from attnfocus.attention.scores.base import Score
from attnfocus.attention.scores.history import CoverageScore, LocationScore
from attnfocus.attention.scores.inner_product import (
    CosineScore,
    DistanceScore,
    DotScore,
    GeneralScore,
    ScaledDotScore,
)
from attnfocus.attention.siblings.adaptive_span import AdaptiveSpanAttention
from attnfocus.attention.siblings.decayed import DecayedAttention
from attnfocus.attention.siblings.differential import DifferentialAttention
from attnfocus.attention.siblings.exclusive import ExclusiveAttention
from attnfocus.attention.siblings.gated import GatedAttention
from attnfocus.attention.siblings.gated_delta import GatedDeltaAttention
from attnfocus.attention.siblings.latent import LatentAttention
from attnfocus.attention.siblings.linear import LinearAttention
from attnfocus.attention.siblings.linformer import Linformer
from attnfocus.attention.siblings.local_predictive import LocalPredictiveAttention
from attnfocus.attention.siblings.mocha import MochaAttention
from attnfocus.attention.siblings.performer import Performer
from attnfocus.attention.siblings.selective import SelectiveAttention
from attnfocus.attention.siblings.talking_heads import TalkingHeadsAttention
from attnfocus.attention.siblings.transformer_xl import TransformerXLAttention

__all__ = [
    "AdaptiveScalableEntmax",
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
    "ContextualPosition",
    "CosineScore",
    "CoverageScore",
    "DecayedAttention",
    "DifferentialAttention",
    "DistanceScore",
    "DotScore",
    "Entmax",
    "Entmax15",
    "ExclusiveAttention",
    "ForgettingPosition",
    "FullPattern",
    "GatedAttention",
    "GatedDeltaAttention",
    "GeneralScore",
    "GrowingMemory",
    "History",
    "LatentAttention",
    "LearnedPosition",
    "LinearAttention",
    "Linformer",
    "LocalPattern",
    "LocalPredictiveAttention",
    "LocationScore",
    "Memory",
    "MobaPattern",
    "MochaAttention",
    "Monotonic",
    "NoPosition",
    "Normalizer",
    "Past",
    "PathChoice",
    "Pattern",
    "Performer",
    "Places",
    "Position",
    "PrefixPattern",
    "ReluSquared",
    "Role",
    "RollingMemory",
    "RotaryPosition",
    "RunningSums",
    "ScalableSoftmax",
    "ScaledDotScore",
    "Score",
    "SelectiveAttention",
    "ShawPosition",
    "Sigmoid",
    "Sink",
    "SinusoidalPosition",
    "Softmax",
    "SoftmaxPlusOne",
    "Softpick",
    "Sparsemax",
    "StickBreaking",
    "StridedPattern",
    "T5Position",
    "TalkingHeadsAttention",
    "TemperatureSoftmax",
    "TopKPattern",
    "TransformerXLAttention",
    "TransformerXLPosition",
    "changed_heads",
    "looking_back",
    "replaced_weights",
]
