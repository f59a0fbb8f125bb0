"""Attentions that are no point of the algebra, behind the same interface: one module for each."""

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
    "DifferentialAttention",
    "GatedAttention",
    "LinearAttention",
    "Linformer",
    "LocalPredictiveAttention",
    "Performer",
    "TalkingHeadsAttention",
    "TransformerXLAttention",
]
