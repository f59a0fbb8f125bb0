"""Who may look where: one class for each rule."""

from attnfocus.attention.patterns.backward import BackwardPattern, looking_back
from attnfocus.attention.patterns.base import Direction, Pattern, PatternFactory
from attnfocus.attention.patterns.blocks import BigBirdPattern, BlockSparsePattern
from attnfocus.attention.patterns.dense import CausalPattern, FullPattern
from attnfocus.attention.patterns.local import LocalPattern
from attnfocus.attention.patterns.selective import TopKPattern
from attnfocus.attention.patterns.strided import StridedPattern

__all__ = [
    "BackwardPattern",
    "BigBirdPattern",
    "BlockSparsePattern",
    "CausalPattern",
    "Direction",
    "FullPattern",
    "LocalPattern",
    "Pattern",
    "PatternFactory",
    "StridedPattern",
    "TopKPattern",
    "looking_back",
]
