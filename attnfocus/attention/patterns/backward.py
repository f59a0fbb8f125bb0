"""Any pattern, cut at the query itself. Shapes: Q queries, K keys, N blocks. Masks are bool, True = may attend."""

from torch import Tensor

from attnfocus.attention import masks
from attnfocus.attention.memory import Places
from attnfocus.attention.patterns.base import Pattern
from attnfocus.attention.patterns.dense import CausalPattern, FullPattern
from attnfocus.attention.plane import Plane


class BackwardPattern(Pattern):
    """Query i may look at key j <= i where another pattern lets it: what a decoder's self-attention needs.

    Cost: that of the other pattern.

    Args:
        pattern: the other one.
    """

    same_sequence_only = True
    looks_back = True

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self._follow()

    def _follow(self) -> None:
        """Takes over what the other pattern says of itself, which may depend on the plane."""
        pattern = self.pattern
        self.is_selective, self.goes_by_distance = pattern.is_selective, pattern.goes_by_distance
        self.block_size, self.num_global = pattern.block_size, pattern.num_global

    @property
    def needs_plane(self) -> bool:
        return self.pattern.needs_plane

    def put_on(self, plane: Plane | None) -> None:
        super().put_on(plane)
        self.pattern.put_on(plane)
        self._follow()

    def allows(self, places: Places) -> Tensor | None:
        return masks.both(self.pattern.allows(places), places.offsets <= 0)

    def blocks(self, num_blocks: int) -> Tensor | None:
        return self.pattern.blocks(num_blocks)

    @property
    def reach(self) -> tuple[int, int] | None:
        return self.pattern.reach

    def narrow(self, scores: Tensor, mask: Tensor | None, places: Places) -> Tensor | None:
        return self.pattern.narrow(scores, mask, places)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.pattern!r})"


def looking_back(pattern: Pattern) -> Pattern:
    """The pattern without what comes after the query; itself where there is nothing of that."""
    if isinstance(pattern, FullPattern):
        return CausalPattern()
    return pattern if pattern.looks_back else BackwardPattern(pattern)
