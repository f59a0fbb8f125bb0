"""What every evaluation needs: eval mode for a while, sums that no order of the batches can change, the first examples.

Shapes: B examples, L input positions.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from attnfocus.data.batches import Batch
from attnfocus.data.rows import Row
from attnfocus.events import Sample
from attnfocus.models.base import Model
from attnfocus.special import SPECIAL_TOKENS, UNK
from attnfocus.tasks.answers import Prediction

LOWEST_PROBABILITY = 1e-12  # that a logarithm is taken of, where a model estimates probabilities themselves

_Named = TypeVar("_Named", Prediction, Sample)
_Item = TypeVar("_Item")


def device_of(model: nn.Module) -> torch.device:
    """Where its parameters are; one without any computes on the CPU."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


@contextmanager
def in_eval_mode(model: nn.Module) -> Iterator[torch.device]:
    """Gives the model's device. Each part gets its own mode back, also after an error.

    A model that is in eval mode already is not touched: many threads may ask one at once.
    """
    were_training = [module for module in model.modules() if module.training]
    if were_training:
        model.eval()
    try:
        yield device_of(model)
    finally:
        for module in were_training:
            module.training = True


@contextmanager
def evaluating(model: nn.Module) -> Iterator[torch.device]:
    """`in_eval_mode` without gradients."""
    with in_eval_mode(model) as device, torch.inference_mode():
        yield device


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision to float32; wider types as they are."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def id_order(identifier: str) -> tuple[tuple[int, str], ...]:
    """Sort key under which `test-9` comes before `test-10`, as in a file; different ids never compare equal."""
    parts = re.split(r"([0-9]+)", identifier)  # text and number by turns, text first
    return tuple((int(part) if index % 2 else 0, part) for index, part in enumerate(parts))


def is_special(ids: Tensor) -> Tensor:
    """Which positions hold a special token (PAD, UNK, BOS, EOS): ids (B, L) -> bool (B, L)."""
    return ids < len(SPECIAL_TOKENS)


class ExactSums:
    """Sums of one number per example, exactly rounded (`math.fsum`), so that the order of adding cannot matter.

    The numbers stay on the device: nothing waits for it until `total`. Cost: 4 bytes per example and name.
    """

    def __init__(self, parts: dict[str, list[Tensor]] | None = None) -> None:
        self.parts = {} if parts is None else parts

    def add(self, name: str, values: Tensor) -> None:
        """Numbers of some examples (B,)."""
        self.parts.setdefault(name, []).append(at_least_float32(values))

    def total(self, name: str) -> float:
        return math.fsum(torch.cat(self.parts[name]).tolist())


@dataclass(frozen=True)
class Inputs:
    """The part of a batch that a model answers, without its targets; the longest input sets the width."""

    ids: tuple[str, ...]
    rows: tuple[Row, ...]
    inputs: Tensor  # (B, L) or (B, L, D)
    lengths: Tensor  # (B,)

    @classmethod
    def of(cls, batch: Batch, numbers: Sequence[int]) -> Inputs:
        """The examples `numbers` of a batch; at least one."""
        index = torch.tensor(numbers, device=batch.inputs.device)
        lengths = batch.input_lengths[index]
        return cls(
            ids=tuple(batch.ids[number] for number in numbers),
            rows=tuple(batch.rows[number] for number in numbers),
            inputs=batch.inputs[index, : int(lengths.max())],
            lengths=lengths,
        )

    def unknown_shares(self) -> list[float | None]:
        """Of each example the share of its tokens that are unknown words; None of vectors and of an empty input."""
        if self.inputs.is_floating_point():
            return [None] * len(self.ids)
        counts = zip((self.inputs == UNK).sum(dim=1).tolist(), self.lengths.tolist(), strict=True)
        return [count / length if length else None for count, length in counts]


def answer_all(
    model: Model,
    batch: Batch,
    answer: Callable[[Inputs], Iterable[Prediction]],
    numbers: Sequence[int] | None = None,
) -> list[Prediction]:
    """Answers for the examples `numbers` of a batch (None: all), in their order; what has none is marked as skipped."""
    numbers = range(len(batch)) if numbers is None else numbers
    reasons = _why_not(model, batch)
    answers = {number: _skipped(batch, number, reasons[number]) for number in numbers if number in reasons}
    rest = [number for number in numbers if number not in reasons]
    if rest:
        answers |= zip(rest, answer(Inputs.of(batch, rest)), strict=True)
    return [answers[number] for number in numbers]


def _why_not(model: Model, batch: Batch) -> dict[int, str]:
    """Of the examples that the model cannot answer: number in the batch -> why, in plain words."""
    longest = model.max_input_length
    reasons = {}
    for number, length in enumerate(batch.input_lengths.tolist()):
        if length == 0:
            reasons[number] = "empty input"
        elif longest is not None and length > longest:
            reasons[number] = f"input of {length} positions, the model reads at most {longest}"
    return reasons


