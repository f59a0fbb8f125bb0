"""Who may look where, apart from padding.

Shapes: Q queries, K keys, N blocks. Masks are bool, True = may attend.
"""

from typing import ClassVar, Literal, Protocol

from torch import Tensor

from attnfocus.attention.memory import Places
from attnfocus.attention.plane import Plane

# Which way a rule lets a query look: to both sides, or only at itself and at what came before (causal).
Direction = Literal["both", "backward"]


class Pattern:
    """A rule over positions, combined with the padding mask.

    The rule may depend on positions only, never on the number of keys: padding must not change it.
    """

    # True: the rule compares positions of queries and keys, so both must be one sequence (self-attention).
    same_sequence_only: bool = False
    # True: exactly the causal pattern, for which fused kernels have a mode of their own.
    is_causal: ClassVar[bool] = False
    # True: no query may look at what comes after it, whatever else the rule says.
    looks_back: bool = False
    # True: `narrow` looks at the scores, so they must all be there at once.
    is_selective: bool = False

    # True: positions count by their distances alone, so that a part of a sequence may stand anywhere.
    goes_by_distance: bool = False

    # Positions in a block of `blocks`; None: the rule does not go by blocks.
    block_size: int | None = None
    # Rows and columns of the positions, where they have some; set by the attention that the pattern is made for.
    plane: Plane | None = None
    # The first positions, which may see every position and be seen by every position, besides what `blocks` says.
    num_global: int = 0

    def allows(self, places: Places) -> Tensor | None:
        """bool (..., Q, K), or None where every query may look at every key. Elementwise in the positions."""
        raise NotImplementedError

    def blocks(self, num_blocks: int) -> Tensor | None:
        """For each block of queries, the blocks of keys that it may look into: long (N, any number), -1 for none.

        What `allows` lets through lies inside them (but for queries and keys among the first `num_global`), each
        block stands once in its row, in rising order, and the number of columns does not grow with N: work and memory
        then grow with N, not with its square.
        """
        return None

    @property
    def reach(self) -> tuple[int, int] | None:
        """(f, l): no query sees other keys before itself than the first f of the sequence and the last l up to itself.

        None: it may see any.
        """
        return None

    @property
    def needs_plane(self) -> bool:
        """Whether positions must have rows and columns."""
        return False

    def put_on(self, plane: Plane | None) -> None:
        """Called once, by the attention that it is made for: how the positions lie; None: in a row."""
        self.plane = plane

    def narrow(self, scores: Tensor, mask: Tensor | None, places: Places) -> Tensor | None:
        """The mask (broadcastable to the scores (..., H, Q, K), or None) after a look at the scores."""
        return mask

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value}" for name, value in vars(self).items() if value is not None)
        return f"{type(self).__name__}({options})"


class PatternFactory(Protocol):
    """Builds a pattern: a `Pattern` class, or a `functools.partial` of one."""

    def __call__(self) -> Pattern: ...
