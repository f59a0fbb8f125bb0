"""Where a model's attentions looked, for a batch: the weights with what they mean, and how much of them is real.

Shapes: B examples, H heads, Q queries, K keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from attnfocus.attention.base import BaseAttention
from attnfocus.attention.observation import Observation, observing
from attnfocus.attention.role import Axis, Kind
from attnfocus.data.rows import Row
from attnfocus.models.base import Model, Place
from attnfocus.models.lengths import length_mask

MOST_QUERIES = 64  # of self-attention that are measured of each input: maps grow with the square of the length
Size = tuple[int | None, int | None]  # queries, keys


@dataclass(frozen=True)
class Look:
    """Where one attention looked, for a batch.

    Attributes:
        place: which one, and what its queries and keys are.
        weights: (B, H, Q, K), before dropout.
        num_keys, num_queries: (B,) how many are real; `num_queries=None`: all of them.
        places: (B, Q) which queries these are, where they are some that stand for all; None: all of them.
        logits: (B, H, Q) the largest score of each query before the normalizer; None: that is not known.
    """

    place: Place
    weights: Tensor
    num_keys: Tensor
    num_queries: Tensor | None
    places: Tensor | None = None
    logits: Tensor | None = None

    @property
    def name(self) -> str:
        """As users know it."""
        return self.place.name

    @property
    def queries(self) -> Tensor:
        """Real queries, (B, 1, Q)."""
        num_queries = self.weights.shape[2]
        if self.num_queries is None:
            return torch.ones(len(self.weights), 1, num_queries, dtype=torch.bool, device=self.weights.device)
        return length_mask(self.num_queries, num_queries).unsqueeze(1)

    @property
    def pairs(self) -> Tensor:
        """Real keys of real queries, (B, 1, Q, K)."""
        keys = length_mask(self.num_keys, self.weights.shape[3])
        return keys[:, None, None] & self.queries.unsqueeze(-1)

    @property
    def real(self) -> Tensor:
        """The weights on the CPU, float32, 0 wherever the query or the key is padding."""
        return self.weights.masked_fill(~self.pairs, 0.0).float().cpu()


@contextmanager
def observed(model: Model, lengths: Mapping[Axis, Tensor], rows: Iterable[Row] = ()) -> Iterator[Observation]:
    """Within, a model that is asked for weights gives those of some queries alone, where there are many, and logits.

    Args:
        lengths: as in `looks_of`.
        rows: of the batch; one whose evidence is known is held against whole maps, which are then given.
    """
    own = {axis: num_positions(model, axis, lengths) for axis in lengths}
    are_held = any(row.alignment or row.regions or row.rationale for row in rows)
    real = {axis: each for axis, each in own.items() if each is not None}
    observation = Observation(real, None if are_held else MOST_QUERIES)
    with observing(observation):
        yield observation


def looks_of(
    model: Model,
    weights: Mapping[str, Tensor],
    lengths: Mapping[Axis, Tensor],
    observation: Observation | None = None,
) -> list[Look]:
    """The weights of a model's output with their places.

    Args:
        lengths: of each sequence that the model knows, (B,): of the input without what the model puts before it.
        observation: what was seen in the call that made the weights.

    Raises:
        ValueError: the model does not say what some weights mean, or no length of their sequence is known.
    """
    looks = [_look(model, place, weights[name], lengths) for name, place in model.places_of(weights).items()]
    if observation is None:
        return looks
    attentions = model.attentions()
    return [_observed(look, attentions.get(look.name), observation) for look in looks]


def _observed(look: Look, attention: BaseAttention | None, observation: Observation) -> Look:
    if attention is None:
        return look
    places, logits = observation.of(attention)
    is_known = logits is not None and logits.shape == look.weights.shape[:3]  # else they are of other maps than these
    return replace(look, places=places, logits=logits if is_known else None)


def _look(model: Model, place: Place, weights: Tensor, lengths: Mapping[Axis, Tensor]) -> Look:
    of_queries, of_keys = (num_positions(model, axis, lengths) for axis in (place.queries, place.keys))
    if of_keys is None:
        of_keys = torch.full((len(weights),), weights.shape[3], device=weights.device)
    return Look(place, weights, of_keys, of_queries)


def num_positions(model: Model, axis: Axis, lengths: Mapping[Axis, Tensor]) -> Tensor | None:
    """How many positions of an axis of weights are real, (B,); None: all are.

    Args:
        lengths: as in `looks_of`.

    Raises:
        ValueError: no length of the sequence is known.
    """
    if axis == "learned":
        return None
    if axis not in lengths:
        raise ValueError(
            f"{type(model).__name__} has an attention over positions of the {axis}, and its task knows the lengths "
            f"of {' and '.join(lengths)} alone."
        )
    return lengths[axis] + model.num_prepended if axis == "input" else lengths[axis]


def map_sizes(model: Model, names: Iterable[str], lengths: Mapping[Axis, Tensor]) -> dict[str, list[Size]]:
    """Of each of these attentions how many queries and keys are real, for each example; None: all of them.

    Args:
        lengths: as in `looks_of`.
    """
    return {
        name: list(zip(*(_known(model, axis, lengths) for axis in (place.queries, place.keys)), strict=True))
        for name, place in model.places_of(names).items()
    }


def _known(model: Model, axis: Axis, lengths: Mapping[Axis, Tensor]) -> list[int | None]:
    if axis != "learned" and axis not in lengths:
        return [None] * len(next(iter(lengths.values())))
    found = num_positions(model, axis, lengths)
    return [None] * len(next(iter(lengths.values()))) if found is None else [int(each) for each in found]


def by_kind(places: Iterable[Place], kind: Kind) -> list[Place]:
    """Those of one kind, in their order."""
    return [place for place in places if place.kind == kind]
