"""Keywords of constructors that the classes below them hand on: their names and types, for type checkers and editors.

The defaults stand in the constructors alone; a test holds both lists equal.
"""

from typing import Annotated, Required, TypedDict

from attnfocus.attention.normalizers.base import NormalizerFactory
from attnfocus.attention.paths.protocol import PathName
from attnfocus.attention.patterns.base import PatternFactory
from attnfocus.attention.positions.base import PositionFactory
from attnfocus.attention.scores.base import ScoreFactory
from attnfocus.limits import Probability, Size
from attnfocus.marks import Mark


class HeadKeywords(TypedDict, total=False):
    """Of `BaseAttention`."""

    num_heads: Size | None
    num_key_heads: Size | None
    projections: bool | None
    dropout: Probability
    suggested_heads: int
    suggested_projections: bool
    suggested_bias: bool
    output_dim: int | None


class KernelKeywords(HeadKeywords, total=False):
    """Of `KernelAttention`."""

    pattern: PatternFactory


class LatentKeywords(HeadKeywords, total=False):
    """Of `Attention`, but for the score and the position."""

    normalizer: NormalizerFactory
    pattern: PatternFactory
    path: Annotated[PathName, Mark.RESUMABLE]


class AttentionKeywords(LatentKeywords, total=False):
    """Of `Attention`."""

    score: Required[ScoreFactory]
    position: PositionFactory
