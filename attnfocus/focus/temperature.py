"""One temperature for all models, so that what is told of an output does not depend on the scale of its logits.

A model whose output layer is multiplied by a number answers the same for the same reasons, with other probabilities:
differences of probabilities are large or small as it is more or less sure. Shapes: N outputs, C classes or vocabulary.
"""

import math

from torch import Tensor

SURENESS = (
    0.9  # mean probability of the likeliest answer, to which all models are brought: above 1 / 2, for two classes
)
_NUM_HALVINGS = 60


def inverse_temperature(logits: Tensor, sureness: float = SURENESS) -> float:
    """The number b > 0 by which the mean over outputs of max softmax(b logits) is `sureness`   (logits (N, C))

    Found by bisection of log b, in float64; from the differences to the largest logit, so that a probability that
    rounds to 1 does no harm. Outputs without a single likeliest answer, which no temperature makes surer, do not count.

    Args:
        sureness: above 1 / 2 and below 1.

    Returns:
        1.0 where no output has a single likeliest answer.
    """
    if logits.shape[-1] < 2:
        return 1.0
    first, second = wide(logits.topk(2, dim=-1).values).unbind(dim=-1)
    counts = (first > second) & first.isfinite() & second.isfinite()
    if not counts.any():
        return 1.0
    gaps = (wide(logits) - first.unsqueeze(-1))[counts]  # (N, C), all <= 0

    def is_sure(log_factor: float) -> bool:
        of_first = 1 / (gaps * math.exp(log_factor)).exp().sum(dim=-1)
        return float(of_first.mean()) >= sureness

    low = high = -math.log(float((first - second)[counts].median()))  # moves with the scale of the logits
    while is_sure(low):
        low -= 1.0
    while not is_sure(high):
        high += 1.0
    for _ in range(_NUM_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_sure(middle) else (middle, high)
    return math.exp((low + high) / 2)


def tempered(logits: Tensor, factor: float) -> Tensor:
    """Log-probabilities (..., C) of logits (..., C) at an `inverse_temperature`, in float64."""
    return (wide(logits) * factor).log_softmax(dim=-1)


def wide(values: Tensor) -> Tensor:
    """In float64, where the device has it."""
    return values if values.device.type == "mps" else values.double()
