"""The primary file of a verb, `configs/VERB.yaml`: the groups that it composes, and its keys with their help."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from attnfocus.config.folder import description, shipped_folder
from attnfocus.config.yaml_files import read_yaml

_LINE = re.compile(r"^( *)(\w+):\s*(.*?)\s*(?:(?:^|\s)#\s*(.*))?$")
_BASE = re.compile(r"(_base/\w+)@([\w.]+)")  # the file of a section that several verbs share, and the section's key


@dataclass(frozen=True)
class Key:
    """A key as its file writes it: `decoding.beam_size`, `1`, `hypotheses kept while decoding; 1 is greedy (>= 1)`."""

    name: str
    default: str
    comment: str

    @property
    def section(self) -> str:
        return self.name.rpartition(".")[0]


def primary_file(verb: str) -> Path:
    return shipped_folder() / f"{verb}.yaml"


@cache
def primary_groups(verb: str) -> tuple[str, ...]:
    """The groups of which a verb's configuration has a choice each; empty for a verb of keys alone."""
    return tuple(name for entry in _defaults(primary_file(verb)) if isinstance(entry, dict) for name in entry)


def usual_choice(verb: str, group: str) -> str:
    """The choice of a group where none is named; empty where nothing is chosen, or by a part of another group."""
    for entry in _defaults(primary_file(verb)):
        if isinstance(entry, dict) and group in entry:
            return str(entry[group] or "")
    return ""


def shared_sections(verb: str) -> tuple[str, ...]:
    """The sections of a verb's keys that stand in a file of their own, which several verbs share."""
    matches = (_BASE.fullmatch(entry) for entry in _defaults(primary_file(verb)) if isinstance(entry, str))
    return tuple(match[2] for match in matches if match)


def primary_keys(verb: str) -> list[Key]:
    """The keys of a verb with their lines of help, without those of its groups."""
    keys = {key.name: key for key in commented_keys(primary_file(verb))}
    for entry in _defaults(primary_file(verb)):
        match = _BASE.fullmatch(entry) if isinstance(entry, str) else None
        if match:
            path = shipped_folder() / f"{match[1]}.yaml"
            keys[match[2]] = Key(match[2], "", description(path))
            shared = commented_keys(path)
            keys |= {f"{match[2]}.{key.name}": replace(key, name=f"{match[2]}.{key.name}") for key in shared}
    return [key for name, key in keys.items() if name not in primary_groups(verb)]


def commented_keys(path: Path) -> list[Key]:
    """The keys of a YAML file that have a comment, there or in the file that it is based on."""
    keys: dict[str, Key] = {}
    for base in _bases(path):
        keys |= {key.name: key for key in commented_keys(base)}
    sections: list[tuple[int, str]] = []  # indentation and name of those around a line
    for line in path.read_text(encoding="utf-8").splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        indent, name, default, comment = match.groups()
        sections = [(depth, section) for depth, section in sections if depth < len(indent)]
        place = [section for _, section in sections]
        sections.append((len(indent), name))
        if [*place, name][0] == "defaults":
            continue
        full = ".".join([*place, name])
        known = comment or (keys[full].comment if full in keys else "")
        if known:
            keys[full] = Key(full, default, known)
    return list(keys.values())


def _defaults(path: Path) -> Sequence[str | dict[str, object]]:
    """The entries of a file's defaults list, after those of the verb's file that it is based on."""
    of_bases = [entry for base in _bases(path) if base.parent == shipped_folder() for entry in _defaults(base)]
    return [*of_bases, *_entries(path)]


def _bases(path: Path) -> list[Path]:
    """The files whose keys stand in this one: `- keys@_here_` beside it, or `- train`, the file of another verb."""
    names = [entry for entry in _entries(path) if isinstance(entry, str)]
    here = [path.parent / f"{name.removesuffix('@_here_')}.yaml" for name in names if name.endswith("@_here_")]
    verbs = [path.parent / f"{name}.yaml" for name in names if name.isidentifier() and name != "_self_"]
    return [*here, *verbs] if path.parent == shipped_folder() else here


def _entries(path: Path) -> Sequence[str | dict[str, object]]:
    """The entries of a file's defaults list, without those that override a choice made elsewhere."""
    content = read_yaml(path)
    entries = content.get("defaults", []) if isinstance(content, dict) else []
    return [
        entry for entry in entries if isinstance(entry, str) or not any(name.startswith("override ") for name in entry)
    ]
