"""Examples -> batches that are made when they are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import overload

from attnfocus.data.batches import Batch, BatchPlan, collate
from attnfocus.data.codecs.base import Encoded
from attnfocus.data.examples import Examples
from attnfocus.data.packed_plan import PackedPlan
from attnfocus.data.window_plan import WindowPlan

Plan = BatchPlan | WindowPlan | PackedPlan


@dataclass(frozen=True)
class Share:
    """Which of how many processes wants its share of each batch: every `size`-th of its examples.

    They are sorted by length, so that all shares have nearly the same number of tokens.
    """

    rank: int = 0
    size: int = 1


class Epochs:
    """The batches of any epoch, by a plan, which is asked once per epoch; can be sent to other processes."""

    def __init__(self, examples: Examples, plan: Plan, share: Share | None = None) -> None:
        self.examples = examples
        self.plan = plan
        self.share = share or Share()
        self._last: tuple[int, Batches] | None = None

    def __call__(self, epoch: int) -> "Batches":
        if self._last is None or self._last[0] != epoch:
            groups, packed = self.plan.epoch(epoch), self.plan.width if isinstance(self.plan, PackedPlan) else None
            self._last = epoch, Batches(self.examples, groups, self.share, (self.plan.seed, epoch), packed)
        return self._last[1]


class Batches(Sequence[Batch]):
    """The batches that `groups` of example numbers make, or a process's share of each.

    Where a group has too few examples for all, some get a stand-in: all processes must take part in every step.

    Args:
        drawn: seed and epoch, of which augmentation is a function; None, as in evaluation: nothing is augmented.
        packed: positions of a row in which several examples are to stand; None: each has a row.
    """

    def __init__(
        self,
        examples: Examples,
        groups: Sequence[Sequence[int]],
        share: Share | None = None,
        drawn: tuple[int, int] | None = None,
        packed: int | None = None,
    ) -> None:
        self.examples = examples
        self.groups = groups
        self._share = share or Share()
        self._drawn = drawn
        self._packed = packed

    def __len__(self) -> int:
        return len(self.groups)

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> "Batches": ...
    def __getitem__(self, index: int | slice) -> "Batch | Batches":
        if isinstance(index, slice):
            return Batches(self.examples, self.groups[index], self._share, self._drawn, self._packed)
        numbers = self.groups[index][self._share.rank :: self._share.size]
        if not numbers:
            return replace(collate([self._example(self.groups[index][0])], self._packed), is_real=False)
        return collate([self._example(number) for number in numbers], self._packed)

    def ids_of(self, index: int) -> list[str]:
        """The examples of one batch, by name."""
        return [self.examples.rows[number].id for number in self.groups[index]]

    def _example(self, number: int) -> Encoded:
        return self.examples[number] if self._drawn is None else self.examples.drawn(number, *self._drawn)
