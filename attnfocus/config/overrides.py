"""Reads the command line's overrides before Hydra does, to answer a mistake by name, not with advice to add `+`."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from attnfocus.config.folder import config_folders, groups
from attnfocus.config.nearest import choices_text, did_you_mean, nearest
from attnfocus.errors import ConfigError

MAX_JOBS = 1000  # the default of max_jobs in train.yaml
MAX_COMPOSED = 64  # combinations of swept groups whose keys are looked at; beyond that each job answers for itself


@dataclass
class CommandLine:
    """The overrides of one verb, parsed.

    Attributes:
        verb: name of the primary file (`train`).
        config_dir: the user's own folder of groups (`--config-dir`), if any.
        is_sweep: whether `-m` was given.
    """

    verb: str
    overrides: Sequence[str]
    config_dir: str | None = None
    is_sweep: bool = False
    problems: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Notes every problem with the names of groups, options and keys.

        Raises:
            ConfigError: all of them at once.
        """
        parsed = [override for text in self.overrides if (override := self._parse(text)) is not None]
        if self.is_sweep:
            self._check_size(parsed)
        else:
            self._check_single(parsed)
        choices = groups(config_folders(self.config_dir)) if self.verb == "train" else {}
        of_groups = [override for override in parsed if _group_name(override) in choices]
        of_keys = [override for override in parsed if override not in of_groups]
        sound = [override for override in of_groups if self._check_choice(override, choices)]
        if of_keys or self.problems or sound:
            self._check_keys(of_keys, sound, choices)
        if self.problems:
            raise ConfigError(list(dict.fromkeys(self.problems)))

    def fixed_keys(self) -> list[str]:
        """The keys that a sweep does not vary. Call it after `check`."""
        parsed = [OverridesParser.create().parse_override(text) for text in self.overrides]
        return [override.key_or_group for override in parsed if not override.is_sweep_override()]

    def compose(self, overrides: Sequence[str], *, resolve: bool = False) -> dict[str, Any]:
        """The composed configuration as plain containers, without Hydra's own section.

        Raises:
            ConfigError: Hydra cannot compose it; the message is reworded.
        """
        shipped = config_folders(None)[0]
        extra = [f"hydra.searchpath=[file://{folder}]" for folder in config_folders(self.config_dir)[:-1]]
        try:
            with initialize_config_dir(version_base="1.3", config_dir=str(shipped)):
                config = compose(config_name=self.verb, overrides=[*extra, *overrides])
                container = OmegaConf.to_container(config, resolve=resolve)
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(reword(error)) from error
        except YAMLError as error:
            raise ConfigError(" ".join(str(error).split())) from error  # names file, line and column
        assert isinstance(container, dict)
        return {str(key): value for key, value in container.items()}

    def _parse(self, text: str) -> Override | None:
        try:
            override = OverridesParser.create().parse_override(text)
        except HydraException:
            self.problems.append(f"{text}: cannot be read. Write key=value, with quotes around special characters.")
            return None
        key = override.key_or_group
        if key == "hydra" or key.startswith(("hydra.", "hydra/")):
            return None  # Hydra's own section: Hydra answers for it
        if override.is_add() or override.is_force_add() or override.is_delete():
            action = "removing" if override.is_delete() else "adding"
            self.problems.append(f"{text}: {action} keys is refused; `--cfg job` shows all. Write {key}=...")
            return None
        return override

    def _check_single(self, parsed: Sequence[Override]) -> None:
        several = [override.key_or_group for override in parsed if override.is_sweep_override()]
        for key in several:
            self.problems.append(f"{key}: several values were given. Add -m to run each, or quote the value.")
        if several:  # nothing can be composed; other problems alone are collected further
            raise ConfigError(self.problems)

    def _check_size(self, parsed: Sequence[Override]) -> None:
        num_jobs = math.prod(_num_values(override) for override in parsed)
        max_jobs = next((override.value() for override in parsed if override.key_or_group == "max_jobs"), MAX_JOBS)
        if not isinstance(max_jobs, int) or num_jobs > max_jobs:
            self.problems.append(f"-m: these overrides make {num_jobs} jobs, more than max_jobs={max_jobs}.")
            raise ConfigError(self.problems)

    def _check_choice(self, override: Override, choices: Mapping[str, Mapping[str, Path]]) -> bool:
        name = _group_name(override)
        known = choices[name]
        bad = [value for value in _values(override) if value not in known and value != "null"]
        for value in bad:
            self.problems.append(
                f"{name}={value}: no such choice.{did_you_mean(value, known)} There are: {choices_text(value, known)}."
            )
        return not bad

    def _check_keys(
        self, of_keys: Sequence[Override], of_groups: Sequence[Override], choices: Mapping[str, Mapping[str, Path]]
    ) -> None:
        options = [[f"{override.key_or_group}={value}" for value in _values(override)] for override in of_groups]
        for combination in itertools.islice(itertools.product(*options), MAX_COMPOSED):
            config = self.compose(list(combination))
            for override in of_keys:
                problem = unknown_key(override.key_or_group, config, choices)
                if problem:
                    self.problems.append(problem)


