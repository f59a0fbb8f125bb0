"""From Hydra's composed configuration, or one saved in a run directory, to a checked dataclass."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import yaml
from omegaconf import DictConfig, Node, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from omegaconf.resolvers import oc

from attnfocus.config.check import Checker
from attnfocus.config.composition import plain, reword
from attnfocus.config.targets import is_component
from attnfocus.config.yaml_files import check_interpolations, read_yaml, yaml_problem
from attnfocus.errors import CheckpointError, ConfigError
from attnfocus.redaction import note_environment, note_values, note_variable, note_variables_in
from attnfocus.regular_files import replace_file

Schema = TypeVar("Schema")


def resolve(config: DictConfig) -> dict[str, Any]:
    """Plain containers with every interpolation resolved. Secrets among the values are noted, to be redacted.

    Raises:
        ConfigError: a variable that is not set, an interpolation that leads nowhere, in a circle or to too much.
    """
    try:
        check_interpolations(plain(config))
        with noting_variables() as taken:
            container = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(reword(error)) from error
    except RecursionError as error:
        raise ConfigError("the configuration refers to itself in a circle (an interpolation loop).") from error
    assert isinstance(container, dict)
    values = {str(key): value for key, value in container.items()}
    note_environment()
    note_values(values)
    note_variables_in([node for value in values.values() for node in _components(value)], taken)
    return values


def _components(value: Any) -> Iterator[Mapping[str, Any]]:
    """The outermost nodes with a `_target_`."""
    if is_component(value):
        yield value
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _components(inner)


@contextmanager
def noting_variables() -> Iterator[list[str]]:
    """Notes what components take from the environment meanwhile as secrets; lists the variables taken elsewhere.

    A component may be anybody's code, and only there an option can be a secret. It may also take it from a key
    elsewhere, which `note_variables_in` answers for.
    """
    elsewhere: list[str] = []

    def variable(*arguments: Any, _node_: Node) -> str | None:
        value: str | None = oc.env(*arguments)
        if _is_in_component(_node_):
            note_variable(arguments[0])
        else:
            elsewhere.append(arguments[0])
        return value

    OmegaConf.register_new_resolver("oc.env", variable, replace=True)
    try:
        yield elsewhere
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


def _is_in_component(node: Node) -> bool:
    around = node._get_parent()
    while around is not None:
        if isinstance(around, DictConfig) and "_target_" in around:
            return True
        around = around._get_parent()
    return False


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
    """Writes a resolved configuration as YAML; a kill leaves the old one whole."""
    replace_file(path, yaml_text(values).encode())


def yaml_text(values: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
    return text


def load_yaml(path: Path) -> dict[str, Any]:
    """Reads the configuration of a run directory. Only plain YAML: tags that build objects are refused.

    Raises:
        CheckpointError: the file is not there or is not a mapping.
        ConfigError: it is larger than any configuration, or unfolds into something that is.
    """
    try:
        values = read_yaml(path, follow_links=False)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: not there; is this a run directory of attnfocus?") from error
    except ConfigError:
        raise
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, ValueError) as error:
        why = (
            yaml_problem(error, str(path)) if isinstance(error, yaml.YAMLError) else f"{path}: cannot be read: {error}."
        )
        text = (
            f"{why} This file of the run is damaged: repair it, restore it from a backup, or choose another run; "
            "`attnfocus list` shows all."
        )
        raise CheckpointError(text) from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: does not hold a configuration.")
    return values
