"""Greedy search: the most probable token, then the next."""

import torch
from torch import Tensor

from attnfocus.decoding.candidates import highest
from attnfocus.decoding.hypothesis import Hypothesis, StepModel
from attnfocus.decoding.options import DecodingOptions
from attnfocus.decoding.token_loop import write


@torch.no_grad()
def greedy(
    model: StepModel, source: Tensor, lengths: Tensor, options: DecodingOptions, need_weights: bool = False
) -> list[Hypothesis]:
    """An output for each sentence of source (B, S) of `lengths` (B,). The model should be in eval mode.

    Of the options, those of length and repetition count.
    """
    return write(model, source, lengths, options, _most_probable, need_weights=need_weights)


def _most_probable(log_probs: Tensor, rows: Tensor, length: int) -> Tensor:
    return highest(log_probs, 1)[1].squeeze(1)
