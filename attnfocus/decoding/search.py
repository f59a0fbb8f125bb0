"""The search that the options ask for."""

from torch import Tensor

from attnfocus.decoding.beam import beam_search
from attnfocus.decoding.greedy import greedy
from attnfocus.decoding.hypothesis import Hypothesis, StepModel
from attnfocus.decoding.options import DecodingOptions
from attnfocus.decoding.sampling import sample


def decode(
    model: StepModel, source: Tensor, lengths: Tensor, options: DecodingOptions, need_weights: bool = False
) -> list[Hypothesis]:
    """The best hypothesis for each sentence of source (B, S), in order. The model should be in eval mode."""
    if options.is_greedy:
        return greedy(model, source, lengths, options, need_weights)
    return [hypotheses[0] for hypotheses in decode_best(model, source, lengths, options, need_weights)]


def decode_best(
    model: StepModel, source: Tensor, lengths: Tensor, options: DecodingOptions, need_weights: bool = False
) -> list[list[Hypothesis]]:
    """Up to `options.num_best` hypotheses for each sentence of source (B, S), in order, the best first.

    There are fewer only where the search has found no more. The model should be in eval mode.
    """
    if options.sampling:
        return sample(model, source, lengths, options, need_weights)
    if options.is_greedy:
        return [[hypothesis] for hypothesis in greedy(model, source, lengths, options, need_weights)]
    return beam_search(model, source, lengths, options, need_weights)
