"""What a model answers.

Shapes: B batch, T target tokens, V target vocabulary, C classes, H heads, Q queries, K keys.
"""

from typing import NamedTuple

from torch import Tensor


class SequenceOutput(NamedTuple):
    """Scores of every next target token.

    `weights` maps an attention's name (`cross`) to (B, H, T, S); empty unless weights were asked for.
    """

    logits: Tensor  # (B, T, V)
    weights: dict[str, Tensor]


class ClassifierOutput(NamedTuple):
    """Scores of every class.

    `weights` maps an attention's name (`pooling`, `layers.0`) to (B, H, Q, K); empty unless weights were asked for.
    """

    logits: Tensor  # (B, C)
    weights: dict[str, Tensor]
