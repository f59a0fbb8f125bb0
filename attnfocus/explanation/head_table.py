"""What each head of a model does, by its weights over some inputs.

Shapes: B examples, L input positions, H heads, Q queries, K keys.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from attnfocus.attention.role import Axis
from attnfocus.data.batches import Batch, collate
from attnfocus.data.codecs.base import Codec, Encoded
from attnfocus.data.codecs.written import WrittenCodec
from attnfocus.errors import DataError
from attnfocus.focus.head_kinds import DIFFUSE, KINDS, MIXED, Tokens, kind_scores, name_of
from attnfocus.focus.measures import shares
from attnfocus.models.base import Model, Place
from attnfocus.models.lengths import length_mask
from attnfocus.special import PAD, SPECIAL_TOKENS
from attnfocus.tasks.base import Task
from attnfocus.tasks.evaluation import device_of
from attnfocus.tasks.looks import num_positions

Removal = Literal["mean", "zero"]
NUM_NAMED = 64  # examples, where no number is given
MAX_PAIRS = 2**20  # examples times squared length: of long inputs fewer are read


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


@dataclass(frozen=True)
class HeadTable:
    """The heads of a model, in its order.

    Attributes:
        num_examples, split: what it was measured on.
        removal: what was put in the place of a head to find its cost; None: no costs were measured.
        metrics: of these examples with all heads; empty without costs.
    """

    heads: Sequence[Head]
    num_examples: int
    split: str = "test"
    removal: Removal | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def kinds(self) -> dict[str, tuple[str, ...]]:
        """Attention -> the kind of each of its heads."""
        found: dict[str, tuple[str, ...]] = {}
        for head in self.heads:
            found[head.attention] = (*found.get(head.attention, ()), head.kind)
        return found

    @property
    def counts(self) -> dict[str, int]:
        """How many heads are of each kind, in the order of the kinds."""
        found = Counter(head.kind for head in self.heads)
        return {kind: found[kind] for kind in KINDS if found[kind]}

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "heads": [dict(vars(head)) for head in self.heads], "counts": self.counts}


def name_heads(task: Task, model: Model, examples: Sequence[Encoded], *, num_examples: int, split: str) -> HeadTable:
    """Every head with its kind, by the weights over the first examples that the model can read.

    Attentions that give no weights have no rows here.

    Raises:
        DataError: the model can read none of them.
    """
    chosen = readable_examples(model, examples, num_examples, split)
    batch = collate(chosen).to(device_of(model))
    lengths = task.axis_lengths(batch)
    ids = ids_of(batch, lengths)
    heads = []
    for name, weights in task.maps(model, batch).items():
        place = model.places_of([name])[name]
        links = known_links(task.codec, batch, weights.shape) if place.kind == "cross" else None
        scores = _scores_of(task.codec, model, place, weights, (lengths, ids, _asked(batch, place, ids), links))
        for number in range(weights.shape[1]):
            own = {kind: float(each[number]) for kind, each in scores.items() if not math.isnan(float(each[number]))}
            heads.append(Head(name, number, name_of(own), own))
    return HeadTable(tuple(heads), len(chosen), split)


def readable_examples(model: Model, examples: Sequence[Encoded], num_examples: int, split: str) -> list[Encoded]:
    """The first examples that the model can read; of long ones fewer.

    Raises:
        DataError: there is none.
    """
    longest, chosen, pairs = model.max_input_length, list[Encoded](), 0
    for example in examples:
        size = len(example.inputs)
        if size == 0 or (longest is not None and size > longest):
            continue
        pairs = max(pairs, size**2)
        if len(chosen) == num_examples or (chosen and pairs * (len(chosen) + 1) > MAX_PAIRS):
            break
        chosen.append(example)
    if not chosen:
        raise DataError(f"heads: the model can read no example of {split}.")
    return chosen


def ids_of(batch: Batch, lengths: Mapping[Axis, Tensor]) -> dict[Axis, Tensor]:
    """The tokens along each sequence that attentions look at (B, positions); without those that are vectors."""
    if "input" not in lengths:  # what is read is what is written, too
        return {"output": batch.inputs}
    found: dict[Axis, Tensor] = {} if batch.inputs.is_floating_point() else {"input": batch.inputs}
    if "output" in lengths:
        found["output"] = batch.targets[:, :-1]
    return found


def known_links(codec: Codec, batch: Batch, shape: Sequence[int]) -> Tensor | None:
    """What is known to translate what, bool (B, Q, K) of weights of this shape; None where rows do not say it."""
    of_rows = [codec.links(row) for row in batch.rows]
    if not any(of_rows):
        return None
    found = torch.zeros(shape[0], *shape[2:], dtype=torch.bool)
    for number, links in enumerate(of_rows):
        for query, key in () if links is None else links.possible:
            if query < shape[2] and key < shape[3]:
                found[number, query, key] = True
    return found


def _asked(batch: Batch, place: Place, ids: Mapping[Axis, Tensor]) -> Tensor | None:
    """The queries (B, Q) of a language model whose output counts; None: all do."""
    if place.queries != "output" or ids.get("output") is not batch.inputs or batch.targets.shape != batch.inputs.shape:
        return None
    return batch.targets != PAD


def _scores_of(
    codec: Codec,
    model: Model,
    place: Place,
    weights: Tensor,
    what: tuple[Mapping[Axis, Tensor], Mapping[Axis, Tensor], Tensor | None, Tensor | None],
) -> dict[str, Tensor]:
    """Kind -> (H,), of weights (B, H, Q, K) on the CPU."""
    lengths, ids, asked, links = what
    real = [
        torch.ones(len(weights), size, dtype=torch.bool)
        if (found := num_positions(model, axis, lengths)) is None
        else length_mask(found.cpu(), size)
        for axis, size in zip((place.queries, place.keys), weights.shape[2:], strict=True)
    ]
    queries, keys = (_along(ids, axis, model) for axis in (place.queries, place.keys))
    tokens = Tokens(
        queries if place.kind == "self" else None,
        keys,
        None if keys is None else _separators(codec, place.keys, keys),
        real[0] if asked is None else asked.cpu() & real[0],
        links,
    )
    pairs = (real[0].unsqueeze(-1) & real[1].unsqueeze(-2)).unsqueeze(1)
    return kind_scores(shares(weights, pairs), pairs, place.kind, tokens)


def _along(ids: Mapping[Axis, Tensor], axis: Axis, model: Model) -> Tensor | None:
    """The tokens along an axis (B, positions), on the CPU; -1 is what a model puts before its input."""
    if axis not in ids:
        return None
    before = model.num_prepended if axis == "input" else 0
    return torch.nn.functional.pad(ids[axis].cpu(), (before, 0), value=-1)


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
