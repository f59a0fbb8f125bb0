"""What an evaluation sees of a model's attentions besides their contexts: the weights of some queries, and logits.

Shapes: B examples, H heads, Q queries, K keys, N queries that stand for all. Masks are bool, True = may attend.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from attnfocus.attention.role import Axis, Role


class Noted(Protocol):
    """An attention, as far as it matters here."""

    role: Role | None


class Observed(NamedTuple):
    """Of one attention, in one call of the model.

    Attributes:
        places: (B, N) the queries whose weights were given; None: those of all.
        logits: (B, H, N or Q) the largest score of each of these queries before the normalizer, positions and masks
            done; None: the attention showed no scores.
    """

    places: Tensor | None
    logits: Tensor | None


class Observation:
    """Within `observing`, attentions that are asked for weights note their logits here, and self-attention over more
    than `most_queries` positions gives the weights of so many queries alone: (B, H, N, K) in the place of (B, H, Q, K).

    The context then comes from whatever path is fastest, and the memory of the weights grows with the length, not with
    its square. An attention whose weights are no function of one query's scores gives all of them, as without.

    Args:
        lengths: (B,) how many positions of each sequence are real, what a model puts before them included.
        most_queries: None: the weights of all queries are wanted.
    """

    def __init__(self, lengths: Mapping[Axis, Tensor], most_queries: int | None = None) -> None:
        self._lengths, self._most_queries = lengths, most_queries
        self._places: dict[int, Tensor] = {}
        self._logits: dict[int, list[Tensor]] = {}

    def places_for(self, attention: Noted, query: Tensor, num_keys: int) -> Tensor | None:
        """Which queries (B, N) of (B, H, Q, d) are to be weighed; None: all."""
        size, role = query.shape[-2], attention.role
        if self._most_queries is None or size <= self._most_queries or size != num_keys or query.dim() != 4:
            return None
        lengths = None if role is None or role.kind != "self" else self._lengths.get(role.queries)
        if lengths is None or len(lengths) != len(query):
            return None
        places = spread_places(lengths, size, self._most_queries)
        self._places[id(attention)] = places
        return places

    def note(self, attention: Noted, scores: Tensor, mask: Tensor | None) -> None:
        """Scores (..., H, Q, K) of some queries, which follow on those noted before."""
        if scores.shape[-1] == 0:
            return
        visible = scores.detach() if mask is None else torch.where(mask, scores.detach(), -torch.inf)
        self._logits.setdefault(id(attention), []).append(visible.amax(dim=-1))

    def of(self, attention: Noted) -> Observed:
        """What was seen of an attention so far."""
        noted = self._logits.get(id(attention))
        return Observed(self._places.get(id(attention)), None if noted is None else torch.cat(noted, dim=-1))


_CURRENT: ContextVar[Observation | None] = ContextVar("observation", default=None)


def current() -> Observation | None:
    """The observation that a call is part of; none inside what torch.compile compiles, which reads no such variable."""
    return None if torch.compiler.is_compiling() else _CURRENT.get()


def noted(attention: Noted, scores: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Scores and mask as they are, which the current observation notes, if there is one."""
    seen = current()
    if seen is not None:
        seen.note(attention, scores, mask)
    return scores, mask


@contextmanager
def observing(observation: Observation | None) -> Iterator[None]:
    """Within, in this thread, calls are part of it; None: of none."""
    token = _CURRENT.set(observation)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def spread_places(num_queries: Tensor, size: int, most: int) -> Tensor:
    """Of each example at most `most` real queries, evenly spread, a function of its own length alone: (B,) -> (B, N).

    Args:
        num_queries: how many are real.
        size: Q; places of examples that have fewer than N queries lie anywhere below it.
    """
    kept = num_queries.clamp(max=most)
    steps = torch.arange(min(most, size), device=num_queries.device)
    places = (2 * steps + 1) * num_queries.unsqueeze(1) // (2 * kept.clamp_min(1).unsqueeze(1))
    return places.clamp(max=size - 1)
