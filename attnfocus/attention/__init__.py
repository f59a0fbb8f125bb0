"""Attention as a small algebra: score x normalizer x pattern x position, over heads.

    attention = Attention(query_dim=256, key_dim=512, score=AdditiveScore)
    context, weights = attention(query, keys, values, mask, need_weights=True)

Each factor is a class of its own and every combination has one interface; see `Attention`.
"""

from attnfocus.attention.algebra import Attention
from attnfocus.attention.base import BaseAttention
from attnfocus.attention.memory import GrowingMemory, History, Memory, Places
from attnfocus.attention.normalizers.base import Normalizer
from attnfocus.attention.normalizers.entmax import Entmax, Entmax15, Sparsemax
from attnfocus.attention.normalizers.monotonic import Monotonic
from attnfocus.attention.normalizers.sigmoid import Sigmoid
from attnfocus.attention.normalizers.softmax import ScalableSoftmax, Softmax, SoftmaxPlusOne, TemperatureSoftmax
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
from attnfocus.attention.scores.inner_product import CosineScore, DotScore, GeneralScore, ScaledDotScore
from attnfocus.attention.siblings.adaptive_span import AdaptiveSpanAttention
from attnfocus.attention.siblings.differential import DifferentialAttention
from attnfocus.attention.siblings.gated import GatedAttention
from attnfocus.attention.siblings.linear import LinearAttention
from attnfocus.attention.siblings.linformer import Linformer
from attnfocus.attention.siblings.local_predictive import LocalPredictiveAttention
from attnfocus.attention.siblings.performer import Performer
from attnfocus.attention.siblings.talking_heads import TalkingHeadsAttention
from attnfocus.attention.siblings.transformer_xl import TransformerXLAttention

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
    "ContextualPosition",
    "CosineScore",
    "CoverageScore",
    "DifferentialAttention",
    "DotScore",
    "Entmax",
    "Entmax15",
    "ForgettingPosition",
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
    "MobaPattern",
    "Monotonic",
    "NoPosition",
    "Normalizer",
    "PathChoice",
    "Pattern",
    "Performer",
    "Places",
    "Position",
    "PrefixPattern",
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
