"""Two runs, or two steps of one, that look at the same examples: the maps of the second beside those of the first.

Shapes: H heads, Q queries, K keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from attnfocus.data.clean import CleanOptions
from attnfocus.data.codecs.base import Codec, Encoded
from attnfocus.errors import ConfigError, UserError
from attnfocus.explanation.attribution import attribute, probe_of
from attnfocus.explanation.norms import NORM, normed
from attnfocus.explanation.options import AttributionOptions
from attnfocus.models.base import Model
from attnfocus.tasks import FocusMap, Inspected, Task
from attnfocus.tasks.answers import Subtracted
from attnfocus.tasks.probe import Probe


@dataclass(frozen=True)
class Other:
    """What is taken away.

    Attributes:
        label: `step 100`, or a run's name and its step.
        clean: how its texts are cleaned.
        is_same_run: whether it is another step of the run that is shown, whose examples it reads as they are.
        is_one_head: one head is compared, whatever others there are; else both must have the same number.
    """

    label: str
    task: Task
    model: Model
    clean: CleanOptions
    is_same_run: bool
    is_one_head: bool

    def read(self, example: Encoded) -> Encoded:
        """The example in its own numbers."""
        if self.is_same_run:
            return example
        text = example.row.input
        codec = self.task.codec
        return codec.encode_input(text, example.id, self.clean) if isinstance(text, str) else codec.encode(example.row)


def with_minus(other: Other, codec: Codec, example: Encoded, answer: Inspected) -> Inspected:
    """The answer, whose maps have those of the other, for the same answer: under the same output, or of the same label.

    Args:
        codec: that made the example.

    Raises:
        ConfigError: the other reads or writes other tokens, has other attentions or heads, or cannot read the example.
    """
    if not answer.maps:
        return answer
    try:
        theirs = other.read(example)
        _require_same(
            other, example.id, codec.input_tokens(example.inputs), other.task.codec.input_tokens(theirs.inputs)
        )
        probe = probe_of(other.task, other.model, [theirs], answer.prediction.text)
        written = next((each.query_tokens for each in answer.maps if each.kind == "cross"), None)
        if written is not None:
            _require_same(other, example.id, written, probe.output_tokens(0))
        with torch.no_grad():
            found = _Found(other, theirs, answer.prediction.text, probe.weights())
        theirs_of = [_weights(found, each) for each in answer.maps]
        maps = [_paired(other, *pair) for pair in zip(answer.maps, _normed(probe, answer.maps, theirs_of), strict=True)]
    except _OtherError:
        raise
    except UserError as error:
        raise ConfigError(f"minus: {other.label}: {error}") from error
    return replace(answer, maps=tuple(maps))


class _OtherError(ConfigError):
    """One that says already that it is about `minus`."""


@dataclass(frozen=True)
class _Found:
    """What the other makes of an example: its weights (1, H, Q, K) by attention, for the answer of the first."""

    other: Other
    example: Encoded
    answer: str
    weights: Mapping[str, Tensor]


def _require_same(other: Other, name: str, own: Sequence[str], theirs: Sequence[str]) -> None:
    if tuple(own) == tuple(theirs):
        return
    pairs = zip([*own, "nothing"], [*theirs, "nothing"], strict=False)
    place, (first, second) = next((n, pair) for n, pair in enumerate(pairs, 1) if pair[0] != pair[1])
    raise _OtherError(
        f"minus: {other.label} has other tokens in example {name}: {second} in place of {first} (token {place}). "
        "Only maps of the same tokens can be compared: name a run of the same data and tokenizer, or a step of this "
        "run, as in minus=100."
    )


def _weights(found: _Found, each: FocusMap) -> np.ndarray:
    """Those (H, Q, K) of the same method, attention and heads."""
    other = found.other
    if each.place is None:
        options = AttributionOptions(target=found.answer)
        return attribute(other.task, other.model, [found.example], each.method, options)[0].scores[np.newaxis]
    if each.name not in found.weights:
        named = ", ".join(found.weights) or "none that gives weights"
        raise _OtherError(
            f"minus: {other.label} has no attention {each.name}. It has: {named}. layer=NAME shows one that both have."
        )
    weights = found.weights[each.name][0].float().cpu().numpy()
    if (not other.is_one_head and len(weights) != len(each.heads)) or max(each.heads) >= len(weights):
        raise _OtherError(
            f"minus: {each.name} has {len(weights)} heads in {other.label}, and other ones here. "
            "head=0 compares the first of each."
        )
    return weights[list(each.heads)]


def _normed(probe: Probe, maps: Sequence[FocusMap], weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The weights, those of `attention_norm` times the norms of the values."""
    wanted = [replace(each, weights=own) for each, own in zip(maps, weights, strict=True) if each.method == NORM]
    times_norms = iter(normed(probe, wanted) if wanted else ())
    return [next(times_norms).weights if each.method == NORM else own for each, own in zip(maps, weights, strict=True)]


def _paired(other: Other, each: FocusMap, weights: np.ndarray) -> FocusMap:
    if weights.shape != each.weights.shape:
        own, theirs = (" x ".join(map(str, shape[1:])) for shape in (each.weights.shape, weights.shape))
        raise _OtherError(f"minus: {each.name or each.method} is {own} here and {theirs} in {other.label}.")
    return replace(each, minus=Subtracted(other.label, weights))
