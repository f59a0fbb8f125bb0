"""What a path and the rules of combination ask of an attention: its factors, and what follows from them.

Shapes: ... leading dims, H heads, Q queries, K keys.
"""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from attnfocus.attention.memory import Places
from attnfocus.attention.normalizers.base import Normalizer
from attnfocus.attention.paths.protocol import PathName, Work
from attnfocus.attention.patterns.base import Pattern
from attnfocus.attention.positions.base import Position
from attnfocus.attention.role import Role
from attnfocus.attention.scores.base import Score


class Algebra(Protocol):
    """An attention that is a point of the algebra; `Attention` is the one."""

    role: Role | None
    score: Score
    normalizer: Normalizer
    pattern: Pattern
    position: Position
    wanted_path: PathName
    replacement: Callable[[Tensor], Tensor] | None
    chunk_weights: int
    max_weights: int
    dropout: float
    has_projections: bool
    query_head_dim: int
    key_head_dim: int
    output_dim: int

    @property
    def dropout_now(self) -> float: ...

    @property
    def uses_history(self) -> bool: ...

    @property
    def history_factor(self) -> str | None: ...

    @property
    def has_own_weights(self) -> bool: ...

    def used(self, weights: Tensor) -> Tensor: ...

    def run_path(self, work: Work, need_weights: bool) -> tuple[Tensor, Tensor | None]: ...

    def weigh(self, query: Tensor, keys: Tensor, mask: Tensor | None, places: Places) -> Tensor: ...
