"""The positions as their papers write them, one pair of query and key at a time, in plain floats.

POSITIONS[class name](position, head, query, key, i, j) -> (query, key, bias): the query at position i and the key at
position j as the score shall see them (lists of floats of one head), and what is added to the score of this pair.
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


def turned(vector: list[float], place: int, base: float) -> list[float]:
    result = []
    for first in range(0, len(vector), 2):
        angle = place / base ** (first / len(vector))
        turned = complex(*vector[first : first + 2]) * complex(math.cos(angle), math.sin(angle))
        result += [turned.real, turned.imag]
    return result


def rotary(position: Any, head: int, query: list[float], key: list[float], i: int, j: int) -> Placed:
    return turned(query, i, position.base), turned(key, j, position.base), 0.0


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
