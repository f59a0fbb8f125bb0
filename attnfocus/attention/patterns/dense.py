"""Full and causal attention. Shapes: Q queries, K keys. Masks are bool, True = may attend."""

from typing import ClassVar

from torch import Tensor

from attnfocus.attention.memory import Places
from attnfocus.attention.patterns.base import Pattern


class FullPattern(Pattern):
    """Every query may look at every key."""

    def allows(self, places: Places) -> None:
        return None


class CausalPattern(Pattern):
    """Query i may look at itself and at what came before   (Vaswani et al. 2017, sec. 3.2.3, arXiv:1706.03762)

    With fewer queries than keys the queries are the last positions of the sequence, as when one token is added at
    a time: query i may look at key j <= i + K - Q. A single query therefore sees everything.
    """

    same_sequence_only = True
    looks_back = True
    is_causal: ClassVar[bool] = True

    def allows(self, places: Places) -> Tensor:
        return places.offsets <= 0
