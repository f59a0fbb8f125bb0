"""What an override may look like before anything parses it, and how one is written so that Hydra reads it."""

import math
import re
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from attnfocus.config.folder import optional_groups
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


def values_of(override: Override) -> list[str]:
    """Its value, or the values that a sweep goes over or a list holds, as texts."""
    if override.is_sweep_override() and override.is_discrete_sweep():
        return [str(value) for value in override.sweep_string_iterator()]
    value = override.value()
    return ["null"] if value is None else [str(item) for item in value] if isinstance(value, list) else [str(value)]


def num_values(override: Override) -> int:
    """How many values a sweep goes over; 1 for what is no sweep."""
    if not override.is_sweep_override():
        return 1
    if override.is_range_sweep():
        sweep: Any = override.value()
        return max(0, math.ceil((float(sweep.stop) - float(sweep.start)) / float(sweep.step)))
    return len(values_of(override)) if override.is_discrete_sweep() else 1


def is_of_hydra(override: str) -> bool:
    """Whether an override, or a key alone, is of Hydra's own section."""
    key = override.partition("=")[0].lstrip("+~")
    return key == "hydra" or key.startswith(("hydra.", "hydra/"))


def trusted_packages(overrides: Sequence[str]) -> list[str]:
    """The packages that `trust=[...]` names; none where it is not given or cannot be read, which the checks say."""
    for text in overrides:
        if text.startswith("trust=") and unreadable(text) is None:
            try:
                value = OverridesParser.create().parse_override(text).value()
            except HydraException:
                return []
            return [str(name) for name in value] if isinstance(value, list) else []
    return []


TEXTS = ("text", "corrupted")  # keys whose value is a text for a model
_RUN_NAMES = ("run", "resume", "runs", "baseline")  # keys whose values are names or paths of runs
_NUMBER = re.compile(
    r"(?<![^\[,\s])[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?(?![^\],\s])", re.IGNORECASE
)  # alone, or in a list


def literal(text: str) -> str:
    """An override whose plain value Hydra's grammar refuses (`train=中文.tsv`, `input=~/x`), with the value quoted.

    So is a text (`TEXTS`), which may look like anything: a list, a number, quotes of its own; and the name of a run
    that looks like a number (`run=7459`, `run=1e45`). `tracker=null` becomes `tracker=[]`: Hydra knows no other way to
    choose nothing of a group.
    """
    key, sign, value = text.partition("=")
    if not sign or not key.isascii() or unreadable(text):
        return text
    if value == "null" and key in optional_groups():
        return f"{key}=[]"
    if key in TEXTS:
        plain = re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + "\\${", value)  # no interpolation, but these letters
        return f"{key}={quoted(plain)}"
    if key in _RUN_NAMES:
        value = _NUMBER.sub(lambda match: quoted(match[0]), value)
        text = f"{key}={value}"
    try:
        OverridesParser.create().parse_override(text)
    except HydraException:
        in_quotes = f"{key}={quoted(value)}"
        try:
            OverridesParser.create().parse_override(in_quotes)
        except HydraException:
            return text
        return in_quotes
    return text


def value_text(value: Any) -> str:
    """A value as it is typed: true, null, 0.1."""
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def gathered(overrides: Sequence[str]) -> list[str]:
    """The overrides, each as `literal` has it, with a `text` that is given several times as one list of texts."""
    texts = [override for override in overrides if override.startswith("text=")]
    if len(texts) < 2:
        return list(overrides)
    values = ",".join(override.removeprefix("text=") for override in texts)
    rest = [override for override in overrides if override not in texts]
    return [*rest, f"text=[{values}]"]


def quoted(value: str) -> str:
    """The value in quotes of Hydra's grammar, which reads backslashes in pairs only before a quote."""
    escaped = re.sub(r"(\\*)'", lambda match: match[1] * 2 + "\\'", value)
    return "'" + re.sub(r"(\\+)$", lambda match: match[1] * 2, escaped) + "'"
