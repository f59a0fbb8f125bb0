"""Tab completion: of verbs and paths by us, of groups and keys by Hydra."""

import os
from collections.abc import Sequence
from glob import escape, glob
from pathlib import Path

from attnfocus.cli.command import OVERRIDE, Outcome, call_hydra
from attnfocus.cli.verbs import VERBS, facts_of
from attnfocus.config.nearest import did_you_mean
from attnfocus.config.option_tables import shipped_tables
from attnfocus.errors import ConfigError

SHELLS = ("bash", "fish", "zsh")
COMPLETION_ACTIONS = ("install", "uninstall", "query")


def complete(arguments: Sequence[str]) -> int:
    """Tab completion: `-sc install=bash` prints the script, `-sc query=bash` answers for what is typed so far."""
    _check_completion(arguments)
    words = os.environ.get("COMP_LINE", "").split(" ")
    verb = words[1] if len(words) > 1 else ""
    is_query = any(argument.startswith("query=") for argument in arguments)
    if is_query and (len(words) < 3 or verb not in VERBS):
        print(" ".join(VERBS))
        return 0
    found = _paths_for(words[-1], verb) if is_query else None
    if found is not None:
        print("\n".join(found))
        return 0
    if is_query:
        os.environ["COMP_LINE"] = " ".join([words[0], *words[2:]])
    call_hydra(verb if verb in VERBS else next(iter(VERBS)), ["-sc", *arguments], Outcome())
    return 0


def _check_completion(arguments: Sequence[str]) -> None:
    given = " ".join(arguments)
    action, _, shell = given.partition("=")
    if action not in COMPLETION_ACTIONS:
        raise ConfigError(f"-sc {given}: write -sc install=SHELL or -sc uninstall=SHELL, with {' or '.join(SHELLS)}.")
    if shell not in SHELLS:
        raise ConfigError(f"-sc {given}: no such shell.{did_you_mean(shell, SHELLS)} There are: {', '.join(SHELLS)}.")


def _paths_for(word: str, verb: str) -> list[str] | None:
    """The files and folders that go on from `key=outp`, None for a key that takes no path.

    For a verb that takes folders without a key: those that go on from `outp`, None if there is none.

    Hydra's completion finds paths only where they begin with `.` or `/`, and answers those itself.
    """
    if facts_of(verb).bare and not OVERRIDE.fullmatch(word):
        return [f"{path}/" for path in _going_on(os.path.expanduser(word)) if path.is_dir()] or None
    key, sign, begun = word.partition("=")
    if not sign or not shipped_tables().takes_file(verb, key) or begun.startswith((".", "/")):
        return None
    return [f"{key}={path}{'/' if path.is_dir() else ''}" for path in _going_on(begun)]


def _going_on(begun: str) -> list[Path]:
    return [Path(name) for name in sorted(glob(f"{escape(begun)}*")) if not Path(name).name.startswith(".")]
