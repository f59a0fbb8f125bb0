"""Sets that are made here: they need no file."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import ClassVar


class EmbeddedSource:
    """A source that reads no file.

    Attributes:
        preset: its name in `dataset=`, of a class that has one.
        task: as of every source.
    """

    preset: ClassVar[str]
    task: ClassVar[str]


def without_files(task: str | None = None) -> str:
    """A sentence that names the sets of a task which need no file; of all tasks where there is none of this one."""
    found = _presets()
    named = [preset for preset, of in found.items() if of == task] or list(found)
    return f"Sets that need no file: {', '.join(f'dataset={preset}' for preset in named)}."


def _presets() -> dict[str, str]:
    """Preset -> task, of every source in this folder."""
    folder = __name__.rpartition(".")[0]
    modules = [import_module(f"{folder}.{each.name}") for each in pkgutil.iter_modules(import_module(folder).__path__)]
    classes = {each for module in modules for each in vars(module).values() if isinstance(each, type)}
    own = (each for each in classes if issubclass(each, EmbeddedSource) and "preset" in vars(each))
    return dict(sorted((each.preset, each.task) for each in own))
