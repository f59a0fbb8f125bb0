"""Rows of choices in which every pair of choices that go together stands at least once.

A product of many parameters is replaced by them: what goes wrong goes wrong with one choice or with two that meet.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

Choice = tuple[str, Any]  # factor, value
Space = Mapping[str, Sequence[Any]]


def all_pairs(space: Space) -> list[tuple[Choice, Choice]]:
    """Each pair in the order of its factors."""
    return [
        ((first, a), (second, b))
        for first, second in itertools.combinations(space, 2)
        for a in space[first]
        for b in space[second]
    ]


def covering_rows(
    space: Space, together: Callable[[Choice, Choice], bool] = lambda first, second: True
) -> list[dict[str, Any]]:
    """Greedy: each row starts with a pair that is missing, and takes for every other factor what covers most.

    Args:
        space: factor -> its values, which can be hashed.
        together: whether two choices go together; asked in the order of their factors.
    """
    possible = {pair for pair in all_pairs(space) if together(*pair)}
    missing = dict.fromkeys(pair for pair in all_pairs(space) if pair in possible)
    order = list(space)
    rows = []
    while missing:
        row = dict(next(iter(missing)))
        for factor in (factor for factor in space if factor not in row):
            fitting = [
                value
                for value in space[factor]
                if all(pair in possible for pair in _pairs_with((factor, value), row, order))
            ]
            row[factor] = max(
                fitting,
                key=lambda value, factor=factor: sum(
                    pair in missing for pair in _pairs_with((factor, value), row, order)
                ),
            )
        row = {factor: row[factor] for factor in space}
        for pair in itertools.combinations(row.items(), 2):
            missing.pop(pair, None)
        rows.append(row)
    return rows


def _pairs_with(choice: Choice, row: Mapping[str, Any], order: Sequence[str]) -> list[tuple[Choice, Choice]]:
    rank = order.index(choice[0])
    return [(choice, other) if rank < order.index(other[0]) else (other, choice) for other in row.items()]


def parametrize_pairs(
    space: Space, together: Callable[[Choice, Choice], bool] = lambda first, second: True
) -> pytest.MarkDecorator:
    """`pytest.mark.parametrize` over the covering rows; the factors are the names of the arguments."""
    rows = covering_rows(space, together)
    ids = ["-".join(str(getattr(value, "__name__", value)) for value in row.values()) for row in rows]
    return pytest.mark.parametrize(list(space), [tuple(row.values()) for row in rows], ids=ids)
