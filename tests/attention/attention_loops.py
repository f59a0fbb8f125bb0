"""Any `Attention`, as its formula says, pair by pair in plain floats: the reference that all paths are held to.

Shapes: H heads, Q queries, K keys, D sizes.
"""

from collections.abc import Callable
from typing import Any

import torch
from loops_normalizers import NORMALIZERS
from loops_patterns import PATTERNS, SELECTIVE
from loops_positions import POSITIONS, READING, RESCORING, VALUES, none, plus
from loops_scores import SCORES, normed
from torch import Tensor

from attnfocus.attention import Attention

Rows = list[list[list[float]]]  # head, place, number


def loop(
    attention: Attention, query: Tensor, keys: Tensor, values: Tensor, allowed: Callable[[int, int], bool]
) -> tuple[Tensor, Tensor]:
    """One item: query (Q, D), keys and values (K, D), allowed(i, j) by index -> context (Q, D), weights (H, Q, K)."""
    shown = [any(allowed(i, j) for i in range(len(query))) for j in range(len(keys))]
    inputs = [row if shows else None for row, shows in zip(keys.tolist(), shown, strict=True)]
    if attention.has_projections:
        query, keys = attention.query_projection(query), attention.key_projection(keys)
        values = attention.value_projection(values)
    queries, keys_of_heads = _heads(query, attention.num_heads), _heads(keys, attention.num_key_heads)
    values_of_heads = _heads(values, attention.num_key_heads)
    weights, context = torch.zeros(attention.num_heads, len(query), len(keys), dtype=torch.float64), []
    for head in range(attention.num_heads):
        shared = head * attention.num_key_heads // attention.num_heads
        rows = _weights(attention, head, queries[head], keys_of_heads[shared], inputs, allowed)
        weights[head] = torch.tensor(rows, dtype=torch.float64).view(len(query), len(keys))
        behind = len(keys) - len(query)
        context.append(
            [
                _mixed(row, _read_from(attention.position, values_of_heads[shared], i + behind))
                for i, row in enumerate(rows)
            ]
        )
    merged = torch.tensor(context, dtype=torch.float64).transpose(0, 1).flatten(1)
    return attention.output_projection(merged) if attention.has_projections else merged, weights


def _heads(vectors: Tensor, heads: int) -> Rows:
    return vectors.unflatten(-1, (heads, -1)).transpose(0, 1).tolist()


def _read_from(position: Any, values: list[list[float]], i: int) -> list[list[float]]:
    """The values as the query at position i reads them."""
    rule = VALUES.get(type(position).__name__)
    added = [None if rule is None else rule(position, i, j) for j in range(len(values))]
    return [value if more is None else plus(value, more) for value, more in zip(values, added, strict=True)]


def _mixed(weights: list[float], values: list[list[float]]) -> list[float]:
    columns = zip(*values, strict=True)
    return [sum(weight * number for weight, number in zip(weights, column, strict=True)) for column in columns]


def _weights(
    attention: Attention,
    head: int,
    queries: list[list[float]],
    keys: list[list[float]],
    inputs: list[list[float] | None],
    allowed: Callable[[int, int], bool],
) -> list[list[float]]:
    """One head: a row of weights for each query. inputs: keys as they came, None for those that no query may see."""
    reads, rescores = (of.get(type(attention.position).__name__) for of in (READING, RESCORING))
    rows, behind = [], len(keys) - len(queries)  # the queries are the last positions
    before = (
        attention.normalizer.first_weights(torch.zeros(len(keys), dtype=torch.float64)).tolist()
        if attention.uses_history
        else None
    )
    total, is_first = [0.0] * len(keys), True
    for i, query in enumerate(queries):
        seen = [j for j in range(len(keys)) if allowed(i, j) and _may_look(attention.pattern, i + behind, j)]
        past = [None if before is None else (before, total, j) for j in range(len(keys))]
        scores = [_score(attention, head, query, keys[j], i + behind, j, past[j]) for j in seen]
        if reads is not None:
            biases = [reads(attention.position, head, inputs, i + behind, j) for j in seen]
            scores = [score + bias for score, bias in zip(scores, biases, strict=True)]
        if rescores is not None:
            biases = rescores(attention.position, query, scores, seen, i + behind)
            scores = [score + bias for score, bias in zip(scores, biases, strict=True)]
        narrow = SELECTIVE.get(type(attention.pattern).__name__)
        if narrow is not None and seen:
            kept = narrow(attention.pattern, scores, seen, i + behind)
            seen = [j for j, keeps in zip(seen, kept, strict=True) if keeps]
            scores = [score for score, keeps in zip(scores, kept, strict=True) if keeps]
        row = [0.0] * len(keys)
        if seen:
            of_step_before = None if before is None or is_first else [before[j] for j in seen]
            normalize = NORMALIZERS[type(attention.normalizer).__name__]
            read = [query] if attention.normalizer.num_hints else []
            weights = normalize(attention.normalizer, head, scores, of_step_before, *read)
            for j, weight in zip(seen, weights, strict=True):
                row[j] = weight
        if attention.uses_history:
            before, total, is_first = row, [a + b for a, b in zip(total, row, strict=True)], False
        rows.append(row)
    return rows


def _may_look(pattern: Any, i: int, j: int) -> bool:
    name = type(pattern).__name__
    return (
        PATTERNS[name](pattern, i, j) if name in PATTERNS else getattr(pattern, "direction", "both") == "both" or j <= i
    )


def _score(attention: Attention, head: int, query: list[float], key: list[float], i: int, j: int, past: Any) -> float:
    query, key = normed(attention.score, query, "query_norm"), normed(attention.score, key, "key_norm")
    place = POSITIONS.get(type(attention.position).__name__, none)
    query, key, bias = place(attention.position, head, query, key, i, j)
    return SCORES[type(attention.score).__name__](attention.score, head, query, key, past) + bias
