"""Beam search: several hypotheses of each sentence are written side by side.

Shapes: B sentences, A sentences still being written, K beam_size, V vocabulary, H heads, T target tokens, S source
tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from attnfocus.decoding.hypothesis import Hypothesis, StepModel, cut_weights, log_probabilities
from attnfocus.special import BOS, EOS


@torch.no_grad()
def beam_search(
    model: StepModel,
    source: Tensor,
    lengths: Tensor,
    *,
    beam_size: int,
    length_penalty: float,
    max_lengths: Tensor,
    need_weights: bool = False,
) -> list[Hypothesis]:
    """The best output found for each sentence, by log P(Y) / |Y|^length_penalty, where |Y| counts EOS.

    At each step, of the 2 K best continuations those of the first K that end are finished, and the first K that do not
    end go on. A sentence is done when K hypotheses have finished, or none that goes on can become better than the best
    finished one, or at its maximum length; it then leaves the batch. A hypothesis that was cut at the maximum length
    counts only if none has finished. With K = 1 this is greedy search.

    The device is asked once per step, which sentences go on. The model should be in eval mode.

    Args:
        source: (B, S) of `lengths` (B,).
        max_lengths: (B,) of `DecodingOptions.max_lengths`.
    """
    num_sentences, device = len(source), source.device
    if num_sentences == 0:
        return []
    memory = model.encode(source, lengths)
    every_beam = torch.arange(num_sentences, device=device).repeat_interleave(beam_size)
    memory, state = model.select(memory, every_beam), model.select(model.start(memory), every_beam)
    beams = _Beams.start(num_sentences, beam_size, device)
    best = _Best.start(num_sentences, int(max_lengths.max()), device)
    rows = torch.arange(num_sentences, device=device)
    last = torch.full((num_sentences * beam_size,), BOS, device=device)
    while len(rows) > 0:
        logits, state, weights = model.step(last, state, memory, need_weights)
        length, limits = beams.tokens.shape[2] + 1, max_lengths[rows]
        grown = beams.grow(log_probabilities(logits), weights)
        best.finish(rows, grown.ended, length**length_penalty)
        # What is added to a log probability is <= 0, so nothing can do better than to add 0 up to the longest output.
        attainable = grown.live.scores[:, 0] / limits**length_penalty
        at_limit = limits <= length
        best.cut(rows, grown.live, at_limit)
        going_on = (~(at_limit | best.is_settled(rows, beam_size, attainable))).nonzero().squeeze(1)
        if len(going_on) < len(rows):
            within = torch.arange(beam_size, device=device)
            memory = model.select(memory, (going_on.unsqueeze(1) * beam_size + within).flatten())
        state = model.select(state, (going_on.unsqueeze(1) * beam_size + grown.parents[going_on]).flatten())
        beams, rows = grown.live.take(going_on), rows[going_on]
        last = beams.tokens[:, :, -1].flatten()
    return best.hypotheses(lengths)


@dataclass
class _Beams:
    """Hypotheses of A sentences, all of t tokens, the best first."""

    scores: Tensor  # (A, K), sums of log probabilities; -inf where there is none
    tokens: Tensor  # (A, K, t)
    weights: Tensor | None = None  # (A, K, t, H, S)

    @staticmethod
    def start(num_sentences: int, beam_size: int, device: torch.device) -> "_Beams":
        scores = torch.full((num_sentences, beam_size), -torch.inf, device=device)
        scores[:, 0] = 0.0
        return _Beams(scores, torch.empty(num_sentences, beam_size, 0, dtype=torch.int64, device=device))

    def take(self, index: Tensor) -> "_Beams":
        """The sentences `index`."""
        return _Beams(self.scores[index], self.tokens[index], None if self.weights is None else self.weights[index])

    def of(self, parents: Tensor, scores: Tensor) -> "_Beams":
        """The hypotheses `parents` (A, M) of each sentence, with new scores."""
        sentences = torch.arange(len(parents), device=parents.device).unsqueeze(1)
        weights = None if self.weights is None else self.weights[sentences, parents]
        return _Beams(scores, self.tokens[sentences, parents], weights)

    def grow(self, log_probs: Tensor, weights: Tensor | None) -> "_Grown":
        """Continue by log_probs (A K, V), the new tokens looked for by weights (A K, H, S)."""
        (num_sentences, beam_size), num_tokens = self.scores.shape, log_probs.shape[-1]
        total = self.scores.unsqueeze(-1) + log_probs.view(num_sentences, beam_size, num_tokens)
        scores, flat = total.flatten(1).topk(min(2 * beam_size, beam_size * num_tokens))  # (A, 2 K)
        parents, tokens = flat // num_tokens, flat % num_tokens
        is_end = tokens == EOS
        # Only what ranks among the first K finishes: an end that is improbable is no hypothesis.
        end_scores = scores.masked_fill(~is_end, -torch.inf)[:, :beam_size]
        end_score, end = end_scores.max(dim=1, keepdim=True)
        ended = _Ended(self.of(parents.gather(1, end), end_score), end_scores.isfinite().sum(dim=1))
        live_scores, kept = scores.masked_fill(is_end, -torch.inf).topk(beam_size)
        parents, tokens = parents.gather(1, kept), tokens.gather(1, kept)
        live = self.of(parents, live_scores)
        live.tokens = torch.cat((live.tokens, tokens.unsqueeze(-1)), dim=-1)
        if weights is not None:
            now = _Beams(live_scores, tokens, weights.unflatten(0, (num_sentences, beam_size))).of(parents, live_scores)
            assert now.weights is not None
            now_weights = now.weights.unsqueeze(2)  # (A, K, 1, H, S)
            live.weights = now_weights if live.weights is None else torch.cat((live.weights, now_weights), dim=2)
        return _Grown(ended, live, parents)


@dataclass
class _Ended:
    """What finished at a step: the best of each sentence (A, 1, ...), and how many did (A,)."""

    best: _Beams
    count: Tensor


@dataclass
class _Grown:
    """A step's outcome; `parents` (A, K) are the hypotheses that the live ones continue."""

    ended: _Ended
    live: _Beams
    parents: Tensor


