"""Greedy search: the most probable token, then the next.

Shapes: B sentences, A sentences still being written, H heads, T target tokens, S source tokens.
"""

import torch
from torch import Tensor

from attnfocus.decoding.hypothesis import Hypothesis, StepModel, cut_weights, log_probabilities
from attnfocus.special import BOS, EOS, PAD


@torch.no_grad()
def greedy(
    model: StepModel, source: Tensor, lengths: Tensor, *, max_lengths: Tensor, need_weights: bool = False
) -> list[Hypothesis]:
    """Write an output for each sentence; a finished one leaves the batch.

    The device is asked once per step, which sentences go on. The model should be in eval mode.

    Args:
        source: (B, S) of `lengths` (B,).
        max_lengths: (B,) of `DecodingOptions.max_lengths`.
    """
    num_sentences = len(source)
    if num_sentences == 0:
        return []
    memory = model.encode(source, lengths)
    state = model.start(memory)
    rows = torch.arange(num_sentences, device=source.device)  # which sentences are still being written
    tokens = torch.full_like(rows, BOS)
    scores = torch.zeros(num_sentences, device=source.device)
    steps: list[tuple[Tensor, Tensor, Tensor | None]] = []
    while len(rows) > 0:
        logits, state, weights = model.step(tokens, state, memory, need_weights)
        best, tokens = log_probabilities(logits).max(dim=-1)  # (A,)
        scores[rows] += best
        steps.append((rows, tokens, weights))
        going_on = ((tokens != EOS) & (len(steps) < max_lengths[rows])).nonzero().squeeze(1)
        if len(going_on) < len(rows):
            rows, tokens = rows[going_on], tokens[going_on]
            memory, state = model.select(memory, going_on), model.select(state, going_on)
    return _collect(steps, scores, lengths)


def _collect(steps: list[tuple[Tensor, Tensor, Tensor | None]], scores: Tensor, lengths: Tensor) -> list[Hypothesis]:
    num_sentences = len(scores)
    tokens = torch.full((num_sentences, len(steps)), PAD, device=scores.device)
    first_weights = steps[0][2]
    maps: Tensor | None = None
    if first_weights is not None:
        heads, keys = first_weights.shape[1:]
        maps = first_weights.new_zeros(num_sentences, heads, len(steps), keys)
    for position, (rows, written, weights) in enumerate(steps):
        tokens[rows, position] = written
        if maps is not None and weights is not None:
            maps[rows, :, position] = weights
    ids = [[token for token in row if token not in (PAD, EOS)] for row in tokens.tolist()]
    parts = cut_weights(maps, [len(each) for each in ids], lengths)
    return [Hypothesis(*parts_of) for parts_of in zip(ids, scores.tolist(), parts, strict=True)]
