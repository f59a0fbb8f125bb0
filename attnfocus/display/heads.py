"""How many heads of which kind, and what each of them does, as lines."""

from collections.abc import Mapping, Sequence


def counts_text(counts: Mapping[str, float]) -> str:
    """`2 previous token, 1 induction, 5 diffuse`; means of several runs have a decimal."""
    return ", ".join(f"{count:.1f}".removesuffix(".0") + f" {kind}" for kind, count in counts.items() if count)


def kinds_text(kinds: Sequence[str]) -> str:
    """`previous token (0), diffuse (1 and 2)`: the heads of one attention by their kinds, in the order of the heads."""
    numbers: dict[str, list[str]] = {}
    for number, kind in enumerate(kinds):
        numbers.setdefault(kind, []).append(str(number))
    return ", ".join(f"{kind} ({_joined(each)})" for kind, each in numbers.items())


def _joined(numbers: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(numbers[:-1]), numbers[-1])))
