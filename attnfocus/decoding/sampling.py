"""Sampling: each token is drawn from the model's distribution, or from the head of it.

Shapes: B sentences, N rows (outputs to draw), A rows still being written, V vocabulary, C candidates to draw from.
"""

from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from attnfocus.decoding.candidates import highest
from attnfocus.decoding.hypothesis import Hypothesis, StepModel
from attnfocus.decoding.options import DecodingOptions
from attnfocus.decoding.token_loop import write


@torch.no_grad()
def sample(
    model: StepModel, source: Tensor, lengths: Tensor, options: DecodingOptions, need_weights: bool = False
) -> list[list[Hypothesis]]:
    """`options.num_best` outputs drawn for each sentence, the most probable first. The model should be in eval mode.

    Temperature, then top_k, then top_p narrow what is drawn from; a hypothesis' score is nevertheless its log
    probability under the model itself. What is drawn is a function of `options.seed` and the sentence's tokens: it
    depends neither on the other sentences nor on torch's random state, and equal sentences get equal outputs.

    Args:
        source: (B, S) of `lengths` (B,).
    """
    if len(source) == 0:
        return []
    longest = int(options.max_lengths(lengths).max())
    uniforms = _uniforms(source, lengths, options, longest + options.ends_at_limit).to(source.device)

    def choose(log_probs: Tensor, rows: Tensor, length: int) -> Tensor:
        return draw(log_probs, uniforms[rows, length], options)

    drawn = write(model, source, lengths, options, choose, copies=options.num_best, need_weights=need_weights)
    groups = [drawn[start : start + options.num_best] for start in range(0, len(drawn), options.num_best)]
    return [sorted(group, key=lambda hypothesis: -hypothesis.score) for group in groups]


def draw(log_probs: Tensor, uniform: Tensor, options: DecodingOptions) -> Tensor:
    """A token of each row of log_probs (A, V), by uniform numbers (A,) in [0, 1): (A,).

    The token is the one at which the cumulative probability passes the uniform number.
    """
    scores, tokens = log_probs / options.temperature, None
    num_tokens = scores.shape[1]
    if 0 < options.top_k < num_tokens:
        scores, tokens = highest(scores, options.top_k)  # (A, C)
    elif options.top_p < 1:
        scores, tokens = scores.sort(dim=-1, descending=True)
    probs = scores.softmax(dim=-1)
    if options.top_p < 1:
        before = probs.cumsum(dim=-1) - probs  # the mass of what is more probable
        probs = probs.masked_fill(before >= options.top_p, 0.0)  # never the first, as top_p > 0
    cumulative = probs.cumsum(dim=-1)
    total = cumulative[:, -1]
    # Below the total even after rounding, so that some candidate's cumulative probability is above.
    target = torch.minimum(uniform * total, total.nextafter(torch.zeros_like(total)))
    place = torch.searchsorted(cumulative, target.unsqueeze(1), right=True).clamp(max=cumulative.shape[1] - 1)
    return (place if tokens is None else tokens.gather(1, place)).squeeze(1)


def _uniforms(source: Tensor, lengths: Tensor, options: DecodingOptions, count: int) -> Tensor:
    """Numbers in [0, 1), float32 (B * num_best, count), each row a function of the seed, its sentence and its turn."""
    sentences = [row[:length] for row, length in zip(source.tolist(), lengths.tolist(), strict=True)]
    keys = [(options.seed, turn, *ids) for ids in sentences for turn in range(options.num_best)]
    digests = (blake2b(np.array(key, dtype="<i8").tobytes(), digest_size=16).digest() for key in keys)
    generators = (np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little"))) for digest in digests)
    return torch.from_numpy(np.stack([generator.random(count, dtype=np.float32) for generator in generators]))
