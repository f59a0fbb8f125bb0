"""How positions enter: one class for each way."""

from attnfocus.attention.positions.absolute import LearnedPosition, SinusoidalPosition
from attnfocus.attention.positions.base import NoPosition, Position, PositionFactory
from attnfocus.attention.positions.bias import AlibiPosition, T5Position
from attnfocus.attention.positions.relative import ShawPosition, TransformerXLPosition
from attnfocus.attention.positions.rotary import RotaryPosition

__all__ = [
    "AlibiPosition",
    "LearnedPosition",
    "NoPosition",
    "Position",
    "PositionFactory",
    "RotaryPosition",
    "ShawPosition",
    "SinusoidalPosition",
    "T5Position",
    "TransformerXLPosition",
]
