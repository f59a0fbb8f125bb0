"""A verb's configuration as Hydra composes it from files and overrides, with errors of our own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import get_overrides_dirname  # Hydra has no public name for it
from hydra._internal.config_repository import CachingConfigRepository
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from attnfocus.config.override_text import is_of_hydra
from attnfocus.config.yaml_files import check_interpolations, yaml_problem
from attnfocus.errors import ConfigError

# Keys of Hydra's own section that nothing else in it is made from while it is composed.
_PLAIN_OF_HYDRA = ("hydra.sweep.", "hydra.sweeper.", "hydra.launcher.")
MAX_KEPT = 100  # choices of groups whose composition is kept, at about 1 MB


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


class _Files(CachingConfigRepository):
    """The files of groups, each read once: Hydra copies its repository for every composition, and this copy is itself.

    What was read is copied whenever it is wanted, since Hydra merges the files in place.
    """

    def load_config(self, config_path: str) -> ConfigResult | None:
        return deepcopy(super().load_config(config_path))

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Files":
        return self


class Compositions:
    """Composes a verb's file with overrides: once for the same choices of groups, and each file is read once.

    Hydra takes 0.1 s for it. Values of plain keys are set in a copy of what it has made of the groups, as it sets them
    itself at the end.

    Args:
        folders: of groups; the shipped one comes last, those of the user before it.
    """

    def __init__(self, verb: str, folders: Sequence[Path]) -> None:
        self._verb, self._folders = verb, folders
        self._files: _Files | None = None
        self._kept: dict[tuple[str, ...], Composed] = {}
        self._parsed: dict[str, Override] = {}

    def compose(self, overrides: Sequence[str]) -> Composed:
        """What Hydra makes of these overrides. It is to be read only: others are given the same.

        Raises:
            ConfigError: Hydra cannot compose it; the message is reworded.
        """
        with reworded():
            parsed = self.parsed(overrides)
            chosen, keys = self._parts(parsed)
            begun = self._of_groups(chosen)
            if not keys and _of_task(overrides) == begun.overrides:
                return begun
            section = deepcopy(begun.section)
            note_overrides(section, parsed)
            of_task = [each for each in keys if not is_of_hydra(each.key_or_group)]
            config = deepcopy(begun.config) if of_task else begun.config
            set_keys(config, of_task)
            set_keys(section, [each for each in keys if each not in of_task], "hydra.")
        return Composed(config, _of_task(overrides), section)

    def each(self, jobs: Sequence[Sequence[str]]) -> Iterator[tuple[int, Composed]]:
        """The number and the composition of each of many jobs, in an order in which each choice of groups comes once.

        A composition, whose section knows nothing of keys, holds until the next is taken: jobs that choose the same are
        made of one copy, as long as their values replace each other.

        Raises:
            ConfigError: Hydra cannot compose one of them.
        """
        with reworded():
            parts = [self._parts(self.parsed(job)) for job in jobs]
        numbers: dict[tuple[str, ...], list[int]] = {}
        for number, (chosen, _) in enumerate(parts):
            numbers.setdefault(tuple(chosen), []).append(number)
        for same in numbers.values():
            config = None
            for number in same:
                chosen, keys = parts[number]
                with reworded():
                    begun = self._of_groups(chosen)
                    if config is None or any(isinstance(each.value(), dict | list) for each in keys):
                        config = deepcopy(begun.config)
                    set_keys(config, [each for each in keys if not is_of_hydra(each.key_or_group)])
                yield number, Composed(config, _of_task(jobs[number]), begun.section)

    def parsed(self, overrides: Sequence[str]) -> list[Override]:
        """The overrides as Hydra reads them, each text once: the jobs of a sweep have most in common."""
        parser = OverridesParser.create()
        self._parsed |= {text: parser.parse_override(text) for text in overrides if text not in self._parsed}
        return [self._parsed[text] for text in overrides]

    def _parts(self, overrides: Sequence[Override]) -> tuple[list[str], list[Override]]:
        """What Hydra has to compose, and the plain keys to be set then."""
        keys = [each for each in overrides if self._is_plain(each)]
        rest = [each for each in overrides if each not in keys]
        names = {each.get_key_element() for each in rest}
        if len(names) < len(rest) or not all(self._is_choice(each) for each in rest):  # their order may count
            return [str(each.input_line) for each in overrides], []
        return sorted(str(each.input_line) for each in rest), keys

    def _is_choice(self, override: Override) -> bool:
        key = override.key_or_group
        is_group = "/" in key or any((folder / key).is_dir() for folder in self._folders)
        return is_group and _is_one_value(override)

    def _is_plain(self, override: Override) -> bool:
        key = override.key_or_group
        if not _is_one_value(override) or override.package is not None or self._is_choice(override):
            return False
        return not is_of_hydra(key) or key.startswith(_PLAIN_OF_HYDRA)

    def _of_groups(self, overrides: list[str]) -> Composed:
        key = tuple(overrides)
        if key not in self._kept:
            composed = self._composed(overrides)
            if len(self._kept) >= MAX_KEPT:
                return composed
            self._kept[key] = composed
        return self._kept[key]

    def _composed(self, overrides: list[str]) -> Composed:
        own = [f"hydra.searchpath=[file://{folder}]" for folder in self._folders[:-1]]
        with _apart(), initialize_config_dir(version_base="1.3", config_dir=str(self._folders[-1])):
            loader: Any = GlobalHydra.instance().config_loader()
            self._files = loader.repository = self._files or _Files(loader.repository)
            config = compose(self._verb, [*own, *overrides], return_hydra_config=True)
            with open_dict(config):
                section = config.pop("hydra")
        noted = [*as_written(section.overrides.task), *as_written(section.overrides.hydra)]
        added = [text for text in noted if text not in own and text not in overrides]
        if added:  # such as `trust=[...]`, which counts where it is typed
            raise ConfigError([f"hydra.overrides: {text} was not typed, but read from a file." for text in added])
        return Composed(config, _of_task(overrides), section)


@contextmanager
def _apart() -> Iterator[None]:
    """Puts away the Hydra that runs the command already, where jobs are composed from within a sweep."""
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().hydra = None
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = running


def set_keys(config: DictConfig, overrides: Sequence[Override], prefix: str = "") -> None:
    """Sets keys in place, as Hydra does; `prefix` stands before those of a section."""
    for override in overrides:
        OmegaConf.update(config, override.key_or_group.removeprefix(prefix), override.value(), merge=True)


def note_overrides(section: DictConfig, overrides: Sequence[Override]) -> None:
    """What Hydra's own section says of the overrides."""
    texts = [str(each.input_line) for each in overrides]
    searched = [text for text in as_written(section.overrides.hydra) if text.startswith("hydra.searchpath=")]
    of_task = [each for each in overrides if not is_of_hydra(each.key_or_group)]
    names = section.job.config.override_dirname
    with open_dict(section):
        section.overrides.task = _of_task(texts)
        section.overrides.hydra = [*searched, *filter(is_of_hydra, texts)]
        section.job.override_dirname = get_overrides_dirname(of_task, names.exclude_keys, names.item_sep, names.kv_sep)


def as_written(texts: ListConfig) -> list[str]:
    """Overrides that Hydra has noted; references in them lead nowhere yet."""
    plain_texts = OmegaConf.to_container(texts)
    assert isinstance(plain_texts, list)
    return [str(text) for text in plain_texts]


def _is_one_value(override: Override) -> bool:
    is_set = not (override.is_add() or override.is_force_add() or override.is_delete())
    return is_set and not override.is_sweep_override()


def _of_task(overrides: Sequence[str]) -> list[str]:
    return [text for text in overrides if not is_of_hydra(text)]


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