@dataclass
class _Best:
    """The best output so far of all B sentences."""

    rank: Tensor  # (B,) the score with the length penalty; -inf where there is none yet
    score: Tensor  # (B,)
    tokens: Tensor  # (B, longest)
    length: Tensor  # (B,)
    num_finished: Tensor  # (B,)
    weights: Tensor | None = None  # (B, longest, H, S)

    @staticmethod
    def start(num_sentences: int, longest: int, device: torch.device) -> "_Best":
        count = torch.zeros(num_sentences, dtype=torch.int64, device=device)
        lowest = torch.full((num_sentences,), -torch.inf, device=device)
        tokens = torch.zeros(num_sentences, longest, dtype=torch.int64, device=device)
        return _Best(lowest, lowest.clone(), tokens, count, count.clone())

    def finish(self, rows: Tensor, ended: _Ended, penalty: float) -> None:
        """Take note of what ended at this step."""
        rank = ended.best.scores[:, 0] / penalty
        self._put(rows, ended.best, rank, rank > self.rank[rows])
        self.num_finished[rows] += ended.count

    def cut(self, rows: Tensor, live: _Beams, at_limit: Tensor) -> None:
        """At its maximum length a sentence without a finished hypothesis has its best one cut."""
        self._put(rows, live, self.rank[rows], at_limit & (self.num_finished[rows] == 0))

    def is_settled(self, rows: Tensor, beam_size: int, attainable: Tensor) -> Tensor:
        """Whether no hypothesis that goes on may still count: (A,)."""
        num_finished = self.num_finished[rows]
        return (num_finished >= beam_size) | ((num_finished > 0) & (self.rank[rows] >= attainable))

    def _put(self, rows: Tensor, beams: _Beams, rank: Tensor, where: Tensor) -> None:
        length = beams.tokens.shape[2]
        wide = where.unsqueeze(1)
        self.rank[rows] = torch.where(where, rank, self.rank[rows])
        self.score[rows] = torch.where(where, beams.scores[:, 0], self.score[rows])
        self.length[rows] = torch.where(where, length, self.length[rows])
        self.tokens[rows, :length] = torch.where(wide, beams.tokens[:, 0], self.tokens[rows, :length])
        if beams.weights is not None:
            if self.weights is None:
                self.weights = beams.weights.new_zeros(*self.tokens.shape, *beams.weights.shape[3:])
            old = self.weights[rows, :length]
            self.weights[rows, :length] = torch.where(wide[..., None, None], beams.weights[:, 0], old)

    def hypotheses(self, lengths: Tensor) -> list[Hypothesis]:
        sizes = self.length.tolist()
        ids = [row[:size] for row, size in zip(self.tokens.tolist(), sizes, strict=True)]
        parts = cut_weights(None if self.weights is None else self.weights.transpose(1, 2), sizes, lengths)
        return [Hypothesis(*parts_of) for parts_of in zip(ids, self.score.tolist(), parts, strict=True)]
