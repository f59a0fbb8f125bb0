"""Attention within a window, with or without global positions.

Shapes: Q queries, K keys, N blocks. Masks are bool, True = may attend.
"""

from typing import Literal

import torch
from torch import Tensor

from attnfocus.attention.memory import Places
from attnfocus.attention.patterns.base import Direction, Pattern
from attnfocus.attention.plane import NO_PLANE, Plane
from attnfocus.limits import NonNegativeInt, NumPositions

# Blocks below this are more bookkeeping than work.
MIN_BLOCK = 16


class LocalPattern(Pattern):
    """Query i may look at key j where |i - j| <= window, or where i or j is global

    The sliding window and the global positions of Longformer (Beltagy et al. 2020, sec. 3.1, arXiv:2004.05150), where
    a window of w means w / 2 to each side. Global are the first `num_global` positions; they share the projections of
    all others. direction=backward cuts away j > i, for global positions too; with `num_global` it is then a window
    with attention sinks (Xiao et al. 2023, arXiv:2309.17453).

    With axes=2, for patches of an image, both the rows and the columns of query and key must be at most `window` apart:
    a square of 2 window + 1 patches to a side (Parmar et al. 2018, sec. 3.2, arXiv:1802.05751, without their blocks).
    Positions that the model puts in front, such as that of `cls`, are then global, too.

    Cost: O(K (window + num_global)) work and memory by blocks, O(Q K) where weights are asked for.

    Args:
        window: positions to each side, besides the query's own.
        direction: both sides, or backward only.
        num_global: number of global positions.
        axes: 1: the place in the sequence; 2: row and column.
    """

    same_sequence_only = True

    def __init__(
        self,
        *,
        window: NumPositions = 8,
        direction: Direction = "both",
        num_global: NonNegativeInt = 0,
        axes: Literal[1, 2] = 1,
    ) -> None:
        self.window, self.direction, self.num_global, self.axes = window, direction, num_global, axes
        self.block_size = max(window, MIN_BLOCK)
        self.looks_back = direction == "backward"

    @property
    def needs_plane(self) -> bool:
        return self.axes == 2

    def put_on(self, plane: Plane | None) -> None:
        super().put_on(plane)
        if self.axes == 2 and plane is not None:
            self.num_global += plane.num_prepended
            self.block_size = max(self._farthest, MIN_BLOCK)

    @property
    def _farthest(self) -> int:
        """How far in the sequence a key within the window may be, on either side."""
        return self.window if self.axes == 1 or self.plane is None else self.window * (self.plane.columns + 1)

    def allows(self, places: Places) -> Tensor:
        allowed = self._near_on_plane(places) if self.axes == 2 else within(places.offsets, self.window, "both")
        if self.num_global:
            allowed = allowed | of_global(places, self.num_global)
        return allowed & (places.offsets <= 0) if self.direction == "backward" else allowed

    @property
    def goes_by_distance(self) -> bool:  # type: ignore[override]
        return self.num_global == 0

    @property
    def reach(self) -> tuple[int, int]:
        return self.num_global, self._farthest + 1

    def blocks(self, num_blocks: int) -> Tensor:
        return neighbors(num_blocks, 1, self.direction)

    def _near_on_plane(self, places: Places) -> Tensor:
        if self.plane is None:
            raise ValueError(NO_PLANE.format(key="attention.pattern"))
        down, right = self.plane.distances(places.queries, places.keys)
        return (down <= self.window) & (right <= self.window)


def within(offsets: Tensor, distance: int, direction: Direction) -> Tensor:
    """True for offsets (key minus query) of at most `distance`, to both sides or backward only."""
    if direction == "backward":
        return (offsets <= 0) & (offsets >= -distance)
    return offsets.abs() <= distance


def of_global(places: Places, num_global: int) -> Tensor:
    """(..., Q, K): True where the query or the key is one of the first `num_global` positions."""
    return (places.queries.unsqueeze(-1) < num_global) | (places.keys.unsqueeze(-2) < num_global)


def neighbors(num_blocks: int, reach: int, direction: Direction) -> Tensor:
    """For each block, itself and the blocks up to `reach` away: (N, 2 reach + 1 or reach + 1), -1 for none."""
    offsets = torch.arange(-reach, 1 if direction == "backward" else reach + 1)
    blocks = torch.arange(num_blocks).unsqueeze(-1) + offsets  # (N, columns)
    return blocks.masked_fill((blocks < 0) | (blocks >= num_blocks), -1)
