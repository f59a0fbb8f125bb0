"""The scores as their papers write them, one query and one key at a time, in plain floats.

SCORES[class name](score, head, query, key, past) -> float. query and key are lists of floats of one head. past is None,
or (weights of the step before, sum of the weights of all steps before, j): lists over all keys, and this key's index.
"""

import math
from collections.abc import Callable
from typing import Any

Past = tuple[list[float], list[float], int] | None


def inner(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def times(matrix: list[list[float]], vector: list[float]) -> list[float]:
    return [inner(row, vector) for row in matrix]


def additive_with(score: Any, head: int, query: list[float], key: list[float], features: list[float]) -> float:
    of_query = times(score.query_weight[head].tolist(), query)
    of_key = times(score.key_weight[head].tolist(), key)
    terms = zip(of_query, of_key, score.bias[head, 0].tolist(), features, strict=True)
    return inner(score.vector[head].tolist(), [math.tanh(sum(each)) for each in terms])


def additive(score: Any, head: int, query: list[float], key: list[float], past: Past) -> float:
    return additive_with(score, head, query, key, [0.0] * score.hidden_size)


def location(score: Any, head: int, query: list[float], key: list[float], past: Past) -> float:
    if past is None:
        return additive(score, head, query, key, None)
    previous, _, j = past
    filtered = []
    for numbers in score.filters[head].tolist():
        reach = (len(numbers) - 1) // 2
        places = range(j - reach, j + reach + 1)
        seen = [previous[place] if 0 <= place < len(previous) else 0.0 for place in places]
        filtered.append(inner(numbers, seen))
    return additive_with(score, head, query, key, times(score.feature_weight[head].tolist(), filtered))


def coverage(score: Any, head: int, query: list[float], key: list[float], past: Past) -> float:
    covered = 0.0 if past is None else past[1][past[2]]
    features = [number * covered for number in score.coverage_weight[head, 0].tolist()]
    return additive_with(score, head, query, key, features)


def cosine(score: Any, head: int, query: list[float], key: list[float], past: Past) -> float:
    lengths = math.sqrt(inner(query, query) + 1e-6) * math.sqrt(inner(key, key) + 1e-6)
    return inner(query, key) / lengths * min(math.exp(score.log_scale[head].item()), 100.0)


def normed(score: Any, vector: list[float], weight: str) -> list[float]:
    """A query or key by the option qk_norm, before positions; as it is under a score without."""
    kind = getattr(score, "qk_norm", "none")
    if kind == "l2":
        length = math.sqrt(inner(vector, vector) + 1e-6)
        return [number / length for number in vector]
    if kind == "rms":
        size = math.sqrt(inner(vector, vector) / len(vector) + 1e-6)
        return [number / size * factor for number, factor in zip(vector, getattr(score, weight).tolist(), strict=True)]
    return vector


def finished(score: Any, head: int, product: float, scale: float = 1.0) -> float:
    """The factor of qk_norm=l2, or else the scale of the score, and the option soft_cap."""
    found = product * (score.factor[head].item() if score.qk_norm == "l2" else scale)
    return found if score.soft_cap is None else score.soft_cap * math.tanh(found / score.soft_cap)


def dot(score: Any, head: int, query: list[float], key: list[float], past: Past) -> float:
    return finished(score, head, inner(query, key))


def scaled_dot(score: Any, head: int, query: list[float], key: list[float], past: Past) -> float:
    return finished(score, head, inner(query, key), 1 / math.sqrt(len(query)))


def general(score: Any, head: int, query: list[float], key: list[float], past: Past) -> float:
    return finished(score, head, inner(query, times(score.weight[head].tolist(), key)))


def distance(score: Any, head: int, query: list[float], key: list[float], past: Past) -> float:
    return -sum((a - b) ** 2 for a, b in zip(query, key, strict=True)) / math.sqrt(len(query))


SCORES: dict[str, Callable[..., float]] = {
    "AdditiveScore": additive,
    "CosineScore": cosine,
    "CoverageScore": coverage,
    "DistanceScore": distance,
    "DotScore": dot,
    "GeneralScore": general,
    "LocationScore": location,
    "ScaledDotScore": scaled_dot,
}
