"""How positions enter: by rotating queries and keys, or by a bias on the scores.

Shapes: ... leading dims, H heads, N positions, Q queries, K keys, d size of one head.
"""

from typing import ClassVar, Protocol

from torch import Tensor, nn


class Position(nn.Module):
    """Makes attention aware of positions. Queries are the last Q of K positions where there are fewer queries.

    Args:
        num_heads: heads may differ.
        head_dim: size of one query of one head.
    """

    # True: positions of queries and keys are compared, so both must be one sequence (self-attention).
    same_sequence_only: ClassVar[bool] = False
    # True: `bias` gives a tensor.
    has_bias: ClassVar[bool] = False

    def __init__(self, *, num_heads: int, head_dim: int) -> None:
        super().__init__()
        self.num_heads, self.head_dim = num_heads, head_dim

    def rotate(self, vectors: Tensor, first_position: int) -> Tensor:
        """Queries or keys (..., H, N, d), the first of them at `first_position` -> the same shape."""
        return vectors

    def bias(self, num_queries: int, num_keys: int) -> Tensor | None:
        """What is added to the scores: (H, Q, K), or None."""
        return None


class PositionFactory(Protocol):
    """Builds a position: a `Position` class, or a `functools.partial` of one."""

    def __call__(self, *, num_heads: int, head_dim: int) -> Position: ...


class NoPosition(Position):
    """Attention sees a set: the order of the keys plays no part, unless the vectors themselves tell it."""
