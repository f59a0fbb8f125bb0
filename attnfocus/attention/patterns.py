"""Who may look where, apart from padding.

Shapes: Q queries, K keys. Masks are bool, True = may attend.
"""

from typing import ClassVar, Protocol

import torch
from torch import Tensor


class Pattern:
    """A rule over positions: query i of Q, key j of K. It is combined with the padding mask."""

    # True: the rule compares positions of queries and keys, so both must be one sequence (self-attention).
    same_sequence_only: ClassVar[bool] = False
    # True: exactly the causal pattern, for which fused kernels have a mode of their own.
    is_causal: ClassVar[bool] = False

    def mask(self, num_queries: int, num_keys: int, device: torch.device) -> Tensor | None:
        """bool (Q, K), or None where every query may look at every key."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class PatternFactory(Protocol):
    """Builds a pattern: a `Pattern` class, or a `functools.partial` of one."""

    def __call__(self) -> Pattern: ...


class FullPattern(Pattern):
    """Every query may look at every key."""

    def mask(self, num_queries: int, num_keys: int, device: torch.device) -> None:
        return None


class CausalPattern(Pattern):
    """Query i may look at itself and at what came before   (Vaswani et al. 2017, sec. 3.2.3, arXiv:1706.03762)

    With fewer queries than keys the queries are the last positions of the sequence, as when one token is added at
    a time: query i may look at key j <= i + K - Q. A single query therefore sees everything.
    """

    same_sequence_only: ClassVar[bool] = True
    is_causal: ClassVar[bool] = True

    def mask(self, num_queries: int, num_keys: int, device: torch.device) -> Tensor | None:
        if num_queries == 1:
            return None
        queries = torch.arange(num_keys - num_queries, num_keys, device=device)
        return torch.arange(num_keys, device=device) <= queries.unsqueeze(-1)  # (Q, K)
