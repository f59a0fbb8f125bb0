"""What a ready space of a search sets besides the search itself, as a run alone is given it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attnfocus.config.key_table import flat
from attnfocus.config.override_text import is_of_hydra, literal, value_text
from attnfocus.config.yaml_files import read_yaml


def as_overrides(path: Path) -> list[str]:
    """The choices and keys that a file sets over all groups, without those of Hydra's own section."""
    return [text for text in _overrides(read_yaml(path)) if not is_of_hydra(text)]


def _overrides(content: Mapping[str, Any]) -> Iterator[str]:
    for entry in content.get("defaults", []):
        if isinstance(entry, dict):
            for group, choice in entry.items():
                yield f"{group.removeprefix('override ').lstrip('/')}={choice}"
    values = {name: value for name, value in content.items() if name not in ("defaults", "hydra")}
    for key, value in flat(values).items():
        yield literal(f"{key}={value_text(value)}")
