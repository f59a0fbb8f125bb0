"""The public contract: names of the library, verbs and flags of the command, keys of the configuration.

A change here is a change for users: note it in CHANGELOG.md, then write the file anew: `python tests/test_public.py`.
"""

import inspect
import json
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from presets_support import PRESETS, composed

import attnfocus
from attnfocus import attention, decoding, focus, models, tasks, training
from attnfocus.cli.help import flags_of
from attnfocus.cli.verbs import VERBS
from attnfocus.config.folder import config_folders, groups
from attnfocus.config.overrides import CommandLine

pytestmark = pytest.mark.slow

GROUPS = ("model", "dataset", "optimizer", "scheduler")  # whose choices have keys of their own; attention: apart
FROZEN = Path(__file__).with_name("public.json")


def paths_of(node: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for name, value in node.items():
        found.append(f"{prefix}{name}")
        if isinstance(value, dict):
            found += paths_of(value, f"{prefix}{name}.")
    return found


def public() -> dict[str, Any]:
    choices = {group: sorted(files) for group, files in groups(config_folders(None)).items()}
    keys = {path for preset in PRESETS for path in paths_of(composed(f"attention={preset}"), "attention.")}
    of_runs = ([f"{group}={choice}" for choice in choices[group]] for group in GROUPS)
    train = CommandLine("train", ())
    for together in zip_longest(*of_runs):
        keys |= set(paths_of(train.compose([override for override in together if override])))
    return {
        "names": sorted(attnfocus.__all__),
        "packages": {
            package.__name__: sorted(package.__all__)
            for package in (attention, decoding, focus, models, tasks, training)
        },
        "verbs": sorted(VERBS),
        "flags": sorted({flag for verb in VERBS for flag, _ in flags_of(verb)}),
        "choices": choices,
        "keys": {
            "train": sorted(keys),
            **{verb: sorted(paths_of(CommandLine(verb, ()).compose([]))) for verb in VERBS if verb != "train"},
        },
    }


def test_names_flags_and_keys_are_those_that_users_know() -> None:
    assert public() == json.loads(FROZEN.read_text(encoding="utf-8"))


def test_every_public_name_is_there_and_documented() -> None:
    for package in (attnfocus, attention, decoding, focus, models, tasks, training):
        for name in package.__all__:
            thing = getattr(package, name)
            assert thing.__doc__ or not (inspect.isclass(thing) or inspect.isroutine(thing)), (
                f"{package.__name__}.{name} has no docstring"
            )


if __name__ == "__main__":
    FROZEN.write_text(json.dumps(public(), indent=1) + "\n", encoding="utf-8")
