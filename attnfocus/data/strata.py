"""Draws from train that keep the shares of labels, and leave a row of each label behind."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

Labels = tuple[str, ...]  # of an input, sorted; several where the same input is labelled in several ways


@dataclass
class Strata:
    """Inputs in a drawn order, from which some are taken, label by label.

    Args:
        order: all inputs.
        labels: of each input.
        may_stay: the inputs that can be trained on; another does not stand for its label in train.
    """

    order: Sequence[Hashable]
    labels: Mapping[Hashable, Labels]
    may_stay: Collection[Hashable]

    def __post_init__(self) -> None:
        self.counts = Counter(map(self.labels.__getitem__, self.order))
        self._num_labels = len({label for labels in self.counts for label in labels})

    def part(self, number: int, parts: int) -> list[Hashable]:
        """One of `parts` parts of like size and like shares of labels; an input that alone has its label is in none."""
        dealt = sorted(self.order, key=self.labels.__getitem__)  # stable: in the drawn order within a label
        part = dealt[number::parts]
        stands = self._standing(self._without(part))
        alone = {label: each for each in reversed(part) for label in self.labels[each] if label not in stands}
        stays = set(alone.values())
        return [each for each in part if each not in stays]

    def draw(self, size: int, taken: Collection[Hashable]) -> list[Hashable] | None:
        """`size` inputs besides those `taken`; None if that would leave a label without a row in train.

        With those taken they have the shares of labels that all inputs have, as nearly as whole numbers can.
        """
        rest = self._without(taken)
        stands = set(self._standing(rest).values())
        free: dict[Labels, list[Hashable]] = {labels: [] for labels in self.counts}
        for each in rest:
            if each not in stands:
                free[self.labels[each]].append(each)
        if sum(map(len, free.values())) < size:
            return None
        shares = self._shares(size, taken, {labels: len(inputs) for labels, inputs in free.items()})
        return [each for labels, share in shares.items() for each in free[labels][:share]]

    def _without(self, taken: Collection[Hashable]) -> list[Hashable]:
        gone = set(taken)
        return [each for each in self.order if each not in gone]

    def _standing(self, inputs: Iterable[Hashable]) -> dict[str, Hashable]:
        """Label -> the first input that has it and can be trained on, else the first that has it."""
        stands: dict[str, Hashable] = {}
        is_sound: set[str] = set()
        for each in inputs:
            stays = each in self.may_stay
            for label in self.labels[each]:
                if label not in is_sound and (stays or label not in stands):
                    stands[label] = each
            if stays:
                is_sound.update(self.labels[each])
                if len(is_sound) == self._num_labels:
                    break
        return stands

    def _shares(self, size: int, taken: Collection[Hashable], free: Mapping[Labels, int]) -> dict[Labels, int]:
        """How many of each stratum: again and again one of that which lacks most of its share."""
        whole = (size + len(taken)) / len(self.order)
        lacks = {labels: whole * count for labels, count in self.counts.items()}
        for each in taken:
            lacks[self.labels[each]] -= 1
        heap = [(-lack, labels) for labels, lack in lacks.items() if free[labels]]
        heapq.heapify(heap)
        shares = dict.fromkeys(self.counts, 0)
        for _ in range(size):
            lack, labels = heapq.heappop(heap)
            shares[labels] += 1
            if shares[labels] < free[labels]:
                heapq.heappush(heap, (lack + 1, labels))
        return shares
