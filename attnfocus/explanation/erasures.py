"""What a model still answers when the positions that weights point to are taken away, or are all that it has.

Shapes: B examples, T outputs of an example, N outputs that are tested, M rows of one call, K input positions,
D numbers of a position's vector, C classes or vocabulary; E, W, R, S as in `focus.samples`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from attnfocus.focus.attributions import integrated_gradients, leave_one_out, rows_at_once
from attnfocus.focus.leads import fewest_holding, lead, most_important, share_left
from attnfocus.focus.samples import ERASURES, RANKINGS, SHARES, WAYS, Samples
from attnfocus.stages import counted
from attnfocus.tasks.probe import Probe

NUM_RANDOM = 4  # draws of as many positions at random
NUM_POINTS = 16  # of integrated gradients
_CLASSES = 1024  # of an output's classes that cost about as much as a position that is read
_COLUMNS = len(RANKINGS) - 1 + NUM_RANDOM
PASSES = len(ERASURES) * (len(WAYS) * len(SHARES) * _COLUMNS + 1) + 3 * NUM_POINTS  # a backward pass is two


class ErasureTest:
    """The test on some examples that are computed together.

    Args:
        importance: (B, T, K) weights by which outputs look at positions.
        rows: (N,) the outputs that are tested, of all outputs of the probe.
        others: vectors (K', D) of texts to take vectors from; those of the probe where there are none.
        cells: leave-one-out reads at most so many positions; else it is left out.
    """

    def __init__(
        self,
        probe: Probe,
        importance: Tensor,
        rows: Tensor,
        generator: torch.Generator,
        *,
        others: Sequence[Tensor] = (),
        cells: int,
    ) -> None:
        self.probe, self.generator = probe, generator
        self.vectors = probe.vectors()  # (B, K, D)
        self.mean = self.vectors[probe.mask].mean(dim=0).expand_as(self.vectors)
        self.others = self._others(others)
        self.has_left_out = int((probe.lengths**2).sum()) <= cells
        self.rows = rows
        seen = self._seen()  # (N, K)
        sizes = importance[probe.examples[rows], probe.steps[rows]].abs().masked_fill(~seen, 0)
        with torch.no_grad():
            logits = self._in_parts(lambda of: probe.logits_without(probe.mask[probe.examples[rows[of]]], rows[of]))
        self.answers = probe.of_outputs(probe.answers)[rows]
        whole = lead(logits, self.answers)
        self._answered = probe.answers.shape[1] * (1 + logits.shape[-1] // _CLASSES)
        # An answer that is not the likeliest has no lead; what looks nowhere, or has no choice, points to nothing.
        can_be_tested = (whole > 0) & whole.isfinite() & (sizes.sum(dim=1) > 0) & (seen.sum(dim=1) > 1)
        self.rows, self.answers, self.whole = rows[can_be_tested], self.answers[can_be_tested], whole[can_be_tested]
        self.seen, self.sizes = seen[can_be_tested], sizes[can_be_tested]
        self.examples, self.steps = probe.examples[self.rows], probe.steps[self.rows]

    def _seen(self) -> Tensor:
        """The positions that come before an output is read off, in a model that reads and writes in one sequence."""
        probe, examples = self.probe, self.probe.examples[self.rows]
        mask, read = probe.mask[examples], probe.rows
        if read is None:
            return mask
        last = read[examples, probe.steps[self.rows]].unsqueeze(1)
        return mask & (torch.arange(mask.shape[1], device=mask.device) <= last)

    def _others(self, others: Sequence[Tensor]) -> Tensor | None:
        """For each example the vectors of another at the same positions; a shorter one is repeated."""
        own = self.donors()
        if others:
            chosen = torch.randint(len(others), (len(own),), generator=self.generator).tolist()
        elif len(own) > 1:
            moved = int(torch.randint(1, len(own), (), generator=self.generator))
            others, chosen = own, [(number + moved) % len(own) for number in range(len(own))]
        else:
            return None
        size = self.vectors.shape[1]
        taken = [others[number] for number in chosen]
        return torch.stack([each[torch.arange(size, device=each.device) % len(each)] for each in taken])

    @property
    def work(self) -> int:
        """About how many positions are read."""
        cells = int((self.probe.lengths**2).sum()) if self.has_left_out else 0
        return len(self.rows) * PASSES * (self.vectors.shape[1] + self._answered) + cells

    def donors(self) -> list[Tensor]:
        """The vectors of these examples, for others."""
        return [each[:length] for each, length in zip(self.vectors, self.probe.lengths.tolist(), strict=True)]

    def samples(self, targets: Sequence[int], right: np.ndarray) -> Samples:
        """Of each example that has an output to test: means over its outputs.

        Args:
            targets: of each example (B), -1 where it has no class.
            right: (B, 2) as in `Samples`.
        """
        left, changed, nothing, nothing_changed = self._measured()
        half = self._half()
        numbers = self.examples.cpu().numpy()
        chosen = np.unique(numbers)
        of_example = numbers[None, :] == chosen[:, None]
        share = of_example / np.maximum(of_example.sum(axis=1, keepdims=True), 1)  # (n, N)

        def mean(values: Tensor) -> np.ndarray:
            return np.tensordot(share, values.cpu().double().numpy(), axes=1)

        return Samples(
            mean(left),
            mean(changed),
            mean(nothing),
            mean(nothing_changed),
            mean(half),
            np.array([self._answer_of(number) for number in chosen.tolist()], np.int64),
            np.array([targets[number] for number in chosen], np.int64),
            right[chosen],
        )

    def _answer_of(self, number: int) -> int:
        """The class, or a number for what was written."""
        answer = self.probe.answers[number][: int(self.probe.num_outputs[number])].tolist()
        return int(answer[0]) if len(answer) == 1 else hash(tuple(answer))

    def _half(self) -> Tensor:
        counts = fewest_holding(self.sizes, self.seen, 0.5, self.generator).sum(dim=1)
        return (counts - 1) / (self.seen.sum(dim=1) - 1)

    def _measured(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """left, changed (N, E, W, R, S), nothing, nothing_changed (N, E)."""
        size = len(self.rows)
        sets = self._sets() if size else {}  # of each ranking, random ones several times, and share
        left = torch.full((size, len(ERASURES), len(WAYS), _COLUMNS, len(SHARES)), torch.nan, dtype=torch.float64)
        changed = left.clone()
        nothing = torch.full((size, len(ERASURES)), torch.nan, dtype=torch.float64)
        nothing_changed = nothing.clone()
        none = torch.zeros_like(self.seen)
        work = [(erasure, column, share) for erasure in range(len(ERASURES)) for column, share in sets]
        for erasure, column, share in counted(work, "taking inputs away", len(work)):
            top = sets[column, share]
            for way, kept in enumerate((self.seen & ~top, top)):
                found = self._lead_left(ERASURES[erasure], kept)
                left[:, erasure, way, column, share], changed[:, erasure, way, column, share] = found
        for erasure, name in enumerate(ERASURES if size else ()):
            nothing[:, erasure], nothing_changed[:, erasure] = self._lead_left(name, none)
        return _over_draws(left), _over_draws(changed), nothing, nothing_changed

    def _sets(self) -> dict[tuple[int, int], Tensor]:
        # By their size, as weights are: these do not say for which answer a position speaks.
        rankings = {0: self.sizes, 2: self._integrated().abs()}
        if self.has_left_out:
            rankings[1] = self._left_out().abs()
        for draw in range(NUM_RANDOM):
            numbers = torch.rand(self.seen.shape, generator=self.generator).to(self.seen.device)
            rankings[len(RANKINGS) - 1 + draw] = numbers
        found = {}
        for number, share in enumerate(SHARES):
            own = fewest_holding(self.sizes, self.seen, share, self.generator)
            for column, importance in sorted(rankings.items()):
                counts = own.sum(dim=1)
                taken = own if column == 0 else most_important(importance, self.seen, counts, self.generator)
                found[column, number] = taken
        return found

    def _integrated(self) -> Tensor:
        probe = self.probe

        def score(vectors: Tensor, of: Tensor) -> Tensor:
            return lead(probe.logits_of_vectors(vectors, self.rows[of]), self.answers[of])

        mean = self.mean.masked_fill(~probe.mask.unsqueeze(-1), 0)[self.examples]
        return integrated_gradients(score, self.vectors[self.examples], mean, NUM_POINTS)[0]

    def _left_out(self) -> Tensor:
        probe = self.probe

        def scores(kept: Tensor, examples: Tensor) -> Tensor:
            stays = (kept | ~probe.mask[examples]).unsqueeze(-1)
            vectors = torch.where(stays, self.vectors[examples], self.mean[examples])
            return lead(probe.all_logits_of_vectors(vectors, examples), probe.answers[examples])

        with torch.no_grad():
            return leave_one_out(scores, probe.mask)[self.examples, self.steps]

    def _lead_left(self, erasure: str, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Share of the lead that is left with the positions `kept` (N, K) of those seen, and where answers change."""
        if erasure == "swapped" and self.others is None:
            unknown = torch.full((len(self.rows),), torch.nan, dtype=torch.float64)
            return unknown, unknown
        with torch.no_grad():
            logits = self._in_parts(lambda of: self._logits(erasure, kept[of] | ~self.seen[of], of))
        leads = lead(logits, self.answers)
        return share_left(leads, self.whole).nan_to_num(0).cpu().double(), (leads < 0).cpu().double()

    def _logits(self, erasure: str, kept: Tensor, of: Tensor) -> Tensor:
        rows, examples = self.rows[of], self.examples[of]
        if erasure == "cut":
            return self.probe.logits_without(kept, rows)
        fill = self.mean if erasure == "masked" else self.others
        assert fill is not None
        return self.probe.logits_of_vectors(
            torch.where(kept.unsqueeze(-1), self.vectors[examples], fill[examples]), rows
        )

    def _in_parts(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        rows = torch.arange(len(self.rows), device=self.rows.device)
        return torch.cat([function(part) for part in rows.split(rows_at_once(self.vectors.shape[1]))])


def _over_draws(values: Tensor) -> Tensor:
    """Random draws (..., columns, S) as one ranking (..., R, S), their mean."""
    first = len(RANKINGS) - 1
    drawn = values[..., first:, :].mean(dim=-2, keepdim=True)
    return torch.cat((values[..., :first, :], drawn), dim=-2)
