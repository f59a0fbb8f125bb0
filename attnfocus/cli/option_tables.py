"""Writes the tables of options anew after a change of a schema: `python -m attnfocus.cli.option_tables`."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import yaml

from attnfocus.cli.verbs import VERBS, facts_of
from attnfocus.config.folder import shipped_folder
from attnfocus.config.option_tables import FILE, TableWriter


def current_tables() -> str:
    """The content of the file as the verbs, signatures and shipped configurations are now. Loads torch."""
    writer = TableWriter()
    for verb in VERBS:
        module, _, name = facts_of(verb).config.rpartition(".")
        if name:
            schema = getattr(import_module(module), name)
            writer.add_verb(verb, schema)
    for target, section in sorted(set(_targets())):
        writer.add_target(section, target)
    return writer.text()


def _targets() -> Iterator[tuple[str, str]]:
    """Every class and function of ours that a shipped YAML file names, with the section that it may stand in."""
    for path in shipped_folder().rglob("*.yaml"):
        group = path.relative_to(shipped_folder()).parts[0]
        if group != "hydra":
            named = _named(yaml.safe_load(path.read_text(encoding="utf-8")))
            yield from ((target, group.removesuffix(".yaml")) for target in named)


def _named(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "_target_":
                yield value
            yield from _named(value)


if __name__ == "__main__":
    FILE.write_text(current_tables(), encoding="utf-8")
