"""A set of combinations in which every pair of choices that go together stands at least once."""

import functools
import itertools
from collections.abc import Sequence

import torch
from attention_presets import CHOICES, HEADS, combination_factory

Choice = tuple[str, str]  # factor, name
Row = dict[str, str]

SPACE: dict[str, Sequence[str]] = {**CHOICES, "heads": list(HEADS)}
PAIRS: list[tuple[Choice, Choice]] = [
    ((first, a), (second, b))
    for first, second in itertools.combinations(SPACE, 2)
    for a in SPACE[first]
    for b in SPACE[second]
]


@functools.cache
def refusal(first: Choice, second: Choice) -> str | None:
    """Why two choices do not go together, with all else neutral, or None."""
    try:
        with torch.device("meta"):
            combination_factory(dict((first, second)))(query_dim=8, key_dim=8)
    except ValueError as error:
        return str(error)
    return None


def covering_rows() -> list[Row]:
    """Greedy: each row starts with a pair that is missing, and takes for every other factor what covers most."""
    possible = {pair for pair in PAIRS if refusal(*pair) is None}
    missing = dict.fromkeys(pair for pair in PAIRS if pair in possible)
    rows = []
    while missing:
        row: Row = dict(next(iter(missing)))
        for factor in (factor for factor in SPACE if factor not in row):
            fitting = [
                name for name in SPACE[factor] if all(pair in possible for pair in _pairs_with((factor, name), row))
            ]
            row[factor] = max(
                fitting, key=lambda name: sum(pair in missing for pair in _pairs_with((factor, name), row))
            )
        row = {factor: row[factor] for factor in SPACE}
        for pair in itertools.combinations(row.items(), 2):
            missing.pop(pair, None)
        rows.append(row)
    return rows


def _pairs_with(choice: Choice, row: Row) -> list[tuple[Choice, Choice]]:
    order = list(SPACE)
    return [
        (choice, other) if order.index(choice[0]) < order.index(other[0]) else (other, choice) for other in row.items()
    ]


COMBINATIONS = {"-".join(row.values()): row for row in covering_rows()}
