"""How positions enter: by moving queries and keys, or by a bias on the scores.

Shapes: ... leading dims, H heads, N positions, Q queries, K keys, d, dv sizes of one head and of its values.
"""

from typing import ClassVar, Protocol

from torch import Tensor, nn

from attnfocus.attention.memory import Places
from attnfocus.attention.plane import Plane


class Position(nn.Module):
    """Makes attention aware of positions. Queries are the last Q of K positions where there are fewer queries.

    Args:
        num_heads: heads may differ.
        head_dim: size of one query of one head.
    """

    # True: positions of queries and keys are compared, so both must be one sequence (self-attention).
    same_sequence_only: ClassVar[bool] = True
    # The longest sequence that has positions; None: any.
    max_length: int | None = None
    # True: positions count by their distances alone, so that a part of a sequence may stand anywhere.
    goes_by_distance: ClassVar[bool] = False
    # True: `bias` gives a tensor.
    has_bias: ClassVar[bool] = False
    # True: `bias` looks at the query, not only at the offsets.
    bias_needs_query: ClassVar[bool] = False
    # True: works only under scores that do not change when query and key turn together: q . k, q . k / sqrt(d), cos.
    needs_rotation_invariance: ClassVar[bool] = False
    # True: a number is read of each key as it comes, before any projection, and kept with it; all numbers up to a
    # position make what its clock shows, of which `bias_at` makes the bias. See `connect`, `read` and `clock`.
    reads_inputs: ClassVar[bool] = False
    # True: `rescored` looks at the scores, so those of all keys that a query may attend to must be there at once.
    reads_scores: ClassVar[bool] = False
    # True: what a query reads of a key depends on the offset, too. See `connect_values` and `read_offsets`.
    adds_to_values: bool = False

    def __init__(self, *, num_heads: int, head_dim: int) -> None:
        super().__init__()
        self.num_heads, self.head_dim = num_heads, head_dim
        self.plane: Plane | None = None  # set by the attention that it is made for, where positions lie on one

    @property
    def needs_plane(self) -> bool:
        """Whether positions must have rows and columns."""
        return False

    def place_keys(self, keys: Tensor, first_position: int) -> Tensor:
        """Keys (..., any number of heads, N, d), the first of them at `first_position` -> the same shape."""
        return keys

    def place_queries(self, queries: Tensor, first_position: int) -> Tensor:
        """Queries (..., H, N, d), the first of them at `first_position` -> the same shape."""
        return queries

    def bias(self, query: Tensor, offsets: Tensor) -> Tensor | None:
        """What is added to the scores: broadcastable to (..., H, Q, K), in float32 at least; or None.

        Args:
            query: (..., H, Q, d), out of `place_queries`.
            offsets: key position minus query position, long (..., Q, K) without the axis of the heads; leading dims
                may be missing or 1.
        """
        return None

    def bias_at(self, query: Tensor, places: Places) -> Tensor | None:
        """`bias` for queries and keys that stand anywhere; what reads its inputs compares the clocks of the places."""
        return self.bias(query, places.offsets) if self.has_bias else None

    # Of a position that reads its inputs.

    def connect(self, input_dim: int) -> None:
        """Called once, by the attention that it is made for: keys come with `input_dim` numbers."""

    def read(self, inputs: Tensor) -> Tensor:
        """Keys as they come (..., K, input_dim), 0 where padded -> a number for each head (..., H, K)."""
        raise NotImplementedError

    def clock(self, readings: Tensor, hidden: Tensor | None) -> Tensor:
        """readings of a sequence from its start on (..., H, K) -> what the clock shows at each position (..., H, K).

        hidden: broadcastable to (..., H, K), True for keys that no query may attend to: they must change nothing.
        """
        raise NotImplementedError

    # Of a position that adds to the values.

    def connect_values(self, value_dim: int) -> None:
        """Called once, by the attention that it is made for: a value of one head has `value_dim` numbers."""

    def read_offsets(self, weights: Tensor, offsets: Tensor) -> Tensor:
        """What the offsets give to the context: weights (..., H, Q, K), dropout done -> (..., H, Q, dv).

        offsets: as in `bias`.
        """
        raise NotImplementedError

    # Of a position that reads the scores.

    def rescored(self, scores: Tensor, query: Tensor, mask: Tensor | None, offsets: Tensor) -> Tensor:
        """Scores (..., H, Q, K) after a look at them. Keys stand in the order of their positions.

        mask: all that forbids, broadcastable to the scores; the rest as in `bias`.
        """
        raise NotImplementedError


class PositionFactory(Protocol):
    """Builds a position: a `Position` class, or a `functools.partial` of one."""

    def __call__(self, *, num_heads: int, head_dim: int) -> Position: ...


class NoPosition(Position):
    """Attention sees a set: the order of the keys plays no part, unless the vectors themselves tell it."""

    same_sequence_only: ClassVar[bool] = False
    goes_by_distance: ClassVar[bool] = True