def literal(text: str) -> str:
    """An override whose plain value Hydra's grammar refuses (`train=中文.tsv`, `input=~/x`), with the value quoted."""
    key, sign, value = text.partition("=")
    if not sign or not key.isascii():
        return text
    try:
        OverridesParser.create().parse_override(text)
    except HydraException:
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        quoted = f"{key}='{escaped}'"
        try:
            OverridesParser.create().parse_override(quoted)
        except HydraException:
            return text
        return quoted
    return text


def unknown_key(key: str, config: Mapping[str, Any], choices: Mapping[str, Any]) -> str | None:
    """What is wrong with `key`, given the composed configuration, or None."""
    node: Any = config
    parts = key.replace("/", ".").split(".")
    for depth, part in enumerate(parts):
        if isinstance(node, Mapping) and part in node:
            node = node[part]
            continue
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
            continue
        return _explain_unknown(key, parts, depth, node, config, choices)
    return None


def _explain_unknown(
    key: str, parts: Sequence[str], depth: int, node: Any, config: Mapping[str, Any], choices: Mapping[str, Any]
) -> str:
    siblings = list(node) if isinstance(node, Mapping) else []
    prefix = ".".join(parts[:depth])
    if depth == 0:
        siblings += [name for name in choices if name not in siblings]
    found = nearest(parts[depth], siblings, count=1)
    if found:
        return f"{key}: unknown key. Did you mean {'.'.join(filter(None, [prefix, found[0]]))}?"
    elsewhere = [path for path in _paths(config) if path.rsplit(".", 1)[-1] == parts[-1]]
    if elsewhere:
        return f"{key}: unknown key. Did you mean {elsewhere[0]}?"
    where = f"{prefix} has" if prefix else "There are"
    return f"{key}: unknown key. {where}: {choices_text(parts[depth], siblings)}."


def _paths(node: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in node.items():
        path = f"{prefix}{name}"
        yield path
        if isinstance(value, Mapping):
            yield from _paths(value, f"{path}.")


def _group_name(override: Override) -> str:
    return override.key_or_group.split("@")[0]


def _values(override: Override) -> list[str]:
    if override.is_sweep_override() and override.is_discrete_sweep():
        return [str(value) for value in override.sweep_string_iterator()]
    value = override.value()
    return ["null"] if value is None else [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _num_values(override: Override) -> int:
    if not override.is_sweep_override():
        return 1
    if override.is_range_sweep():
        sweep: Any = override.value()
        return max(0, math.ceil((float(sweep.stop) - float(sweep.start)) / float(sweep.step)))
    return len(_values(override)) if override.is_discrete_sweep() else 1


def reword(error: Exception) -> str:
    """An error of Hydra or OmegaConf in one line, without its advice."""
    deepest: BaseException = error
    while isinstance(deepest.__cause__, (HydraException, OmegaConfBaseException)):
        deepest = deepest.__cause__
    key = getattr(deepest, "full_key", None)
    line = str(deepest).strip().splitlines()[0] if str(deepest).strip() else type(deepest).__name__
    return f"{key}: {line}" if key else line
