"""Encoded examples -> batches that are made when they are asked for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import overload

from attnfocus.data.batches import Batch, BatchPlan, collate
from attnfocus.data.codec import Encoded


class Epochs:
    """The batches of any epoch, by a plan, which is asked once per epoch; can be sent to other processes.

    Args:
        rank, size: which of how many processes wants its share of each batch: every `size`-th of its examples, which
            are sorted by length, so that all shares have nearly the same number of tokens.
    """

    def __init__(self, examples: Sequence[Encoded], plan: BatchPlan, rank: int = 0, size: int = 1) -> None:
        self.examples = examples
        self.plan = plan
        self.rank, self.size = rank, size
        self._last: tuple[int, Batches] | None = None

    def __call__(self, epoch: int) -> "Batches":
        if self._last is None or self._last[0] != epoch:
            self._last = epoch, Batches(self.examples, self.plan.epoch(epoch), self.rank, self.size)
        return self._last[1]


class Batches(Sequence[Batch]):
    """The batches that `groups` of example numbers make, or a process's share of each (see `Epochs`).

    Where a group has too few examples for all, some get a stand-in: all processes must take part in every step.
    """

    def __init__(
        self, examples: Sequence[Encoded], groups: Sequence[Sequence[int]], rank: int = 0, size: int = 1
    ) -> None:
        self.examples = examples
        self.groups = groups
        self.rank, self.size = rank, size

    def __len__(self) -> int:
        return len(self.groups)

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> "Batches": ...
    def __getitem__(self, index: int | slice) -> "Batch | Batches":
        if isinstance(index, slice):
            return Batches(self.examples, self.groups[index], self.rank, self.size)
        share = self.groups[index][self.rank :: self.size]
        if not share:
            return replace(collate([self.examples[self.groups[index][0]]]), is_real=False)
        return collate([self.examples[number] for number in share])

    def ids_of(self, index: int) -> list[str]:
        """The examples of one batch, by name."""
        return [self.examples[number].id for number in self.groups[index]]
