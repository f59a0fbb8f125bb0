"""The normalizers as their papers write them, one row of scores at a time, in plain floats.

NORMALIZERS[class name](normalizer, head, scores, past) -> list of weights. scores holds the allowed keys only, never
none of them. past is the weights of the step before at these keys, or None. Of a normalizer with hints it takes the
query of the head as well.
"""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

Past = list[float] | None


def monotonic(normalizer: Any, head: int, scores: list[float], past: Past) -> list[float]:
    """The sum and product of eq. 9; the step before the first stood at the first key."""
    previous = [1.0] + [0.0] * (len(scores) - 1) if past is None else past
    stop = [1 / (1 + math.exp(-score - normalizer.offset[head].item())) for score in scores]
    return [
        stop[j] * sum(previous[k] * math.prod(1 - stop[passed] for passed in range(k, j)) for k in range(j + 1))
        for j in range(len(scores))
    ]


def softmax(normalizer: Any, head: int, scores: list[float], past: Past) -> list[float]:
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


def temperature(normalizer: Any, head: int, scores: list[float], past: Past) -> list[float]:
    tau = max(math.exp(-normalizer.log_scale[head].item()), 0.01)
    return softmax(normalizer, head, [score / tau for score in scores], past)


def scalable(normalizer: Any, head: int, scores: list[float], past: Past) -> list[float]:
    scale = normalizer.scale[head].item() * math.log(len(scores))
    return softmax(normalizer, head, [scale * score for score in scores], past)


def plus_one(normalizer: Any, head: int, scores: list[float], past: Past) -> list[float]:
    return softmax(normalizer, head, [*scores, 0.0], past)[:-1]


def sigmoid(normalizer: Any, head: int, scores: list[float], past: Past) -> list[float]:
    return [1 / (1 + len(scores) * math.exp(-score)) for score in scores]  # exp(-(s - log n)) = n exp(-s)


def entmax(alpha: float, scores: list[float]) -> list[float]:
    """The threshold that makes the weights sum to 1, halving the interval in which it must be."""
    scaled = [(alpha - 1) * score for score in scores]
    low, high = max(scaled) - 1, max(scaled)
    for _ in range(60):
        middle = (low + high) / 2
        above = sum(max(score - middle, 0.0) ** (1 / (alpha - 1)) for score in scaled) >= 1
        low, high = (middle, high) if above else (low, middle)
    return [max(score - low, 0.0) ** (1 / (alpha - 1)) for score in scaled]


def learned_entmax(normalizer: Any, head: int, scores: list[float], past: Past) -> list[float]:
    return entmax(1.01 + 0.99 / (1 + math.exp(-normalizer.pre_alpha[head].item())), scores)


def sink(normalizer: Any, head: int, scores: list[float], past: Past) -> list[float]:
    return softmax(normalizer, head, [*scores, normalizer.logit[head].item()], past)[:-1]


def softpick(normalizer: Any, head: int, scores: list[float], past: Past) -> list[float]:
    """As the paper writes it, in exact fractions where floats would overflow."""
    powers = [Decimal(score).exp() - 1 for score in scores]
    total = sum(map(abs, powers)) + Decimal("1e-6")
    return [float(max(power, Decimal(0)) / total) for power in powers]


def relu_squared(normalizer: Any, head: int, scores: list[float], past: Past) -> list[float]:
    return [max(score, 0.0) ** 2 / len(scores) for score in scores]


def stick_breaking(normalizer: Any, head: int, scores: list[float], past: Past) -> list[float]:
    """A stick of length 1, from the last key to the first."""
    left, weights = 1.0, []
    for score in reversed(scores):
        part = 1 / (1 + math.exp(-score))
        weights.append(left * part)
        left *= 1 - part
    return weights[::-1]


def adaptive_scalable_entmax(
    normalizer: Any, head: int, scores: list[float], past: Past, query: list[float] | None = None
) -> list[float]:
    """query: the head's own, before positions; None: beta and gamma do not follow it."""
    beta, gamma = normalizer.offset[head, 0].tolist()
    if query is not None:
        for number, (of_beta, of_gamma) in zip(query, normalizer.reading[head].tolist(), strict=True):
            beta, gamma = beta + of_beta * number, gamma + of_gamma * number
    power = math.log(len(scores) + 1) ** (2 * math.tanh(gamma))
    factor = 1 + math.log(1 + math.exp(beta)) * power
    return entmax(normalizer.alpha, [factor * score for score in scores])


NORMALIZERS: dict[str, Callable[..., list[float]]] = {
    "AdaptiveScalableEntmax": adaptive_scalable_entmax,
    "Monotonic": monotonic,
    "ReluSquared": relu_squared,
    "Sink": sink,
    "Softpick": softpick,
    "StickBreaking": stick_breaking,
    "Softmax": softmax,
    "Entmax": learned_entmax,
    "Entmax15": lambda normalizer, head, scores, past: entmax(1.5, scores),
    "ScalableSoftmax": scalable,
    "Sigmoid": sigmoid,
    "SoftmaxPlusOne": plus_one,
    "Sparsemax": lambda normalizer, head, scores, past: entmax(2.0, scores),
    "TemperatureSoftmax": temperature,
}
