"""Attention within a window, with or without global positions.

Shapes: Q queries, K keys, N blocks. Masks are bool, True = may attend.
"""

import torch
from torch import Tensor

from attnfocus.attention.memory import Places
from attnfocus.attention.patterns.base import Direction, Pattern
from attnfocus.limits import NonNegativeInt, NumPositions

# Blocks below this are more bookkeeping than work.
MIN_BLOCK = 16


class LocalPattern(Pattern):
    """Query i may look at key j where |i - j| <= window, or where i or j is global

    The sliding window and the global positions of Longformer (Beltagy et al. 2020, sec. 3.1, arXiv:2004.05150), where
    a window of w means w / 2 to each side. Global are the first `num_global` positions; they share the projections of
    all others. direction=backward cuts away j > i, for global positions too; with `num_global` it is then a window
    with attention sinks (Xiao et al. 2023, arXiv:2309.17453).

    Cost: O(K (window + num_global)) work and memory by blocks, O(Q K) where weights are asked for.

    Args:
        window: positions to each side, besides the query's own.
        direction: both sides, or backward only.
        num_global: number of global positions.
    """

    same_sequence_only = True

    def __init__(
        self, *, window: NumPositions = 8, direction: Direction = "both", num_global: NonNegativeInt = 0
    ) -> None:
        self.window, self.direction, self.num_global = window, direction, num_global
        self.block_size = max(window, MIN_BLOCK)
        self.looks_back = direction == "backward"

    def allows(self, places: Places) -> Tensor:
        offsets = places.offsets
        if self.num_global == 0:
            return within(offsets, self.window, self.direction)
        allowed = offsets.abs() <= self.window
        allowed = allowed | of_global(places, self.num_global)
        return allowed & (offsets <= 0) if self.direction == "backward" else allowed

    @property
    def goes_by_distance(self) -> bool:  # type: ignore[override]
        return self.num_global == 0

    @property
    def reach(self) -> tuple[int, int]:
        return self.num_global, self.window + 1

    def blocks(self, num_blocks: int) -> Tensor:
        return neighbors(num_blocks, 1, self.direction)


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