def _skipped(batch: Batch, number: int, reason: str) -> Prediction:
    row = batch.rows[number]
    return Prediction(batch.ids[number], "", math.nan, source_text(row), row.target, skipped=reason)


class FirstExamples:
    """Examples of each target by turns, so that no class is all that is seen: `num_kept`, whatever batches bring them.

    First come those that are first of their target in the order of ids, then those that are second, and so on. Of the
    first examples of several processes `first_of_each` takes those that are first of all.
    """

    def __init__(self, num_kept: int) -> None:
        self._num_kept = num_kept
        self._kept: list[tuple[Batch, int]] = []

    def offer(self, batch: Batch) -> None:
        if self._num_kept == 0:
            return
        candidates = [*self._kept, *((batch, number) for number in range(len(batch)))]
        kept = first_of_each(
            candidates, lambda entry: entry[0].ids[entry[1]], lambda entry: entry[0].rows[entry[1]].target
        )
        self._kept = kept[: self._num_kept]

    def __iter__(self) -> Iterator[tuple[Batch, int]]:
        """Batch, and the example's number in it."""
        return iter(self._kept)


def first_of_each(
    items: Iterable[_Item], id_of: Callable[[_Item], str], target_of: Callable[[_Item], str]
) -> list[_Item]:
    """Those that are first of their target in the order of ids, then those that are second, and so on."""
    seen, placed = Counter[str](), []
    for item in sorted(items, key=lambda item: id_order(id_of(item))):
        target = target_of(item)
        placed.append((seen[target], item))
        seen[target] += 1
    return [item for _, item in sorted(placed, key=lambda each: each[0])]  # stable: by id within a turn


def chosen_samples(samples: Iterable[Sample], num_samples: int) -> tuple[Sample, ...]:
    """As many of the samples of all processes, of each target by turns, in the order of their ids."""
    first = first_of_each(samples, lambda each: each.id, lambda each: each.target)
    return tuple(in_order(first[:num_samples]))


def chosen_answers(
    predictions: Sequence[Prediction], is_right: Callable[[str, str], bool], num_answers: int
) -> tuple[Sample, ...]:
    """Answers to read, without maps: wrong ones first, of each target by turns, the surest of a target first.

    What has no target is no answer: a text that a language model has only read.
    """
    if num_answers == 0:
        return ()
    seen, placed = Counter[tuple[bool, str]](), []
    answered = (each for each in predictions if each.skipped is None and each.target)
    for each in sorted(answered, key=lambda each: -each.score):
        right = is_right(each.text, each.target)
        placed.append((right, seen[right, each.target], each))
        seen[right, each.target] += 1
    placed.sort(key=lambda entry: entry[:2])
    return tuple(replace(sample_of(each), is_right=right) for right, _, each in placed[:num_answers])


def in_order(found: list[_Named]) -> list[_Named]:
    """Sorted by id."""
    return sorted(found, key=lambda each: id_order(each.id))


def source_text(row: Row) -> str:
    """The input as text; vectors as JSON; of an image, which is bytes, and of a signal, which is float32, its size; of
    a recording its name."""
    if isinstance(row.input, str):
        return row.input
    if row.input.ndim == 1:
        return f"recording {row.id}"
    if row.input.dtype == np.uint8:
        return f"image of {row.input.shape[0]} x {row.input.shape[1]} pixels"
    if row.input.dtype == np.float32:  # as signals are read
        num_channels = row.input.shape[1]
        return f"signal of {len(row.input)} samples, {num_channels} channel{'' if num_channels == 1 else 's'}"
    return json.dumps(row.input.tolist())


def sample_of(prediction: Prediction) -> Sample:
    """What a log shows of a prediction: its texts and its maps."""
    return Sample(
        id=prediction.id,
        source=prediction.source,
        target=prediction.target,
        prediction=prediction.text,
        key_tokens=prediction.key_tokens,
        key_unit=prediction.key_unit,
        query_tokens=prediction.query_tokens,
        weights=prediction.weights or {},
        picture=prediction.picture,
    )


def slices(batch: Batch, max_pairs: int) -> Iterator[list[int]]:
    """The numbers of the batch's examples, so many at a time that the weights of self-attention stay small."""
    num_pairs = max(1, batch.inputs.shape[1]) ** 2
    size = max(1, max_pairs // num_pairs)
    for start in range(0, len(batch), size):
        yield list(range(start, min(start + size, len(batch))))


def special_keys(model: Model, inputs: Tensor) -> Tensor:
    """Which keys of the weights are no tokens of the text: what the model puts in front, unknown words. bool (B, K)."""
    ids = torch.zeros(inputs.shape[:2], dtype=torch.bool, device=inputs.device)
    special = ids if inputs.is_floating_point() else is_special(inputs)
    special = nn.functional.pad(special, (0, 1)) if special.shape[1] == 0 else special  # as models do with empty inputs
    return nn.functional.pad(special, (model.num_prepended, 0), value=True)
