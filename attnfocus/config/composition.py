"""A verb's configuration as Hydra composes it from files and overrides, with errors of our own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from attnfocus.config.override_text import is_of_hydra
from attnfocus.config.yaml_files import check_interpolations, yaml_problem
from attnfocus.errors import ConfigError


@dataclass(frozen=True)
class Composed:
    """What Hydra has made of one command line.

    Attributes:
        config: without Hydra's own section.
        overrides: those given, without those of Hydra's section.
        section: Hydra's own.
    """

    config: DictConfig
    overrides: Sequence[str]
    section: DictConfig

    def with_keys(self, overrides: Sequence[Override]) -> "Composed":
        """With these keys set too, in place, as Hydra sets them.

        Raises:
            ConfigError: a key cannot take its value.
        """
        with reworded():
            for override in overrides:
                OmegaConf.update(self.config, override.key_or_group, override.value(), merge=True)
        return replace(self, overrides=[*self.overrides, *(str(each.input_line) for each in overrides)])

    def values(self, *, resolve: bool = False, with_hydra: bool = False) -> dict[str, Any]:
        """Plain containers; references stay as they were written, or are followed.

        Raises:
            ConfigError: a reference leads nowhere, or they unfold into too much.
        """
        config = self.config
        if with_hydra:
            config = config.copy()
            with open_dict(config):
                config["hydra"] = self.section
        with reworded():
            values = plain(config)
            check_interpolations(values)
            return plain(config, resolve=True) if resolve else values


def compose_verb(verb: str, overrides: Sequence[str], folders: Sequence[Path]) -> Composed:
    """Composes a verb's file with overrides.

    Args:
        folders: of groups; the shipped one comes last, those of the user before it.

    Raises:
        ConfigError: Hydra cannot compose it; the message is reworded.
    """
    own = [f"hydra.searchpath=[file://{folder}]" for folder in folders[:-1]]
    with reworded(), initialize_config_dir(version_base="1.3", config_dir=str(folders[-1])):
        config = compose(verb, [*own, *overrides], return_hydra_config=True)
        with open_dict(config):
            section = config.pop("hydra")
    return Composed(config, [text for text in overrides if not is_of_hydra(text)], section)


@contextmanager
def reworded() -> Iterator[None]:
    """Errors of Hydra, OmegaConf and the YAML reader become ours."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(reword(error)) from error
    except YAMLError as error:
        raise ConfigError(yaml_problem(error)) from error


def reword(error: Exception) -> str:
    """An error of Hydra or OmegaConf in one line, without its advice."""
    deepest: BaseException = error
    while isinstance(deepest.__cause__, (HydraException, OmegaConfBaseException)):
        deepest = deepest.__cause__
    key = getattr(deepest, "full_key", None)
    line = str(deepest).strip().splitlines()[0] if str(deepest).strip() else type(deepest).__name__
    if line == "Recursive interpolation detected":
        line = "refers to itself in a circle (an interpolation loop)."
    return f"{key}: {line}" if key else line


def plain(config: DictConfig, *, resolve: bool = False) -> dict[str, Any]:
    """Plain containers; references stay as they were written, or are followed."""
    container = OmegaConf.to_container(config, resolve=resolve)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}
