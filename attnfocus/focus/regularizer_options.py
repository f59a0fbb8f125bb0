"""Which regularizers of attention a training uses, how strongly and when: a part of the section `focus`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from attnfocus.limits import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Range

SignedWeight = Annotated[float, Range(ge=-1e6, le=1e6)]


@dataclass(frozen=True, kw_only=True)
class Scheduled:
    """A term of the training loss, and how its weight goes over the optimizer steps.

    Args:
        weight: what the penalty is multiplied by; 0 leaves it out.
        start_step: steps without the term.
        warmup_steps: steps after those, over which the weight rises linearly from 0.
        decay_steps: steps after those, over which it falls linearly to 0, where it stays; None: it does not fall.
    """

    weight: SignedWeight = 0.0
    start_step: NonNegativeInt = 0
    warmup_steps: NonNegativeInt = 0
    decay_steps: PositiveInt | None = None

    def weight_at(self, step: int) -> float:
        """The weight in optimizer step `step`, counted from 1: a function of the step alone."""
        done = step - self.start_step
        if done <= 0:
            return 0.0
        if done < self.warmup_steps:
            return self.weight * done / self.warmup_steps
        if self.decay_steps is None:
            return self.weight
        return self.weight * max(0.0, 1 - (done - max(1, self.warmup_steps)) / self.decay_steps)


@dataclass(frozen=True, kw_only=True)
class OfWeights(Scheduled):
    """A term that is computed from attention weights.

    Args:
        attentions: names of the attentions that it looks at, as they stand in figures and logs (`cross`,
            `encoder.layers.0`); None: those that suit it. The penalty is their mean.
    """

    attentions: list[str] | None = None


@dataclass(frozen=True, kw_only=True)
class EntropyOptions(OfWeights):
    """Normalized entropy, 0 to 1: a weight above 0 makes attention more focused, one below 0 less."""


@dataclass(frozen=True, kw_only=True)
class CoverageOptions(OfWeights):
    """`repeated_attention` of a decoder's attentions to its source, their heads averaged first."""

    weight: NonNegativeFloat = 0.0


@dataclass(frozen=True, kw_only=True)
class GuidedOptions(OfWeights):
    """Attention of a decoder to its source, guided to where it should be.

    Args:
        target: diagonal: `off_diagonal`; gold: `missed_alignment` of the alignment that the data set knows.
        width: of the diagonal, as a share of the lengths.
        head: number of the head that is guided, from 0, and the others are free; None: the mean of all heads is.
    """

    weight: NonNegativeFloat = 0.0
    target: Literal["diagonal", "gold"] = "diagonal"
    width: PositiveFloat = 0.2
    head: NonNegativeInt | None = None


@dataclass(frozen=True, kw_only=True)
class DiversityOptions(OfWeights):
    """`head_overlap`: a weight above 0 makes heads look at different keys, one below 0 at the same."""


@dataclass(frozen=True, kw_only=True)
class SpanOptions(Scheduled):
    """Mean span of the adaptive-span attentions, in positions."""

    weight: NonNegativeFloat = 0.0


@dataclass(frozen=True, kw_only=True)
class Regularization:
    """All regularizers of attention; by default none is on, and any can be together.

    Args:
        sigma_reparametrization: see `sigma_reparametrize`; a change of the model, not a term of the loss.
    """

    entropy: EntropyOptions = field(default_factory=EntropyOptions)
    coverage: CoverageOptions = field(default_factory=CoverageOptions)
    guided: GuidedOptions = field(default_factory=GuidedOptions)
    diversity: DiversityOptions = field(default_factory=DiversityOptions)
    span: SpanOptions = field(default_factory=SpanOptions)
    sigma_reparametrization: bool = False

    @property
    def terms(self) -> Mapping[str, Scheduled]:
        """The terms of the loss that are on, by name."""
        return {name: term for name, term in vars(self).items() if isinstance(term, Scheduled) and term.weight != 0}
