"""The presets of the YAML folder, composed, and turned into what builds an attention."""

import functools
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

CONFIGS = Path(__file__).parents[2] / "configs"
PRESETS = sorted(path.stem for path in (CONFIGS / "attention").glob("*.yaml"))


@functools.cache
def composed(*overrides: str) -> dict[str, Any]:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        group, *rest = overrides
        config = compose(overrides=[f"+{group}", *rest])
    return OmegaConf.to_container(config.attention, resolve=True)


def class_of(node: dict[str, Any]) -> type:
    module, _, name = node["_target_"].rpartition(".")
    return getattr(importlib.import_module(module), name)


def partial_of(node: dict[str, Any]) -> Callable[..., Any]:
    options = {key: partial_of(value) if isinstance(value, dict) else value for key, value in node.items()}
    del options["_target_"]
    return functools.partial(class_of(node), **options)
