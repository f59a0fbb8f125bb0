"""Points of a curve: as many as a drawing can show."""

from collections.abc import Sequence
from typing import TypeVar

Point = TypeVar("Point")


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """All points, or of more than `most` every second (third, ...) and the last."""
    stride = max(1, -(-len(points) // most))
    return [*points[:-1:stride], *points[-1:]]
