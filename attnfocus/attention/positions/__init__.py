"""How positions enter: one class for each way."""

from attnfocus.attention.positions.base import NoPosition, Position, PositionFactory

__all__ = ["NoPosition", "Position", "PositionFactory"]
