"""Did you mean: the nearest known name to a mistyped one."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Known names that resemble `name`, most similar first.

    Initials count too, so that `learning_rate` finds `lr`.
    """
    names = list(dict.fromkeys(known))
    initials = "".join(part[0] for part in name.lower().split("_") if part)
    exact = [candidate for candidate in names if candidate == initials and len(initials) > 1]
    similar = difflib.get_close_matches(name, names, n=count, cutoff=0.6)
    return list(dict.fromkeys(exact + similar))[:count]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean x?`, or an empty string when nothing is near."""
    found = nearest(name, known, count=1)
    return f" Did you mean {found[0]}?" if found else ""


def choices_text(name: str, known: Iterable[str], at_most: int = 20) -> str:
    """The choices in one line, those nearest to `name` first."""
    names = sorted(known)
    first = nearest(name, names)
    ordered = first + [other for other in names if other not in first]
    more = ", ..." if len(ordered) > at_most else ""
    return ", ".join(ordered[:at_most]) + more
