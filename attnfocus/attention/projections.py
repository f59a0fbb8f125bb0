"""Linear layers and how they start."""

from torch import nn


def linear(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """A projection with Xavier uniform weights (Glorot and Bengio 2010) and zero biases.

    Xavier keeps the variance of what passes through, so that queries and keys meet at the scale that they came with.
    """
    layer = nn.Linear(inputs, outputs, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
