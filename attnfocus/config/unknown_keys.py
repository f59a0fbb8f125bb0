"""What is wrong with a key of the command line, given the configuration that it would change."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import Override

from attnfocus.config.folder import optional_groups
from attnfocus.config.nearest import choices_text, nearest
from attnfocus.config.override_text import values_of


def unknown_key(key: str, config: Mapping[str, Any], choices: Mapping[str, Any], verb: str) -> str | None:
    """What is wrong with `key`, given the composed configuration of a verb, or None."""
    node: Any = config
    parts = key.replace("/", ".").split(".")
    for depth, part in enumerate(parts):
        if isinstance(node, Mapping) and part in node:
            node = node[part]
            continue
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
            continue
        group = "/".join(parts[:depth])
        if group in optional_groups() and isinstance(node, Mapping) and (not node or part in choices.get(group, ())):
            names = ",".join([*node, part])
            return f"{key}: {part} is not chosen. Add {group}={names if not node else f'[{names}]'}."
        siblings = list(node) if isinstance(node, Mapping) else []
        return _explain_unknown(key, parts[: depth + 1], [*siblings, *(() if depth else choices)], config, verb)
    return None


def node_problem(override: Override, config: Mapping[str, Any], choices: Mapping[str, Any]) -> str | None:
    """What is wrong with a plain value given to a node of keys (`dataset.tokenizer=bpe`), or None."""
    parts = override.key_or_group.replace("/", ".").split(".")
    node: Any = config
    for part in parts:
        node = node[int(part)] if isinstance(node, list) else node[part]
    plain = [text for text in values_of(override) if not text.startswith("{")]
    names = [name for name in node if name != "_target_"] if isinstance(node, Mapping) else []
    if not names or not plain:
        return None
    key, group, value = ".".join(parts), "/".join(parts), plain[0]
    if group in choices:
        return f"{key}: is a group; choose by {group}={value}."
    kind = str if override.is_sweep_override() else type(override.value())
    example = next((name for name in names if type(node[name]) is kind), names[0])
    return f"{key}={value}: {key} is a section of keys: {', '.join(names)}. Set one, as in {key}.{example}={value}."


def _explain_unknown(
    key: str, parts: Sequence[str], siblings: Sequence[str], config: Mapping[str, Any], verb: str
) -> str:
    """`parts` of the key up to the one that is not there, and what is there in its place."""
    *above, wrong = parts
    prefix = ".".join(above)
    if above and not siblings:
        return f"{key}: unknown key. {prefix} is a single value: write {prefix}=..."
    found = nearest(wrong, siblings, count=1)
    if found:
        return f"{key}: unknown key. Did you mean {'.'.join([*above, found[0]])}?"
    last = key.replace("/", ".").rsplit(".", 1)[-1]
    elsewhere = [path for path in _paths(config) if path.rsplit(".", 1)[-1] == last]
    if elsewhere:
        return f"{key}: unknown key. Did you mean {elsewhere[0]}?"
    where = f"{prefix} has" if prefix else f"{verb} has"
    return f"{key}: unknown key. {where}: {choices_text(wrong, list(dict.fromkeys(siblings)))}."


def _paths(node: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in node.items():
        path = f"{prefix}{name}"
        yield path
        if isinstance(value, Mapping):
            yield from _paths(value, f"{path}.")
