"""Attention by layer: from `model.layer_attentions=[local*5,rotary]` to the nodes of these presets."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attnfocus.config.folder import config_folders, groups
from attnfocus.config.override_text import literal, value_text
from attnfocus.config.presets import composed_choice
from attnfocus.config.stack_keys import GROUP, OPTION, SHARED
from attnfocus.config.targets import is_component
from attnfocus.errors import ConfigError, Problem

MAX_TIMES = 1000
_ITEM = re.compile(r"(?P<name>[^*]+?)\s*(?:\*\s*(?P<times>\d+))?")
_EXAMPLE = "[local*5,rotary]"


@dataclass(frozen=True, eq=False)
class _Item:
    """So many layers of one attention: a choice with options of its own, or a node that has everything."""

    name: str
    times: int = 1
    overrides: tuple[str, ...] = ()
    node: Mapping[str, Any] | None = None

    def text(self, name: str | None = None) -> str:
        """`local*5`, `local(pattern.window=4)`; `name`: another one."""
        inner = ",".join(text.removeprefix(f"{GROUP}.").removeprefix(f"{GROUP}/") for text in self.overrides)
        with_options = f"{name or self.name}({inner})" if inner else name or self.name
        return with_options if self.times == 1 else f"{with_options}*{self.times}"


def with_stacks(
    values: dict[str, Any], overrides: Sequence[str], config_dir: str | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """The configuration with a node for each attention of a stack, and what the stacks are called, by their keys.

    The stack of all places is called by what it stands for: `attention`.

    Args:
        values: a composed configuration, resolved.
        overrides: those that were typed.
        config_dir: the user's own folder of groups.

    Raises:
        ConfigError: a name that is no choice, an option that it does not have, or a typed attention besides.
    """
    model = values.get("model")
    stacks = {
        f"model.{name}": value
        for name, value in (model.items() if isinstance(model, Mapping) else ())
        if str(name).endswith(OPTION) and value is not None
    }
    if not stacks:
        return values, {}
    problems: list[str] = []
    nodes, names = {}, {}
    for key, value in stacks.items():
        try:
            items = _items(key, value, config_dir)
            nodes[key.removeprefix("model.")] = [
                dict(node) for item, node in _nodes(key, items, config_dir) for _ in range(item.times)
            ]
            names[key] = ",".join(item.text() for item in items)
        except ConfigError as error:
            problems += error.problems
    problems += _typed_beside(model, stacks, overrides)
    if problems:
        raise ConfigError(problems)
    shared = {GROUP: names.pop(SHARED)} if SHARED in names else {}
    return {**values, "model": {**model, **nodes}}, {**shared, **names}  # type: ignore[dict-item]


def _items(key: str, value: Any, config_dir: str | None) -> list[_Item]:
    if not isinstance(value, list) or not value:
        plain = [f"{key}=[{value}]"] if isinstance(value, str) else None
        raise ConfigError([Problem(f"{key}: must be a list such as {_EXAMPLE}, got {value!r}.", key, plain)])
    return [_item(key, each, config_dir) for each in value]


def _item(key: str, value: Any, config_dir: str | None) -> _Item:
    if is_component(value):
        return _Item(str(value["_target_"]).rpartition(".")[2], node=value)
    options: Any = {}
    if isinstance(value, Mapping) and len(value) == 1:
        ((value, options),) = value.items()
    match = _ITEM.fullmatch(value) if isinstance(value, str) else None
    if match is None or not isinstance(options, Mapping):
        raise ConfigError(
            f"{key}: {value!r} is no attention: write a choice of attention, as in {_EXAMPLE}, or one with options, as "
            "in [{local:{pattern.window:4}},rotary]."
        )
    times = int(match["times"] or 1)
    if not 1 <= times <= MAX_TIMES:
        raise ConfigError(f"{key}: {value}: must be 1 to {MAX_TIMES:,} times.")
    choices = groups(config_folders(config_dir))
    return _Item(match["name"], times, tuple(_overrides(GROUP, options, choices)))


def _overrides(prefix: str, options: Mapping[str, Any], choices: Mapping[str, Any]) -> Iterator[str]:
    """Options of a choice as they are typed: `attention.pattern.window=4`, and `attention/pattern=local` of a part."""
    for name, value in options.items():
        path = f"{prefix}.{name}"
        group = path.replace(".", "/")
        if isinstance(value, Mapping):
            yield from _overrides(path, value, choices)
        elif isinstance(value, str) and value in choices.get(group, ()):
            yield f"{group}={value}"
        else:
            yield literal(f"{path}={value_text(value)}")


def _nodes(key: str, items: Sequence[_Item], config_dir: str | None) -> Iterator[tuple[_Item, Mapping[str, Any]]]:
    """Each item with its node.

    Raises:
        ConfigError: every problem of the names at once, with the stack to type where names were meant.
    """
    problems: dict[str, str | None] = {}  # what is wrong -> the name that was meant
    meant: dict[str, str] = {}
    made: dict[_Item, Mapping[str, Any]] = {}
    for item in items:
        try:
            made[item] = item.node or composed_choice(GROUP, item.name, item.overrides, config_dir)
        except ConfigError as error:
            for problem in error.problems:
                instead = getattr(problem, "instead", None) or ("",)
                name = instead[0].removeprefix(f"{GROUP}=") if instead[0].startswith(f"{GROUP}=") else None
                problems[f"{key}: {problem.removeprefix(f'{GROUP}=')}"] = name
                meant |= {item.name: name} if name else {}
    if problems:
        is_known = all(problems.values()) and not any(item.node or item.overrides for item in items)
        listed = ",".join(item.text(meant.get(item.name)) for item in items)
        raise ConfigError([Problem(text, key, [f"{key}=[{listed}]"] if is_known else None) for text in problems])
    for item in items:
        yield item, made[item]


def _typed_beside(model: Any, stacks: Mapping[str, Any], overrides: Sequence[str]) -> list[str]:
    """What is said of an attention that was typed though a stack stands in all its places."""
    if SHARED not in stacks or model.get("pooling") == GROUP:  # which no stack is for
        return []
    typed = [text for text in overrides if re.match(rf"{GROUP}[=/.]", text)]
    return [
        Problem(
            f"{text}: counts in no layer, as {SHARED} says what each layer has: leave one of them out.",
            text.partition("=")[0],
            [],
        )
        for text in typed
    ]
