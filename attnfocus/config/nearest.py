"""Did you mean: the nearest known name to a mistyped one, or to the name that the field has for the same thing."""

import difflib
from collections.abc import Iterable

from attnfocus.config.synonyms import SYNONYMS
from attnfocus.errors import Problem

SIMILAR = 0.68  # from which share of common characters on two names count as similar
MAX_LISTED = 20  # names of a list in one line


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Known names that mean or resemble `name`, nearest first.

    Synonyms come first, then initials (`lr` for `learning_rate`), then names that share most characters, then those
    that begin with it or hold it as a word.
    """
    names = list(dict.fromkeys(known))
    lower = name.lower().replace("-", "_")
    same = [candidate for candidate in names if candidate.lower() == lower and candidate != name]
    meant = [candidate for candidate in SYNONYMS.get(lower, ()) if candidate in names]
    initials = "".join(part[0] for part in lower.split("_") if part)
    exact = [candidate for candidate in names if candidate == initials and len(initials) > 1]
    similar = difflib.get_close_matches(lower, names, n=count, cutoff=SIMILAR)
    return list(dict.fromkeys([*same, *meant, *exact, *similar, *_related(lower, names)]))[:count]


def _related(name: str, names: Iterable[str]) -> list[str]:
    """Names that hold `name` as a part, or of which it holds a whole one; none for a name of one or two letters."""
    if len(name) < 3:
        return [other for other in names if len(name) > 1 and other.startswith(f"{name}_")]
    parts = {part for part in name.split("_") if len(part) > 2}
    holding = [other for other in names if name in other or (len(other) > 2 and other in parts)]
    sharing = [other for other in names if parts & set(other.split("_"))]
    return [*holding, *sharing]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean x?`, or an empty string when nothing is near."""
    found = nearest(name, known, count=1)
    return f" Did you mean {found[0]}?" if found else ""


def wrong_name(key: str, name: str, known: Iterable[str]) -> Problem:
    """The problem of a value that is none of the names that there are, and the value that was meant."""
    found = nearest(name, known, count=1)
    text = f"{key}: must be one of {', '.join(known)}, got {name}.{did_you_mean(name, known)}"
    return Problem(text, key, [f"{key}={found[0]}"] if found else None)


def by_nearness(name: str, known: Iterable[str]) -> list[str]:
    """All known names: those near to `name` first, the others by the alphabet."""
    names = sorted(known)
    first = nearest(name, names, count=len(names))
    return first + [other for other in names if other not in first]


def choices_text(name: str, known: Iterable[str], at_most: int = MAX_LISTED) -> str:
    """The choices in one line, those nearest to `name` first, with the number of those that are left out."""
    ordered = by_nearness(name, known)
    more = f", and {len(ordered) - at_most} more" if len(ordered) > at_most else ""
    return ", ".join(ordered[:at_most]) + more
