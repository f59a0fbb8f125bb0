"""From Hydra's composed configuration, or one saved in a run directory, to a checked dataclass."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from attnfocus.config.check import Checker
from attnfocus.config.overrides import reword
from attnfocus.errors import CheckpointError, ConfigError

Schema = TypeVar("Schema")


def resolve(config: DictConfig) -> dict[str, Any]:
    """Plain containers with every interpolation resolved.

    Raises:
        ConfigError: a variable that is not set, an interpolation that leads nowhere or in a circle.
    """
    try:
        container = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(reword(error)) from error
    except RecursionError as error:
        raise ConfigError("the configuration refers to itself in a circle (an interpolation loop).") from error
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def check(values: Mapping[str, Any], schema: type[Schema], trusted: Sequence[str] = ()) -> Schema:
    """An instance of `schema`.

    Raises:
        ConfigError: every problem at once.
    """
    checker = Checker(trusted)
    checked = checker.dataclass("", values, schema)
    if checker.problems:
        raise ConfigError(checker.problems)
    assert isinstance(checked, schema)
    return checked


def save_yaml(path: Path, values: Mapping[str, Any]) -> None:
    """Writes a resolved configuration as YAML."""
    path.write_text(yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True), encoding="utf-8")


def load_yaml(path: Path) -> dict[str, Any]:
    """Reads the configuration of a run directory. Only plain YAML: tags that build objects are refused.

    Raises:
        CheckpointError: the file is not there or is not a mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: not there; is this a run directory of attnfocus?") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: cannot be read: {str(error).splitlines()[0]}.") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: does not hold a configuration.")
    return values
