"""The keys that tab completion offers files for are those that are marked so. `python tests/cli/test_cli_path_keys.py`
writes them anew.
"""

import json
from importlib import import_module
from pathlib import Path

import pytest

from attnfocus.cli import path_keys
from attnfocus.cli.path_keys import is_path_key
from attnfocus.cli.verbs import VERBS, facts_of
from attnfocus.config.folder import groups, shipped_folder
from attnfocus.config.key_table import KeyTable
from attnfocus.config.read import load_yaml
from attnfocus.config.targets import is_component
from attnfocus.marks import Mark

FROZEN = Path(path_keys.__file__).with_suffix(".json")


def schema_of(verb: str) -> type:
    module, _, name = facts_of(verb).config.rpartition(".")
    schema: type = getattr(import_module(module), name)
    return schema


def marked() -> dict[str, list[str]]:
    """Verb -> its keys with a mark of files, in all shipped choices."""
    files = [path for choices in groups([shipped_folder()]).values() for path in choices.values()]
    nodes = [{name: node} for path in files for name, node in load_yaml(path).items() if is_component(node)]
    found: dict[str, set[str]] = {}
    for verb in VERBS:
        for values in nodes if verb == "train" else [{}]:
            table = KeyTable(schema_of(verb), values)
            found.setdefault(verb, set()).update(table.with_mark(Mark.FILE), table.with_mark(Mark.FILE_OR_NAME))
    return {verb: sorted(keys) for verb, keys in found.items()}


def test_the_table_is_what_the_marks_say() -> None:
    assert json.loads(FROZEN.read_text(encoding="utf-8")) == marked()


@pytest.mark.parametrize(
    ("key", "verb", "expected"),
    [
        ("dataset.train", "train", True),
        ("dataset.path", "train", True),
        ("model.embedding.vectors", "train", True),
        ("paths.outputs", "train", True),
        ("sweep.resume", "train", True),
        ("run", "evaluate", True),
        ("baseline", "compare", True),
        ("run", "train", False),
        ("attention.path", "train", False),
        ("trainer.monitor", "train", False),
    ],
)
def test_a_path_is_offered_where_one_is_taken(key: str, verb: str, expected: bool) -> None:
    assert is_path_key(key, verb) is expected


if __name__ == "__main__":
    FROZEN.write_text(json.dumps(marked(), indent=1) + "\n", encoding="utf-8")
