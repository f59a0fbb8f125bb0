"""Full and causal attention, and what lies between. Shapes: Q queries, K keys. Masks are bool, True = may attend."""

from typing import ClassVar

from torch import Tensor

from attnfocus.attention.memory import Places
from attnfocus.attention.patterns.base import Pattern
from attnfocus.limits import NumPositions


class FullPattern(Pattern):
    """Every query may look at every key."""

    goes_by_distance = True

    def allows(self, places: Places) -> None:
        return None


class CausalPattern(Pattern):
    """Query i may look at itself and at what came before   (Vaswani et al. 2017, sec. 3.2.3, arXiv:1706.03762)

    With fewer queries than keys the queries are the last positions of the sequence, as when one token is added at
    a time: query i may look at key j <= i + K - Q. A single query therefore sees everything.
    """

    same_sequence_only = True
    looks_back = True
    goes_by_distance = True
    is_causal: ClassVar[bool] = True

    def allows(self, places: Places) -> Tensor:
        return places.offsets <= 0


class PrefixPattern(Pattern):
    """The first `length` positions see each other to both sides, the others what came before   (prefix LM: Raffel et
    al. 2020, sec. 3.2.1, arXiv:1910.10683)

    Where nothing may look ahead, as in a decoder's self-attention, it is the causal pattern.

    Cost: O(Q K): the rule is a mask over all pairs.

    Args:
        length: positions of the prefix.
    """

    same_sequence_only = True

    def __init__(self, *, length: NumPositions = 8) -> None:
        self.length = length

    def allows(self, places: Places) -> Tensor:
        return (places.offsets <= 0) | (places.keys < self.length).unsqueeze(-2)
