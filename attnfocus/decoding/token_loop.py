"""One output for each row, token after token: what greedy search and sampling share.

Shapes: B sentences, N rows (sentences, or several outputs of each), A rows still being written, V vocabulary, H heads,
T target tokens, S source tokens.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from attnfocus.decoding.constraints import Constraints
from attnfocus.decoding.hypothesis import Hypothesis, StepModel, cut_weights, log_probabilities, worth_dropping
from attnfocus.decoding.options import DecodingOptions
from attnfocus.special import BOS, EOS, PAD

# log probabilities (A, V), which rows (A,), how many tokens each has -> its next token (A,)
Choose = Callable[[Tensor, Tensor, int], Tensor]


class _Step(NamedTuple):
    """What a step wrote; PAD and 0 for rows that had finished."""

    rows: Tensor  # (A,)
    tokens: Tensor  # (A,)
    scores: Tensor  # (A,)
    weights: Tensor | None  # (A, H, S)


def write(
    model: StepModel,
    source: Tensor,
    lengths: Tensor,
    options: DecodingOptions,
    choose: Choose,
    *,
    copies: int = 1,
    need_weights: bool = False,
) -> list[Hypothesis]:
    """Hypotheses of B * copies rows, those of a sentence side by side. Rows that have finished leave the batch.

    The device is asked once per step, how many rows go on. The model should be in eval mode.
    """
    if len(source) == 0:
        return []
    memory = model.encode(source, lengths)
    state = model.start(memory)
    if copies > 1:
        index = torch.arange(len(source), device=source.device).repeat_interleave(copies)
        memory, state, lengths = model.select(memory, index), model.select(state, index), lengths[index]
    constraints = Constraints.of(options, lengths)
    rows = torch.arange(len(lengths), device=source.device)
    going = torch.ones_like(rows, dtype=torch.bool)
    tokens = torch.full_like(rows, BOS)
    written = tokens.new_empty(len(rows), 0) if constraints.needs_written else None
    steps: list[_Step] = []
    while True:
        logits, state, weights = model.step(tokens, state, memory, need_weights)
        log_probs = log_probabilities(logits)
        constraints.forbid(log_probs.unsqueeze(1), rows, None if written is None else written.unsqueeze(1), len(steps))
        tokens = choose(log_probs, rows, len(steps))
        is_full = constraints.must_end(rows, len(steps))
        if is_full is not None:  # also where the model gives no probability to anything
            tokens = tokens.masked_fill(is_full, EOS)
        scores = log_probs.gather(1, tokens.unsqueeze(1)).squeeze(1)
        tokens = tokens.where(going, PAD)
        steps.append(_Step(rows, tokens, scores.where(going, 0.0), weights))
        going = going & (tokens != EOS) & (len(steps) < constraints.max_steps[rows])
        written = None if written is None else torch.cat((written, tokens.unsqueeze(1)), dim=1)
        num_going = int(going.sum())
        if num_going == 0:
            return _collect(steps, lengths)
        if worth_dropping(num_going, len(rows)):
            kept = going.nonzero().squeeze(1)
            memory, state = model.select(memory, kept), model.select(state, kept)
            rows, tokens, going = rows[kept], tokens[kept], going[kept]
            written = None if written is None else written[kept]


def _collect(steps: list[_Step], lengths: Tensor) -> list[Hypothesis]:
    """The rows' tokens, scores and weights out of the steps."""
    tokens = lengths.new_full((len(lengths), len(steps)), PAD)
    scores = torch.zeros(len(lengths), device=lengths.device)
    first, maps = steps[0].weights, None
    if first is not None:
        maps = first.new_zeros(len(lengths), first.shape[1], len(steps), first.shape[2])
    for position, step in enumerate(steps):
        tokens[step.rows, position] = step.tokens
        scores[step.rows] += step.scores
        if maps is not None and step.weights is not None:
            maps[step.rows, :, position] = step.weights
    ids = [[token for token in row if token not in (PAD, EOS)] for row in tokens.tolist()]
    parts = cut_weights(maps, [len(each) for each in ids], lengths)
    return [Hypothesis(i, score, score, part) for i, score, part in zip(ids, scores.tolist(), parts, strict=True)]
