"""Writes the tables of options anew after a change of a schema: `python -m attnfocus.cli.option_tables`."""

from collections.abc import Iterator
from typing import Any

from attnfocus.cli.verbs import VERBS, schema_of
from attnfocus.config.folder import shipped_folder
from attnfocus.config.key_table import KeyTable
from attnfocus.config.option_tables import FILE, TableWriter
from attnfocus.config.primary import primary_groups
from attnfocus.config.yaml_files import read_yaml
from attnfocus.marks import Mark


def current_tables() -> str:
    """The content of the file as the verbs, signatures and shipped configurations are now. Loads torch."""
    from attnfocus.tasks import TASKS

    writer = TableWriter()
    nodes = list(_nodes())
    for verb in VERBS:
        schema = schema_of(verb)
        if schema is not None:
            writer.add_verb(verb, schema, _file_keys(schema, nodes if primary_groups(verb) else [{}]))
    writer.monitors = {name: list(task.directions) for name, task in TASKS.items()}
    for target, section in sorted({named for node in nodes for named in _named(node)}):
        writer.add_target(section, target)
    return writer.text()


def _nodes() -> Iterator[dict[str, Any]]:
    """What each shipped file of a group puts into a configuration, parts of choices too: section -> node."""
    for path in sorted(shipped_folder().rglob("*.yaml")):
        group, *rest = path.relative_to(shipped_folder()).parts
        if group == "hydra" or not rest:
            continue
        content = read_yaml(path)
        content.pop("defaults", None)
        is_global = path.read_text(encoding="utf-8").startswith("# @package _global_")
        yield content if is_global else {group: content}


def _named(node: Any, section: str = "") -> Iterator[tuple[str, str]]:
    """Every `_target_` in a node, with the section that it may stand in."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "_target_":
                yield value, section
            yield from _named(value, section or name)


def _file_keys(schema: type, nodes: list[dict[str, Any]]) -> list[str]:
    """The keys that take a file or folder."""
    keys: set[str] = set()
    for values in nodes:
        table = KeyTable(schema, values)
        keys |= {*table.with_mark(Mark.FILE), *table.with_mark(Mark.FILE_OR_NAME)}
    return sorted(keys)


if __name__ == "__main__":
    FILE.write_text(current_tables(), encoding="utf-8")
