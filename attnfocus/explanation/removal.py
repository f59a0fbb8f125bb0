"""What a model loses without some of its heads: ablation.

Shapes: B examples, H heads, Q queries, d size of one head.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import get_args

import torch
from torch import Tensor

from attnfocus.data.batches import Batch, collate
from attnfocus.data.codecs.base import Encoded
from attnfocus.errors import ConfigError
from attnfocus.explanation.head_table import HeadTable, Removal, readable_examples
from attnfocus.explanation.interventions import Change, Noted, Part, changed, parts_of
from attnfocus.models.base import Model
from attnfocus.models.lengths import length_mask
from attnfocus.stages import counted
from attnfocus.tasks.base import Task
from attnfocus.tasks.evaluation import device_of
from attnfocus.tasks.looks import num_positions
from attnfocus.tasks.probe import own_copy

RIGHT = ("exact_match", "accuracy")  # a share of right answers, where the task names none that is measured


@dataclass(frozen=True)
class Ablation:
    """Metrics of some examples with all heads and without some: the loss, and the share of right answers if any.

    Attributes:
        costs: how much worse it is without them: the loss is higher, the share of right answers lower.
    """

    whole: Mapping[str, float]
    without: Mapping[str, float]

    @property
    def costs(self) -> dict[str, float]:
        pairs = {name: (self.whole[name], self.without[name]) for name in self.whole}
        return {name: own - whole if name == "loss" else whole - own for name, (whole, own) in pairs.items()}


def ablated(
    task: Task,
    model: Model,
    examples: Sequence[Encoded],
    heads: Sequence[tuple[str, int]],
    *,
    num_examples: int,
    split: str,
    removal: Removal = "mean",
) -> Ablation:
    """The metrics without these heads, all taken out together.

    Raises:
        ConfigError: a head or a removal that there is not.
        DataError: the model can read none of the examples.
    """
    work = _Removal(task, model, readable_examples(model, examples, num_examples, split), removal)
    return Ablation(work.metrics([]), work.metrics(heads))


def with_costs(
    table: HeadTable, task: Task, model: Model, examples: Sequence[Encoded], removal: Removal = "mean"
) -> HeadTable:
    """The same table with what the model loses without each head alone.

    Raises:
        ConfigError: another `removal`.
    """
    work = _Removal(task, model, readable_examples(model, examples, table.num_examples, table.split), removal)
    whole, heads = work.metrics([]), []
    for head in counted(table.heads, "taking out heads", len(table.heads)):
        costs: Mapping[str, float] = {}
        if head.attention in work.parts:
            costs = Ablation(whole, work.metrics([(head.attention, head.number)])).costs
        heads.append(replace(head, costs=costs))
    return replace(table, heads=tuple(heads), removal=removal, metrics=whole)


class _Removal:
    """A copy of the model on some examples.

    What is put in the place of a head: mean, what it gives on average over the real positions of these examples, so
    that what it says whatever the input is stays; or zero.
    """

    def __init__(self, task: Task, model: Model, examples: Sequence[Encoded], removal: Removal) -> None:
        if removal not in get_args(Removal):
            raise ConfigError(f"removal: must be {' or '.join(get_args(Removal))}, got {removal}.")
        self._task, self._model = task, own_copy(model)
        self._batch = collate(examples).to(device_of(model))
        self.parts = {part.name: part for part in parts_of(self._model, "heads")}
        means = _means(task, self._model, self._batch)
        self._instead = {part: each if removal == "mean" else torch.zeros_like(each) for part, each in means.items()}

    def metrics(self, heads: Sequence[tuple[str, int]]) -> dict[str, float]:
        """Without these heads: the loss, and the share of right answers where there is one."""
        taken: dict[Part, list[int]] = defaultdict(list)
        for name, number in heads:
            part = self.parts.get(name)
            if part is None or not 0 <= number < len(self._instead[part]):
                there = ", ".join(f"{each} (0 to {len(self._instead[p]) - 1})" for each, p in self.parts.items())
                raise ConfigError(f"heads: there is no head {number} of {name}. There are: {there or 'none'}.")
            taken[part].append(number)
        changes = {part: _Instead(numbers, self._instead[part]) for part, numbers in taken.items()}
        with ExitStack() as stack:
            for part, change in changes.items():
                stack.enter_context(changed(self._model, part, change))
            found = self._task.evaluate(self._model, [self._batch]).metrics
        right = next((name for name in (self._task.right_metric, *RIGHT) if name in found), None)
        return {name: found[name] for name in ("loss", right) if name is not None and name in found}


class _Instead:
    """Puts the vectors (H, d) of some heads in the place of what they give, at all positions."""

    def __init__(self, numbers: Sequence[int], vectors: Tensor) -> None:
        is_taken = torch.zeros(len(vectors), 1, 1, dtype=torch.bool, device=vectors.device)
        is_taken[list(numbers)] = True
        self._is_taken, self._vectors = is_taken, vectors.unsqueeze(-2)

    def __call__(self, own: Tensor) -> Tensor:
        return torch.where(self._is_taken, self._vectors.to(own.dtype), own)


def _means(task: Task, own: Model, batch: Batch) -> dict[Part, Tensor]:
    """What each head gives on average over the real positions of the batch: (H, d)."""
    lengths = task.axis_lengths(batch)
    noted: dict[Part, Change] = {part: Noted() for part in parts_of(own, "heads")}
    with ExitStack() as stack:
        for part, each in noted.items():
            stack.enter_context(changed(own, part, each))
        task.maps(own, batch)
    means = {}
    for part, each in noted.items():
        assert isinstance(each, Noted)
        values, real = each.values, num_positions(own, part.axis, lengths)  # (B, H, Q, d)
        size = values.shape[-2]
        mask = torch.ones(len(values), size, dtype=torch.bool) if real is None else length_mask(real, size)
        chosen = mask.to(values.device)[:, None, :, None]
        means[part] = (values * chosen).sum(dim=(0, 2)) / chosen.sum()
    return means
