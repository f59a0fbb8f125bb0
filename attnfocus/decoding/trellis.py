"""What a beam search has written, as back-pointers: nothing is copied until the end.

Shapes: B sentences, A sentences still being written, W live hypotheses of each before a step, K after it, N num_best,
C candidates, H heads, T target tokens, S source tokens.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from attnfocus.decoding.hypothesis import Hypothesis, cut_weights


@dataclass
class Finished:
    """The best outputs so far of all B sentences, the best first; a rank of -inf where there is none."""

    rank: Tensor  # (B, N)
    score: Tensor  # (B, N)
    slot: Tensor  # (B, N) which of the hypotheses of `length` tokens it is, or continues with EOS
    length: Tensor  # (B, N) tokens, without EOS
    num_finished: Tensor  # (B,) how many have ended, also those that are not among the best

    @classmethod
    def none(cls, num_sentences: int, num_best: int, device: torch.device) -> "Finished":
        lowest = torch.full((num_sentences, num_best), -torch.inf, device=device)
        count = torch.zeros(num_sentences, num_best, dtype=torch.int64, device=device)
        return cls(lowest, lowest.clone(), count, count.clone(), count[:, 0].clone())

    def add(self, rows: Tensor, rank: Tensor, score: Tensor, slot: Tensor, length: int, count: Tensor) -> None:
        """Of what ended now (A, C), keep what is among the best; `count` (A,) is how many did."""
        self.num_finished[rows] += count
        ranks = torch.cat((self.rank[rows], rank), dim=1)
        best, index = ranks.topk(self.rank.shape[1])
        self.rank[rows] = best
        self.score[rows] = torch.cat((self.score[rows], score), dim=1).gather(1, index)
        self.slot[rows] = torch.cat((self.slot[rows], slot), dim=1).gather(1, index)
        lengths = torch.cat((self.length[rows], torch.full_like(slot, length)), dim=1)
        self.length[rows] = lengths.gather(1, index)

    def fill(self, rows: Tensor, rank: Tensor, score: Tensor, slot: Tensor, length: int, where: Tensor) -> None:
        """Fill what places are left with the best of these (A, C), in the sentences `where` (A,)."""
        num_best = self.rank.shape[1]
        rank, index = rank.topk(num_best)
        places = torch.arange(num_best, device=rank.device)
        taken = self.num_finished[rows].clamp(max=num_best).unsqueeze(1)
        index_of = (places - taken).clamp(min=0)  # (A, N)
        # The first place is filled whatever stands there: each sentence gets an output.
        new = where.unsqueeze(1) & (places >= taken) & ((rank.gather(1, index_of) != -torch.inf) | (places == 0))
        from_cut = index.gather(1, index_of)
        self.rank[rows] = torch.where(new, rank.gather(1, index_of), self.rank[rows])
        self.score[rows] = torch.where(new, score.gather(1, from_cut), self.score[rows])
        self.slot[rows] = torch.where(new, slot.gather(1, from_cut), self.slot[rows])
        self.length[rows] = torch.where(new, length, self.length[rows])

    def is_settled(self, rows: Tensor, enough: int, attainable: Tensor) -> Tensor:
        """Whether `enough` have finished, or all places are taken by what is at least as good as `attainable` (A,)."""
        return (self.num_finished[rows] >= enough) | (self.rank[rows, -1] >= attainable)


class _Step(NamedTuple):
    rows: Tensor  # (A,)
    parents: Tensor  # (A, K)
    tokens: Tensor  # (A, K)
    weights: Tensor | None  # (A W, H, S), of the parents


class Trellis:
    """The steps of a beam search over B sentences: what each hypothesis wrote, and which one it continued."""

    def __init__(self, num_sentences: int, beam_size: int, keeps_weights: bool) -> None:
        self._num_sentences = num_sentences
        self._beam_size = beam_size
        self._keeps_weights = keeps_weights
        self._steps: list[_Step] = []

    def add(self, rows: Tensor, parents: Tensor, tokens: Tensor, weights: Tensor | None) -> None:
        """A step of the sentences `rows` (A,): parents, tokens (A, K), and the parents' weights (A W, H, S)."""
        self._steps.append(_Step(rows, parents, tokens, weights if self._keeps_weights else None))

    def hypotheses(self, finished: Finished, lengths: Tensor) -> list[list[Hypothesis]]:
        """The finished ones with their tokens and weights, by walking back from their ends."""
        num_best = finished.rank.shape[1]
        tokens, slots = self._walk_back(finished.slot, finished.length)  # (B, N, T) each
        sizes = finished.length.flatten().tolist()
        ids = [row[:size] for row, size in zip(tokens.flatten(0, 1).tolist(), sizes, strict=True)]
        weights = self._weights(slots, finished.length)
        parts = cut_weights(weights, sizes, lengths.repeat_interleave(num_best))
        scores, ranks = finished.score.flatten().tolist(), finished.rank.flatten().tolist()
        found = [Hypothesis(*each) for each in zip(ids, scores, ranks, parts, strict=True)]
        groups = [found[start : start + num_best] for start in range(0, len(found), num_best)]
        return [[group[0], *(each for each in group[1:] if each.rank_score != -torch.inf)] for group in groups]

    def _walk_back(self, slot: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens, and the live hypothesis before each, of the finished ones (B, N): (B, N, T) each."""
        shape = (self._num_sentences, self._beam_size)
        tokens, before = [], []
        for number, step in reversed(list(enumerate(self._steps, 1))):
            all_parents, all_tokens = slot.new_zeros(shape), slot.new_zeros(shape)
            all_parents[step.rows], all_tokens[step.rows] = step.parents, step.tokens
            tokens.append(all_tokens.gather(1, slot))
            slot = torch.where(length >= number, all_parents.gather(1, slot), slot)
            before.append(slot)
        return torch.stack(tokens[::-1], dim=-1), torch.stack(before[::-1], dim=-1)

    def _weights(self, slots: Tensor, length: Tensor) -> Tensor | None:
        """Weights (B N, H, T, S) of the tokens that were written from the hypotheses `slots` (B, N, T)."""
        if not self._keeps_weights or self._steps[0].weights is None:
            return None
        maps = []
        for number, step in enumerate(self._steps):
            assert step.weights is not None
            width = len(step.weights) // len(step.rows)
            place = slots.new_zeros(self._num_sentences)
            place[step.rows] = torch.arange(len(step.rows), device=slots.device)
            parent = slots[..., number].clamp(max=width - 1)
            index = (place.unsqueeze(1) * width + parent).flatten()
            maps.append(step.weights.index_select(0, index))  # of sentences that were done, anything
        return torch.stack(maps, dim=2)
