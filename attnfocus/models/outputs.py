"""What a model answers.

Shapes: B batch, T target tokens, V target vocabulary, C classes, H heads, Q queries, K keys.
"""

from typing import Literal, NamedTuple

from torch import Tensor

Side = Literal["source", "target"]


class SequenceOutput(NamedTuple):
    """Scores of every next target token.

    `weights` maps an attention's name to (B, H, Q, K), Q and K positions of the sides that `sides` tells: `cross`, or
    in a Transformer `encoder.layers.0`, `decoder.layers.0.self`, `decoder.layers.0.cross`, ... Empty unless weights
    were asked for.
    """

    logits: Tensor  # (B, T, V)
    weights: dict[str, Tensor]


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
