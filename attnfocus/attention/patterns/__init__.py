"""Who may look where: one class for each rule."""

from attnfocus.attention.patterns.base import Pattern, PatternFactory
from attnfocus.attention.patterns.dense import CausalPattern, FullPattern

__all__ = ["CausalPattern", "FullPattern", "Pattern", "PatternFactory"]
