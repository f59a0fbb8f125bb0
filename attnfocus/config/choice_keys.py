"""The keys that a choice of a group has, with their defaults, lines and types: read from files alone, without Hydra."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attnfocus.config.folder import config_folders, groups
from attnfocus.config.option_tables import shipped_tables
from attnfocus.config.primary import commented_keys
from attnfocus.config.yaml_files import read_yaml
from attnfocus.limits import Range

GLOBAL = "# @package _global_"
_NAMES = {"int": "integer", "float": "number", "str": "text", "bool": "true or false", "null": "null"}


@dataclass(frozen=True)
class Option:
    """A key: `trainer.max_steps`, its default as the file writes it, its line, and what it takes."""

    name: str
    default: str
    comment: str
    kind: str


class ChoiceFiles:
    """The files of the choices, the user's own before ours."""

    def __init__(self, config_dir: str | None = None) -> None:
        self.folders = config_folders(config_dir)
        self.choices = groups(self.folders)

    def options(self, group: str, choice: str) -> list[Option]:
        """All keys of a choice, those of the parts that it is made of too."""
        found: dict[str, Option] = {}
        for option in self._options(group, self.choices[group][choice]):
            found[option.name] = option
        return list(found.values())

    def _options(self, group: str, path: Path) -> Iterator[Option]:
        is_global = GLOBAL in path.read_text(encoding="utf-8")
        prefix = "" if is_global else group.replace("/", ".")
        content = read_yaml(path)
        targets = dict(_targets(content, prefix))
        entries = content.get("defaults", [])
        for entry in entries:
            if isinstance(entry, dict):
                for part, choice in entry.items():
                    inner = f"{group}/{part}"
                    if str(choice) in self.choices.get(inner, {}):
                        yield from self._options(inner, self.choices[inner][str(choice)])
            elif "@" in entry:
                name, _, place = entry.partition("@")
                base = self._file(path, f"{name}.yaml")
                if place == "_here_":
                    targets = {**dict(_all_targets(base, prefix)), **targets}
                else:
                    yield from _as_options(base, place, targets)
            elif entry != "_self_" and entry in self.choices.get(group, {}):
                yield from self._options(group, self.choices[group][entry])
        yield from _as_options(path, prefix, targets)

    def _file(self, beside: Path, name: str) -> Path:
        """A file named relative to another: in its own folder, or in that of ours in its place."""
        own = beside.parent / name
        if own.is_file():
            return own
        for folder in self.folders:
            if beside.is_relative_to(folder):
                return self.folders[-1] / beside.parent.relative_to(folder) / name
        return own


def _as_options(path: Path, prefix: str, targets: Mapping[str, str]) -> Iterator[Option]:
    for key in commented_keys(path):
        name = f"{prefix}.{key.name}" if prefix else key.name
        yield Option(name, key.default, key.comment, kind_of_option("train", name, targets))


def _targets(node: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """Section -> the class that it names."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            if name == "_target_":
                yield prefix, str(value)
            else:
                yield from _targets(value, f"{prefix}.{name}".lstrip("."))


def _all_targets(path: Path, prefix: str) -> Iterator[tuple[str, str]]:
    """Those of a file and of what it is based on itself."""
    content = read_yaml(path)
    for entry in content.get("defaults", []):
        if isinstance(entry, str) and entry.endswith("@_here_"):
            yield from _all_targets(path.parent / f"{entry.removesuffix('@_here_')}.yaml", prefix)
    yield from _targets(content, prefix)


def kind_of_option(verb: str, name: str, targets: Mapping[str, str]) -> str:
    """What an option takes, such as `integer > 0, or null`; empty where no table tells.

    Args:
        targets: section -> the class that it names.
    """
    plain = shipped_tables().plain_option(verb, name, targets)
    return "" if plain is None else kind_text(plain)


def kind_text(plain: Any) -> str:
    """An annotation, as the tables write it, in words."""
    if isinstance(plain, str):
        return _NAMES.get(plain, "")
    if "union" in plain:
        kinds = [text for each in plain["union"] if (text := kind_text(each))]
        return ", or ".join([*(kind for kind in kinds if kind != "null"), *["null"] * ("null" in kinds)])
    if "literal" in plain:
        return _one_of([str(each) for each in plain["literal"]])
    if "choice" in plain:
        return f"choice of {plain['choice']}"
    if "list" in plain:
        return f"list of {kind_text(plain['list']).replace('choice of', 'choices of') or 'anything'}"
    if "range" in plain:
        bounds = {name: bound for name, bound in plain["range"].items() if name != "why"}
        return f"{kind_text(plain['of'])} {Range(**bounds)}"
    return ""


def _one_of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
