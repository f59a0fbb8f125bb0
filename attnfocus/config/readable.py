"""What an override may look like before anything parses it, so that no length or depth of nonsense costs time."""

import re

from attnfocus.visible import visible

MAX_CHARACTERS = 4000
MAX_DEPTH = 20  # brackets inside of one another
MAX_SHOWN = 120  # characters of an override that are said again

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")  # a tab is blank space


def unreadable(text: str) -> str | None:
    """Why an override cannot be read, as a problem to tell; None when it may be."""
    start = shown(text)
    if len(text) > MAX_CHARACTERS:
        return f"{start}: has {len(text)} characters; at most {MAX_CHARACTERS} can be given. Use a file (--config-dir)."
    if _CONTROL.search(text):
        return f"{start}: holds control characters. Write key=value without them."
    if _depth(text) > MAX_DEPTH:
        return f"{start}: holds more than {MAX_DEPTH} brackets inside of one another. Use a file (--config-dir)."
    return None


def shown(text: str) -> str:
    """The text as it may be said again: nothing that steers a terminal, and not all of what is very long."""
    return visible(text) if len(text) <= MAX_SHOWN else visible(text[: MAX_SHOWN - 3]) + "..."


def _depth(text: str) -> int:
    deepest = depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest
