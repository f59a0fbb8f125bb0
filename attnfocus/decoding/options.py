"""How an output is searched for: the schema of the section `decoding`."""

from dataclasses import dataclass

import torch
from torch import Tensor

from attnfocus.limits import NonNegativeFloat, NonNegativeInt, PositiveInt


@dataclass(frozen=True)
class DecodingOptions:
    """The defaults are greedy search.

    Args:
        beam_size: hypotheses kept for each input; 1 is greedy search.
        length_penalty: a hypothesis' log probability is divided by its length to this power; 0 compares plain
            probabilities, which favors short outputs. No effect on greedy search.
        max_length_ratio, max_length_constant: no output is longer than ratio * input tokens + constant, in tokens.
        max_length: nor than this many tokens.
    """

    beam_size: PositiveInt = 1
    length_penalty: NonNegativeFloat = 1.0
    max_length_ratio: NonNegativeFloat = 2.0
    max_length_constant: NonNegativeInt = 20
    max_length: PositiveInt = 1000

    def max_lengths(self, lengths: Tensor) -> Tensor:
        """The longest output allowed for inputs of `lengths` (B,), at least 1 token, EOS not counted: (B,)."""
        allowed = (lengths * self.max_length_ratio).ceil() + self.max_length_constant
        return allowed.clamp(1, self.max_length).to(torch.int64)
