"""The search that the options ask for."""

from torch import Tensor

from attnfocus.decoding.beam import beam_search
from attnfocus.decoding.greedy import greedy
from attnfocus.decoding.hypothesis import Hypothesis, StepModel
from attnfocus.decoding.options import DecodingOptions


def decode(
    model: StepModel, source: Tensor, lengths: Tensor, options: DecodingOptions, need_weights: bool = False
) -> list[Hypothesis]:
    """One hypothesis for each sentence of source (B, S), in order; greedy with a beam of 1.

    The model should be in eval mode.
    """
    max_lengths = options.max_lengths(lengths)
    if options.beam_size == 1:
        return greedy(model, source, lengths, max_lengths=max_lengths, need_weights=need_weights)
    return beam_search(
        model,
        source,
        lengths,
        beam_size=options.beam_size,
        length_penalty=options.length_penalty,
        max_lengths=max_lengths,
        need_weights=need_weights,
    )
