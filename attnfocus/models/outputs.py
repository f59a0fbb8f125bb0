"""What a model answers.

Shapes: B batch, T target tokens, V target vocabulary, R readout width, C classes, H heads, Q queries, K keys.
"""

from typing import Literal, NamedTuple

from torch import Tensor
from torch.nn import functional as F

Side = Literal["source", "target"]


class SequenceOutput(NamedTuple):
    """Vectors to predict every next target token from, and the output layer that scores them.

    The scores of a large vocabulary are the largest tensor of a step, so they are made when asked for: a loss can go
    over them in parts.
    `weights` maps an attention's name to (B, H, Q, K), Q and K positions of the sides that `sides` tells: `cross`, or
    in a Transformer `encoder.layers.0`, `decoder.layers.0.self`, `decoder.layers.0.cross`, ... Empty unless weights
    were asked for.
    """

    readout: Tensor  # (B, T, R)
    output_weight: Tensor  # (V, R)
    output_bias: Tensor | None  # (V,)
    weights: dict[str, Tensor]

    @property
    def logits(self) -> Tensor:
        """Scores (B, T, V), in the readout's dtype: half precision after a forward pass under autocast."""
        bias = None if self.output_bias is None else self.output_bias.to(self.readout.dtype)
        return F.linear(self.readout, self.output_weight.to(self.readout.dtype), bias)


def sides(name: str) -> tuple[Side, Side]:
    """Which sequences the queries and the keys of an attention of a `SequenceOutput` belong to, by its name."""
    if name.startswith("encoder."):
        return "source", "source"
    return "target", "target" if name.endswith(".self") else "source"


class ClassifierOutput(NamedTuple):
    """Scores of every class.

    `weights` maps an attention's name (`pooling`, `layers.0`) to (B, H, Q, K); empty unless weights were asked for.
    """

    logits: Tensor  # (B, C)
    weights: dict[str, Tensor]
