"""Which run a command is about: a path, `latest`, or a part of a name, put in the place of what was typed."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attnfocus.cli.process import is_further_process
from attnfocus.cli.sweeps.command_line import key_of
from attnfocus.cli.verbs import facts_of
from attnfocus.config.override_text import quoted
from attnfocus.errors import ConfigError, Problem
from attnfocus.runs.catalog import LATEST, find_run, newest_first
from attnfocus.runs.claim import AUTO
from attnfocus.visible import visible_lines


def with_run(verb: str, values: dict[str, Any], overrides: Sequence[str]) -> list[str]:
    """Puts the run that is meant by a name into the values; the overrides with its path.

    Raises:
        ConfigError: as `find_run`; or the verb needs a run and none is named.
    """
    key, outputs = facts_of(verb).run_key, str(values["paths"]["outputs"])
    name = values[key]
    if name in (None, "") and key == "run":
        example = "outputs/DATE/RUN, a part of its name, or latest"
        runs = newest_first(Path(outputs).expanduser())
        raise ConfigError(Problem(f"run: name the run: {example}.", key, [f"run={LATEST}"] if runs else None))
    if not isinstance(name, str) or not name or (key == "resume" and name == AUTO):
        return list(overrides)
    found = str(find_run(key, name, outputs, "compare" if verb == "evaluate" else ""))
    if found == str(Path(name).expanduser()):
        return list(overrides)
    values[key] = found
    if not is_further_process():
        print(visible_lines(f"attnfocus: {key}={name} is {found}"), file=sys.stderr)
    return [f"{key}={quoted(found)}" if key_of(text) == key else text for text in overrides]
