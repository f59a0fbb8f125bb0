"""How an output is searched for or drawn: the schema of the section `decoding`."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor

from attnfocus.errors import ConfigError
from attnfocus.limits import (
    BeamSize,
    NonNegativeFloat,
    NonNegativeInt,
    NumOutputs,
    NumTokens,
    PositiveFloat,
    Range,
)
from attnfocus.marks import Before

LengthPenalty = Literal["power", "gnmt"]
AtLimit = Annotated[Literal["end", "cut"], Before("cut")]
Seed = Annotated[int, Range(ge=0, le=2**63 - 1)]
Nucleus = Annotated[float, Range(gt=0, le=1)]


@dataclass(frozen=True)
class DecodingOptions:
    """The defaults are greedy search.

    Args:
        beam_size: hypotheses kept for each input; 1 is greedy search.
        num_best: outputs given for each input, best first: up to beam_size, or any number with sampling.
        length_penalty: a, the exponent of the length penalty; 0 compares plain probabilities, which favors short
            outputs. No effect on greedy search and on sampling.
        length_penalty_form: a log probability is divided by L^a (power) or by ((5 + L) / 6)^a (gnmt), where L counts
            EOS.
        coverage_penalty: weight of the penalty for source tokens that were not looked at (`penalties`). No effect on
            greedy search and on sampling.
        min_length_ratio: no output is shorter than ratio * input tokens, in tokens, as far as its maximum allows.
        max_length_ratio, max_length_constant: no output is longer than ratio * input tokens + constant, in tokens.
        max_length: nor than this many tokens.
        at_limit: what becomes of an output of the most tokens allowed. end: it ends there, and the probability of EOS
            after them counts, as for every other output. cut: it has no EOS, so that its score is of another kind,
            and a beam gives it only where too few have ended.
        no_repeat_ngram_size: no sequence of this many tokens occurs twice in an output; 0 allows all.
        replace_unknown: put the source word with the highest weight in the place of each unknown word.
        sampling: draw outputs at random instead of searching for probable ones.
        temperature: logits are divided by it before drawing; below 1 is more careful, above 1 more varied.
        top_k: draw from this many of the most probable tokens; 0: from all.
        top_p: draw from the fewest tokens whose probabilities sum to this (nucleus; Holtzman et al. 2020,
            arXiv:1904.09751); 1: from all.
        seed: of sampling. What is drawn is a function of the seed and the input alone.
        exclude_seen: of ranking: items of the history are no answers.

    Raises:
        ConfigError: options that do not go together.
    """

    beam_size: BeamSize = 1
    num_best: NumOutputs = 1
    length_penalty: NonNegativeFloat = 1.0
    length_penalty_form: LengthPenalty = "power"
    coverage_penalty: NonNegativeFloat = 0.0
    min_length_ratio: NonNegativeFloat = 0.0
    max_length_ratio: NonNegativeFloat = 2.0
    max_length_constant: NonNegativeInt = 20
    max_length: NumTokens = 1000
    at_limit: AtLimit = "end"
    no_repeat_ngram_size: NonNegativeInt = 0
    replace_unknown: bool = False
    sampling: bool = False
    temperature: PositiveFloat = 1.0
    top_k: NonNegativeInt = 0
    top_p: Nucleus = 1.0
    seed: Seed = 1
    exclude_seen: bool = True

    def __post_init__(self) -> None:
        problems = []
        if self.sampling and self.beam_size > 1:
            problems.append(
                f"decoding.sampling: true draws outputs, and beam_size={self.beam_size} searches. "
                "Use decoding.beam_size=1, or decoding.sampling=false."
            )
        if not self.sampling and self.num_best > self.beam_size:
            problems.append(
                f"decoding.num_best: {self.num_best} outputs do not come out of beam_size={self.beam_size}. "
                f"Use decoding.beam_size={self.num_best} or more, or decoding.sampling=true with beam_size=1."
            )
        for name, unused in (("temperature", 1.0), ("top_k", 0), ("top_p", 1.0)):
            if not self.sampling and getattr(self, name) != unused:
                problems.append(
                    f"decoding.{name}: {getattr(self, name)} has no effect on a search. "
                    f"Use decoding.sampling=true, or decoding.{name}={unused:g}."
                )
        if problems:
            raise ConfigError(problems)

    @property
    def is_greedy(self) -> bool:
        """Whether each token is simply the most probable one."""
        return self.beam_size == 1 and not self.sampling

    @property
    def writes_in_order(self) -> bool:
        """Whether an input has one output, of which no token changes once it is written."""
        return self.beam_size == 1 and self.num_best == 1

    @property
    def ends_at_limit(self) -> bool:
        """Whether the longest outputs have an EOS too."""
        return self.at_limit == "end"

    def max_lengths(self, lengths: Tensor) -> Tensor:
        """The longest output allowed for inputs of `lengths` (B,), at least 1 token, EOS not counted: (B,)."""
        allowed = (lengths * self.max_length_ratio).ceil() + self.max_length_constant
        return allowed.clamp(1, self.max_length).to(torch.int64)

    def min_lengths(self, lengths: Tensor) -> Tensor:
        """The shortest output allowed for inputs of `lengths` (B,), EOS not counted: (B,)."""
        return torch.minimum((lengths * self.min_length_ratio).ceil().to(torch.int64), self.max_lengths(lengths))
