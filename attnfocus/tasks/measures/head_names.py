"""What each head of a model does, by its weights over some examples.

Shapes: B examples of a batch, b of them whose weights are known, L input positions, H heads, Q queries, K keys.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from attnfocus.attention.role import Axis
from attnfocus.data.batches import Batch
from attnfocus.data.codecs.base import Codec
from attnfocus.data.codecs.written import WrittenCodec
from attnfocus.focus.head_kinds import DIFFUSE, KINDS, MIXED, Tokens, kind_scores, name_of
from attnfocus.focus.measures import shares
from attnfocus.models.base import Model, Place
from attnfocus.special import PAD, SPECIAL_TOKENS
from attnfocus.tasks.base import Task
from attnfocus.tasks.looks import Look, looks_of


@dataclass(frozen=True)
class Head:
    """One head, what it does, and what is lost without it.

    Attributes:
        attention, number: which one.
        kind: one of `focus.head_kinds.KINDS`.
        scores: of every kind that there can be, 0 to 1.
        costs: metric -> how much worse it is without this head (`loss`: higher; `accuracy`, ...: lower); empty where
            that was not measured.
    """

    attention: str
    number: int
    kind: str
    scores: Mapping[str, float]
    costs: Mapping[str, float] = field(default_factory=dict)

    @property
    def nearest(self) -> str:
        """Its kind; of a mixed one that whose rule fits best."""
        rules = {kind: score for kind, score in self.scores.items() if kind != DIFFUSE}
        return max(rules, key=lambda kind: rules[kind]) if self.kind == MIXED and rules else self.kind

    @property
    def score(self) -> float:
        """Of its kind, or of the nearest; NaN where there is none."""
        return self.scores.get(self.nearest, math.nan)


def named_heads(task: Task, model: Model, batch: Batch, maps: Mapping[str, Tensor]) -> tuple[Head, ...]:
    """Every head with its kind.

    Args:
        maps: by attention the weights (b, H, Q, K) of the first examples of the batch, as `Task.maps` gives them.
    """
    sample, heads = _Sample(task, model, batch, maps), []
    for look in sample.looks:
        scores = sample.scores(look)
        for number in range(look.weights.shape[1]):
            own = {kind: float(each[number]) for kind, each in scores.items() if not math.isnan(float(each[number]))}
            heads.append(Head(look.name, number, name_of(own), own))
    return tuple(heads)


def kind_counts(heads: Sequence[Head]) -> dict[str, int]:
    """How many heads are of each kind that there can be among them, in the order of the kinds; 0 too."""
    possible = {MIXED, *(kind for head in heads for kind in head.scores)} if heads else set()
    found = Counter(head.kind for head in heads)
    return {kind: found[kind] for kind in KINDS if kind in possible}


class _Sample:
    """The weights of some examples, and what stands along their axes, on the CPU.

    Attributes:
        looks: the weights with their places.
    """

    def __init__(self, task: Task, model: Model, batch: Batch, maps: Mapping[str, Tensor]) -> None:
        count = len(next(iter(maps.values()))) if maps else 0
        lengths = {axis: each[:count].cpu() for axis, each in task.axis_lengths(batch).items()}
        self._codec, self._num_prepended = task.codec, model.num_prepended
        self._inputs, self._targets = batch.inputs[:count].cpu(), batch.targets[:count].cpu()
        self._ids = self._ids_of(lengths)
        self.looks = looks_of(model, maps, lengths)
        is_crossing = any(look.place.kind == "cross" for look in self.looks)
        self._links = [task.codec.links(row) for row in batch.rows[:count]] if is_crossing else []

    def _ids_of(self, lengths: Mapping[Axis, Tensor]) -> dict[Axis, Tensor]:
        """The tokens along each sequence that attentions look at (b, positions); without those that are vectors."""
        if "input" not in lengths:  # what is read is what is written, too
            return {"output": self._inputs}
        found: dict[Axis, Tensor] = {} if self._inputs.is_floating_point() else {"input": self._inputs}
        if "output" in lengths:
            found["output"] = self._targets[:, :-1]
        return found

    def scores(self, look: Look) -> dict[str, Tensor]:
        """Kind -> (H,)."""
        place, real = look.place, look.queries.squeeze(1)  # (b, Q)
        queries, keys = self._along(place.queries), self._along(place.keys)
        tokens = Tokens(
            queries if place.kind == "self" else None,
            keys,
            None if keys is None else _separators(self._codec, place.keys, keys),
            real if (asked := self._asked(place)) is None else asked & real,
            self._known_links(look.weights.shape) if place.kind == "cross" else None,
        )
        return kind_scores(shares(look.weights, look.pairs), look.pairs, place.kind, tokens)

    def _along(self, axis: Axis) -> Tensor | None:
        """The tokens along an axis (b, positions); -1 is what a model puts before its input."""
        if axis not in self._ids:
            return None
        before = self._num_prepended if axis == "input" else 0
        return torch.nn.functional.pad(self._ids[axis], (before, 0), value=-1)

    def _asked(self, place: Place) -> Tensor | None:
        """The queries (b, Q) of a language model whose output counts; None: all do."""
        is_read = self._ids.get("output") is self._inputs
        if place.queries != "output" or not is_read or self._targets.shape != self._inputs.shape:
            return None
        return self._targets != PAD

    def _known_links(self, shape: Sequence[int]) -> Tensor | None:
        """What is known to translate what, bool (b, Q, K) of weights of this shape; None where rows do not say it."""
        if not any(self._links):
            return None
        found = torch.zeros(shape[0], *shape[2:], dtype=torch.bool)
        for number, links in enumerate(self._links):
            for query, key in () if links is None else links.possible:
                if query < shape[2] and key < shape[3]:
                    found[number, query, key] = True
        return found


def _separators(codec: Codec, axis: Axis, keys: Tensor) -> Tensor:
    """bool, of the same shape: special tokens, and those of punctuation or blanks alone."""
    numbers = [number for number in keys.unique().tolist() if number >= len(SPECIAL_TOKENS)]
    of_target = axis == "output" and isinstance(codec, WrittenCodec)
    names = codec.target_tokens(numbers) if of_target else codec.input_tokens(numbers)  # type: ignore[attr-defined]
    found = [number for number, name in zip(numbers, names, strict=True) if _is_separator(name)]
    return (keys < len(SPECIAL_TOKENS)) | torch.isin(keys, torch.tensor(found, dtype=keys.dtype))


def _is_separator(name: str) -> bool:
    text = name.strip("▁")
    return all(unicodedata.category(character)[0] in "PZC" for character in text)
