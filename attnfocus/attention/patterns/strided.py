"""Strided attention. Shapes: Q queries, K keys. Masks are bool, True = may attend."""

from torch import Tensor

from attnfocus.attention.memory import Places
from attnfocus.attention.patterns.base import Direction, Pattern
from attnfocus.attention.patterns.local import within
from attnfocus.limits import NumPositions


class StridedPattern(Pattern):
    """Query i may look at key j where |i - j| <= stride, or where i - j is a multiple of stride

    The "strided" attention of Child et al. 2019 (sec. 4.2 and 4.3, arXiv:1904.10509), whose two sets are here the
    union for every head. direction=backward cuts away j > i, as in the paper; both is the same for encoders.

    Cost: O(Q K): the rule is a mask over all pairs.

    Args:
        stride: the paper's l, about the square root of the length.
        direction: both sides, or backward only.
    """

    same_sequence_only = True
    goes_by_distance = True

    def __init__(self, *, stride: NumPositions = 8, direction: Direction = "both") -> None:
        self.stride, self.direction = stride, direction

    def allows(self, places: Places) -> Tensor:
        offsets = places.offsets
        allowed = within(offsets, self.stride, "both") | (offsets % self.stride == 0)
        return allowed & (offsets <= 0) if self.direction == "backward" else allowed
