"""The keys that take a file or folder, for tab completion, which cannot wait until torch is loaded.

`path_keys.json` is made from the marks of the options by `python tests/cli/test_cli_path_keys.py`, and held true there.
"""

import json
from functools import cache
from pathlib import Path


def is_path_key(key: str, verb: str) -> bool:
    """Whether one of the shipped choices of a verb's groups has a file or folder at this key."""
    return key in _path_keys().get(verb, ())


@cache
def _path_keys() -> dict[str, list[str]]:
    table: dict[str, list[str]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return table
