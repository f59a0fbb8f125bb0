"""The columns of a table as a message shows them: short, and of many the likeliest."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

from attnfocus.own_files import LABEL_COLUMNS, TEXT_COLUMNS

NUM_VALUES_SHOWN, MAX_COLUMNS_SHOWN, MAX_CHARACTERS_SHOWN = 3, 10, 20
_LIKELY = frozenset(f"{TEXT_COLUMNS} {LABEL_COLUMNS} source src target tgt translation".split())
_SIMILAR = 0.6  # from which share of common characters on a name is shown before others


def columns_text(
    names: Sequence[Any], titles: Sequence[Any], values: Sequence[Sequence[Any]], wanted: Sequence[str]
) -> str:
    """Columns with a few values each; of many those nearest to what is wanted, and how many more.

    Args:
        names: what each is called by: its name, or its number.
        titles: what stands at their head; empty where nothing does.
        values: of each column.
        wanted: names that were asked for.
    """
    places = list(range(len(names)))
    if len(names) > MAX_COLUMNS_SHOWN:
        places.sort(key=lambda place: distance(str((titles or names)[place]), wanted))
    shown = [
        f"{short(names[place])} ({', '.join(repr(short(value)) for value in values[place])})"
        for place in places[:MAX_COLUMNS_SHOWN]
    ]
    num_more = len(names) - len(shown)
    return "; ".join(shown) + (f"; and {num_more} more" if num_more else "")


def distance(name: str, wanted: Sequence[str]) -> float:
    """How far a column's name is from what is wanted; names that people give to such columns are near to anything."""
    plain = name.strip().casefold()
    likeness = max((SequenceMatcher(None, plain, other.casefold()).ratio() for other in wanted), default=0.0)
    is_likely = not _LIKELY.isdisjoint([plain, *plain.split("_")])
    return 1 - likeness if likeness >= _SIMILAR else 1.0 if is_likely else 2.0


def short(value: object) -> str:
    text = " ".join(str(value)[: 4 * MAX_CHARACTERS_SHOWN].split())
    return text if len(text) <= MAX_CHARACTERS_SHOWN else text[: MAX_CHARACTERS_SHOWN - 3] + "..."
