"""The positions as their papers write them, one pair of query and key at a time, in plain floats.

POSITIONS[class name](position, head, query, key, i, j) -> (query, key, bias): the query at position i and the key at
position j as the score shall see them (lists of floats of one head), and what is added to the score of this pair.
READING[class name](position, head, inputs, i, j) -> what is added to the score of this pair; inputs are all keys as
they came, None for one that no query may see.
VALUES[class name](position, i, j) -> what is added to the value of key j where the query at i reads it, or None.
RESCORING[class name](position, query, scores, seen, i) -> what is added to the scores of a query, one for each of the
keys `seen`, in their order.
"""

import math
from collections.abc import Callable
from typing import Any

Placed = tuple[list[float], list[float], float]


def none(position: Any, head: int, query: list[float], key: list[float], i: int, j: int) -> Placed:
    return query, key, 0.0


def plus(a: list[float], b: list[float]) -> list[float]:
    return [x + y for x, y in zip(a, b, strict=True)]


def inner(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def wave(position: int, size: int, base: float) -> list[float]:
    angles = [position / base ** (2 * (n // 2) / size) for n in range(size)]
    return [math.cos(angle) if n % 2 else math.sin(angle) for n, angle in enumerate(angles)]


def sinusoidal(position: Any, head: int, query: list[float], key: list[float], i: int, j: int) -> Placed:
    waves = [wave(place, len(vector), position.base) for place, vector in ((i, query), (j, key))]
    return plus(query, waves[0]), plus(key, waves[1]), 0.0


def learned(position: Any, head: int, query: list[float], key: list[float], i: int, j: int) -> Placed:
    return plus(query, position.query_table[i].tolist()), plus(key, position.key_table[j].tolist()), 0.0


def frequency(position: Any, pair: int, size: int) -> float:
    """Radians that a pair turns with each position."""
    plain, factor = position.base ** (-2 * pair / size), position.factor
    if position.scaling == "linear":
        return plain / factor
    if position.scaling == "ntk":
        return (position.base * factor ** (size / (size - 2))) ** (-2 * pair / size)
    if position.scaling == "yarn":
        # The pair that turns r times within the length has base^(2 f / size) 2 pi r = length.
        often, once = (math.log(position.original_length / (2 * math.pi * r), position.base) / 2 for r in (32, 1))
        first, last = max(math.floor(often * size), 0), min(math.ceil(once * size), size - 1)
        share = min(max((pair - first) / (last - first), 0), 1)
        return plain * (share / factor + (1 - share))
    return plain


def turned(position: Any, vector: list[float], place: int) -> list[float]:
    size = int(len(vector) * position.fraction / 2) * 2
    result = list(vector)
    longer = 0.1 * math.log(position.factor) + 1 if position.scaling == "yarn" else 1.0
    for pair in range(size // 2):
        one, other = (pair, pair + size // 2) if position.pairing == "half" else (2 * pair, 2 * pair + 1)
        angle = place * frequency(position, pair, size)
        number = complex(vector[one], vector[other]) * complex(math.cos(angle), math.sin(angle)) * longer
        result[one], result[other] = number.real, number.imag
    return result


def rotary(position: Any, head: int, query: list[float], key: list[float], i: int, j: int) -> Placed:
    return turned(position, query, i), turned(position, key, j), 0.0


def slopes(heads: int) -> list[float]:
    if heads & (heads - 1) == 0:
        return [2 ** (-8 * (head + 1) / heads) for head in range(heads)]
    whole = 2 ** int(math.log2(heads))
    return slopes(whole) + slopes(2 * whole)[::2][: heads - whole]


def alibi(position: Any, head: int, query: list[float], key: list[float], i: int, j: int) -> Placed:
    return query, key, -slopes(position.num_heads)[head] * abs(i - j)


def t5(position: Any, head: int, query: list[float], key: list[float], i: int, j: int) -> Placed:
    buckets, first, distance = position.num_buckets, 0, i - j
    if position.bidirectional:
        buckets //= 2
        first, distance = (buckets if j > i else 0), abs(i - j)
    distance, half = max(distance, 0), buckets // 2
    if distance >= half:
        share = math.log(distance / half) / math.log(position.max_distance / half)
        distance = min(half + math.floor(share * (buckets - half) + 1e-9), buckets - 1)
    return query, key, position.table[first + distance, head].item()


def shaw(position: Any, head: int, query: list[float], key: list[float], i: int, j: int) -> Placed:
    offset = max(-position.max_distance, min(position.max_distance, j - i))
    vector = position.table[offset + position.max_distance].tolist()
    return query, key, inner(query, vector) / math.sqrt(len(query))


def shaw_value(position: Any, i: int, j: int) -> list[float] | None:
    if not position.adds_to_values:
        return None
    offset = max(-position.max_distance, min(position.max_distance, j - i))
    vector: list[float] = position.value_table[offset + position.max_distance].tolist()
    return vector


VALUES: dict[str, Callable[..., list[float] | None]] = {
    "ShawPosition": shaw_value,
}


def transformer_xl(position: Any, head: int, query: list[float], key: list[float], i: int, j: int) -> Placed:
    size = position.num_heads * len(query)
    angles = [(i - j) / position.base ** (2 * f / size) for f in range((size + 1) // 2)]
    waves = [math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles]
    of_offset = [inner(row, waves) for row in position.weight[head].tolist()]
    with_v = plus(query, position.position_bias[head, 0].tolist())
    return plus(query, position.content_bias[head, 0].tolist()), key, inner(with_v, of_offset) / math.sqrt(len(query))


POSITIONS: dict[str, Callable[..., Placed]] = {
    "AlibiPosition": alibi,
    "LearnedPosition": learned,
    "NoPosition": none,
    "RotaryPosition": rotary,
    "ShawPosition": shaw,
    "SinusoidalPosition": sinusoidal,
    "T5Position": t5,
    "TransformerXLPosition": transformer_xl,
}


def forgetting(position: Any, head: int, inputs: list[list[float] | None], i: int, j: int) -> float:
    """Each gate in turn, as a product of what is kept."""
    weight, bias = position.gate.weight[head].tolist(), position.gate.bias[head].item()
    kept = 1.0
    for place in range(min(i, j) + 1, max(i, j) + 1):
        vector = inputs[place] if place >= 0 else None
        if vector is not None:
            kept *= 1 / (1 + math.exp(-inner(weight, vector) - bias))
    return math.log(kept)


READING: dict[str, Callable[..., float]] = {
    "ForgettingPosition": forgetting,
}


def contextual(position: Any, query: list[float], scores: list[float], seen: list[int], i: int) -> list[float]:
    """For each key the gates of all keys from it to the query, both included."""
    of_position = [inner(query, row) / math.sqrt(len(query)) for row in position.table.tolist()]
    biases = []
    for j in seen:
        between = range(min(i, j), max(i, j) + 1)
        count = sum(1 / (1 + math.exp(-score)) for key, score in zip(seen, scores, strict=True) if key in between)
        count = min(count, len(of_position) - 1)
        share = count - math.floor(count)
        biases.append(share * of_position[math.ceil(count)] + (1 - share) * of_position[math.floor(count)])
    return biases


RESCORING: dict[str, Callable[..., list[float]]] = {
    "ContextualPosition": contextual,
}
