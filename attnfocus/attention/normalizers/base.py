"""What every way from scores to weights has in common.

Shapes: ... leading dims, H heads, Q queries, K keys. Masks are bool, True = may attend.
"""

import inspect
import math
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from attnfocus.attention import masks
from attnfocus.attention.memory import History
from attnfocus.signatures import WholeSignature


class Normalizer(nn.Module):
    """Turns scores (..., H, Q, K) into weights of the same shape, exactly 0 where masked.

    Each row (one query's scores) is normalized by itself, so that rows can be computed in any pieces.

    A `mask` is bool and broadcastable to the scores, True = may attend; None: all may be attended.

    Args:
        num_heads: for normalizers with parameters, each head has its own.
        head_dim: size of one head's query; given to constructors that have a parameter of this name.
    """

    __signature__ = WholeSignature()  # of the classes below, which hand on what they do not name
    # True: the weights of a query that may attend to anything sum to 1.
    sums_to_one: ClassVar[bool] = True
    # True: no weight is below 0.
    is_nonnegative: ClassVar[bool] = True
    # True: no weight can grow without end, whatever the scores.
    is_bounded: ClassVar[bool] = True
    # True: a score that is not above 0 has no weight, so that a row may have none though it may attend.
    needs_positive: ClassVar[bool] = False
    # True: weights depend on the order of the keys.
    needs_order: ClassVar[bool] = False
    # Numbers that `hints` reads of each query; 0: the scores tell all.
    num_hints: int = 0
    # True: weights depend on where earlier steps looked, so that queries come one by one: see `step`.
    uses_history: ClassVar[bool] = False

    def __init__(self, *, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads

    def forward(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        """scores (..., H, Q, K), mask broadcastable to them or None (all may be attended) -> weights (..., H, Q, K).

        One with `num_hints` takes them after the mask: (..., H, Q, num_hints), or None.
        """
        raise NotImplementedError

    def hints(self, query: Tensor) -> Tensor | None:
        """What it reads of queries (..., H, Q, head_dim), before positions move them: (..., H, Q, num_hints)."""
        return None

    def with_hints(self, scores: Tensor, mask: Tensor | None, hints: Tensor | None) -> Tensor:
        """`forward`, with hints where there are any."""
        weights: Tensor = self(scores, mask) if hints is None else self(scores, mask, hints)
        return weights

    def step(self, scores: Tensor, mask: Tensor | None, history: History) -> Tensor:
        """One step of a decoder, for one with `uses_history`: scores (..., H, 1, K) -> weights (..., H, 1, K)."""
        return self(scores, mask)

    def steps(self, scores: Tensor, mask: Tensor | None, history: History) -> Tensor:
        """`step` for several that follow on each other: scores (..., H, Q, K) -> weights (..., H, Q, K)."""
        rows = []
        for index in range(scores.shape[-2]):
            weights = self.step(scores[..., index : index + 1, :], masks.of_query(mask, index), history)
            history = history.after(weights)
            rows.append(weights)
        return torch.cat(rows, dim=-2) if rows else scores

    def first_weights(self, zeros: Tensor) -> Tensor:
        """What stands for the weights of the step before the first, given zeros (..., H, 1, K)."""
        return zeros


class NormalizerFactory(Protocol):
    """Builds a normalizer: a `Normalizer` class, or a `functools.partial` of one. See `made`."""

    def __call__(self, *, num_heads: int) -> Normalizer: ...


def made(factory: NormalizerFactory, num_heads: int, head_dim: int) -> Normalizer:
    """The normalizer of some heads; `head_dim` is for constructors that ask for it."""
    given: dict[str, int] = {"head_dim": head_dim} if "head_dim" in inspect.signature(factory).parameters else {}
    return factory(num_heads=num_heads, **given)


def count(scores: Tensor, mask: Tensor | None) -> Tensor | int:
    """n, the keys which a query may attend to, in the precision of the scores: (..., 1), or a number for all.

    A query with nothing to attend counts as one with one key: its log is finite, and its weights are 0 anyway.
    """
    num_keys = scores.shape[-1]
    if mask is None:
        return max(1, num_keys)
    return count_seen(mask if mask.shape[-1] == num_keys else mask.expand(*mask.shape[:-1], num_keys), scores.dtype)


def count_seen(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """`count` by a mask (..., K)."""
    return mask.count_nonzero(dim=-1).unsqueeze(-1).clamp(min=1).to(dtype)


def log_count(scores: Tensor, mask: Tensor | None, more: int = 0) -> Tensor | float:
    """log(n + more), n as in `count`."""
    found = count(scores, mask)
    return math.log(found + more) if isinstance(found, int) else (found + more).log()
