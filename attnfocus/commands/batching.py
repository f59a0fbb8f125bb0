"""Encoded examples -> batches that are made when they are asked for."""

from collections.abc import Sequence
from typing import overload

from attnfocus.data import Batch, BatchPlan, Encoded, collate


class Epochs:
    """The batches of any epoch, by a plan, which is asked once per epoch; can be sent to other processes."""

    def __init__(self, examples: Sequence[Encoded], plan: BatchPlan) -> None:
        self.examples = examples
        self.plan = plan
        self._last: tuple[int, Batches] | None = None

    def __call__(self, epoch: int) -> "Batches":
        if self._last is None or self._last[0] != epoch:
            self._last = epoch, Batches(self.examples, self.plan.epoch(epoch))
        return self._last[1]


class Batches(Sequence[Batch]):
    """The batches that `groups` of example numbers make."""

    def __init__(self, examples: Sequence[Encoded], groups: Sequence[Sequence[int]]) -> None:
        self.examples = examples
        self.groups = groups

    def __len__(self) -> int:
        return len(self.groups)

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> "Batches": ...
    def __getitem__(self, index: int | slice) -> "Batch | Batches":
        if isinstance(index, slice):
            return Batches(self.examples, self.groups[index])
        return collate([self.examples[number] for number in self.groups[index]])

    def ids_of(self, index: int) -> list[str]:
        """The examples of one batch, by name."""
        return [self.examples[number].id for number in self.groups[index]]
