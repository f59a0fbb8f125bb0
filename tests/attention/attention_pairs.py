"""A set of combinations in which every pair of choices that go together stands at least once."""

import functools
from collections.abc import Iterable, Sequence

import torch
from attention_presets import CHOICES, HEADS, combination_factory
from pairs import Choice, all_pairs, covering_rows

# Patterns of one class with other options: `local` stands for them in pairs, and bigbird has global positions, too.
SAME_CLASS = ("longformer", "sink_window")
SPACE: dict[str, Sequence[str]] = {
    **{factor: [choice for choice in choices if choice not in SAME_CLASS] for factor, choices in CHOICES.items()},
    "heads": list(HEADS),
}
PAIRS = all_pairs(SPACE)


@functools.cache
def refusal(first: Choice, second: Choice) -> str | None:
    """Why two choices do not go together, with all else neutral, or None."""
    try:
        with torch.device("meta"):
            combination_factory(dict((first, second)))(query_dim=8, key_dim=8)
    except ValueError as error:
        return str(error)
    return None


COMBINATIONS = {
    "-".join(row.values()): row for row in covering_rows(SPACE, lambda first, second: refusal(first, second) is None)
}


def each_choice_once(names: Iterable[str]) -> set[str]:
    """Those of the combinations in which a choice stands that none before has."""
    seen: set[Choice] = set()
    found = set()
    for name in names:
        choices = set(COMBINATIONS[name].items())
        if not choices <= seen:
            found.add(name)
            seen |= choices
    return found
