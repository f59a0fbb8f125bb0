"""Beam search: several hypotheses of each sentence are written side by side.

Shapes: B sentences, A sentences still being written, W live hypotheses of each (1 at first, then K = beam_size),
C candidates to go on with, V vocabulary, H heads, S source tokens.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.decoding.candidates import highest
from attnfocus.decoding.constraints import Constraints
from attnfocus.decoding.hypothesis import Hypothesis, StepModel, log_probabilities, worth_dropping
from attnfocus.decoding.options import DecodingOptions
from attnfocus.decoding.penalties import Coverage, length_penalty
from attnfocus.decoding.trellis import Finished, Trellis
from attnfocus.special import BOS, EOS


@torch.no_grad()
def beam_search(
    model: StepModel, source: Tensor, lengths: Tensor, options: DecodingOptions, need_weights: bool = False
) -> list[list[Hypothesis]]:
    """The `options.num_best` best outputs found for each sentence, by the score with its penalties (`penalties`).

    At each step, of the 2 K best continuations those of the first K that end are finished, and the first K that do not
    end go on. A sentence is done when K hypotheses have finished, or none that goes on can become better than the worst
    that will be given, or when those of its maximum length have ended. Where they are cut instead
    (`DecodingOptions.at_limit`), they come after those that finished, and only as far as these are too few. With K = 1
    this is greedy search.

    The device is asked once per step, how many sentences go on. The model should be in eval mode.

    Args:
        source: (B, S) of `lengths` (B,).
    """
    if len(source) == 0:
        return []
    memory = model.encode(source, lengths)
    state = model.start(memory)
    search = _Search(options, lengths, need_weights)
    tokens = torch.full_like(lengths, BOS)
    while True:
        logits, state, weights = model.step(tokens, state, memory, search.asks_weights)
        move = search.advance(log_probabilities(logits), weights)
        if move is None:
            return search.trellis.hypotheses(search.finished, lengths)
        if move.memory is not None:
            memory = model.select(memory, move.memory)
        state, tokens = model.select(state, move.state), move.tokens


class _Move(NamedTuple):
    """What the model goes on with, by the rows of the step before."""

    state: Tensor  # a row for each hypothesis
    memory: Tensor | None  # a row for each sentence; None: as it is
    tokens: Tensor


class _Candidates(NamedTuple):
    """The best continuations of each sentence, the best first."""

    scores: Tensor  # (A, C) sums of log probabilities
    parents: Tensor  # (A, C) which of the live hypotheses they continue
    tokens: Tensor  # (A, C)

    def without(self, excluded: Tensor) -> "_Candidates":
        """With scores of -inf where `excluded` (A, C)."""
        return self._replace(scores=self.scores.masked_fill(excluded, -torch.inf))

    def best(self, count: int) -> "_Candidates":
        scores, places = self.scores.topk(count)
        return _Candidates(scores, self.parents.gather(1, places), self.tokens.gather(1, places))


class _Search:
    """All live hypotheses between two steps. Sentences that are done stay in the batch until enough of them are."""

    def __init__(self, options: DecodingOptions, lengths: Tensor, need_weights: bool) -> None:
        num_sentences, device = len(lengths), lengths.device
        self.options = options
        self.constraints = Constraints.of(options, lengths)
        self.coverage = Coverage(lengths) if options.coverage_penalty > 0 else None
        self.asks_weights = need_weights or self.coverage is not None
        self.trellis = Trellis(num_sentences, options.beam_size, keeps_weights=need_weights)
        self.finished = Finished.none(num_sentences, options.num_best, device)
        self.rows = torch.arange(num_sentences, device=device)
        self.going = torch.ones(num_sentences, dtype=torch.bool, device=device)
        self.scores = torch.zeros(num_sentences, 1, device=device)  # (A, W)
        self.written = self.rows.new_empty(num_sentences, 1, 0) if self.constraints.needs_written else None
        self.length = 0

    def advance(self, log_probs: Tensor, weights: Tensor | None) -> _Move | None:
        """Continue by log_probs (A W, V) and weights (A W, H, S). None when all sentences are done."""
        log_probs = log_probs.unflatten(0, self.scores.shape)
        self.constraints.forbid(log_probs, self.rows, self.written, self.length)
        self.length += 1
        candidates = self._candidates(log_probs)
        is_end = candidates.tokens == EOS
        live = candidates.without(is_end).best(self.options.beam_size)
        seen = None
        if self.coverage is not None:
            assert weights is not None
            seen = self.coverage.add(weights.unflatten(0, self.scores.shape))  # (A, W, S)
        self._finish(candidates, live, is_end, seen)
        self.trellis.add(self.rows, live.parents, live.tokens, weights)
        return self._go_on(live, seen)

    def _candidates(self, log_probs: Tensor) -> _Candidates:
        """The 2 K best continuations; where there are fewer, the rest have a score of -inf."""
        num_tokens, wanted = log_probs.shape[-1], 2 * self.options.beam_size
        total = log_probs.add_(self.scores.unsqueeze(-1)).flatten(1)  # (A, W V)
        count = min(wanted, total.shape[1])
        scores, places = highest(total, count)
        if count < wanted:
            scores = F.pad(scores, (0, wanted - count), value=-torch.inf)
            places = F.pad(places, (0, wanted - count))
        return _Candidates(scores, places // num_tokens, places % num_tokens)

    def _finish(self, candidates: _Candidates, live: _Candidates, is_end: Tensor, seen: Tensor | None) -> None:
        """Note what has ended, or reached its maximum length; then which sentences go on."""
        size, limits = self.options.beam_size, self.constraints.max_steps[self.rows]
        at_limit = self.going & (limits <= self.length)
        # Only what ranks among the first K finishes: an end that is improbable is no hypothesis.
        first = _Candidates(*(values[:, :size] for values in candidates))
        ends = is_end[:, :size] & first.scores.isfinite() & self.going.unsqueeze(1)
        rank = self._rank(first, seen).masked_fill(~ends, -torch.inf)
        self.finished.add(self.rows, rank, first.scores, first.parents, self.length - 1, ends.sum(dim=1))
        if self.options.ends_at_limit:  # what has no probability at all is given too where there is nothing else
            nothing = torch.full_like(rank, -torch.inf)
            self.finished.fill(self.rows, nothing, first.scores, first.parents, self.length - 1, at_limit)
        else:
            slots = torch.arange(size, device=rank.device).expand_as(live.scores)
            self.finished.fill(self.rows, self._rank(live, seen), live.scores, slots, self.length, at_limit)
        # What is added to a log probability is <= 0, and so are the penalties: nothing can do better than to add 0 up
        # to the longest output.
        attainable = live.scores[:, 0] / length_penalty(limits, self.options)
        settled = self.finished.is_settled(self.rows, size, attainable)
        self.going = self.going & ~(at_limit | settled)

    def _rank(self, candidates: _Candidates, seen: Tensor | None) -> Tensor:
        """Scores with their penalties: (A, C)."""
        rank = candidates.scores / length_penalty(self.length, self.options)
        if self.coverage is None or seen is None:
            return rank
        penalty = self.coverage.penalty(seen).gather(1, candidates.parents)
        return rank + self.options.coverage_penalty * penalty

    def _go_on(self, live: _Candidates, seen: Tensor | None) -> _Move | None:
        num_rows, width = self.scores.shape
        num_going = int(self.going.sum())
        if num_going == 0:
            return None
        kept = torch.arange(num_rows, device=self.rows.device)
        drops = worth_dropping(num_going, num_rows)
        if drops:
            kept = self.going.nonzero().squeeze(1)
            live = _Candidates(*(values[kept] for values in live))
            self.rows, self.going = self.rows[kept], self.going[kept]
        if self.coverage is not None and seen is not None:
            self.coverage.move(seen, kept, live.parents)
        if self.written is not None:
            before = self.written[kept.unsqueeze(1), live.parents]
            self.written = torch.cat((before, live.tokens.unsqueeze(-1)), dim=-1)
        self.scores = live.scores
        state = (kept.unsqueeze(1) * width + live.parents).flatten()
        return _Move(state, kept if drops else None, live.tokens.flatten())
