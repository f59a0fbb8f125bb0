"""What attention carries from call to call.

Shapes: ... leading dims, G key heads, H heads, K keys.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Memory(NamedTuple):
    """What depends on the keys alone, computed once (`BaseAttention.prepare`). Leading dims come first everywhere."""

    keys: Tensor  # (..., G or H, K, any size): as the attention wants them
    values: Tensor  # (..., G or H, K, size of one head's value)
    mask: Tensor | None  # broadcastable to (..., Q, K), as it was given


class History(NamedTuple):
    """Where earlier steps of a decoder looked."""

    previous: Tensor  # (..., H, 1, K): weights of the last step
    total: Tensor  # (..., H, 1, K): sum of the weights of all steps so far

    def after(self, weights: Tensor) -> "History":
        """The history after a step with these weights (..., H, 1, K)."""
        return History(weights, self.total + weights)


class Places(NamedTuple):
    """Positions in the sequence of the queries (..., Q) and keys (..., K) that meet in one piece of work."""

    queries: Tensor
    keys: Tensor

    @classmethod
    def of(cls, num_queries: int, num_keys: int, device: torch.device) -> "Places":
        """All keys, and the queries as the last positions: one token at a time is then the same as all at once."""
        first = num_keys - num_queries
        return cls(torch.arange(first, num_keys, device=device), torch.arange(num_keys, device=device))

    @property
    def offsets(self) -> Tensor:
        """How far each key stands behind (< 0) or ahead of (> 0) each query: (..., Q, K)."""
        return self.keys.unsqueeze(-2) - self.queries.unsqueeze(-1)
