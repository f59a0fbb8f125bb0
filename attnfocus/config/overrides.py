"""Reads the command line's overrides before Hydra does, to answer a mistake by name, not with advice to add `+`."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from attnfocus.config.composition import Composed, Compositions
from attnfocus.config.folder import config_folders, groups, optional_groups
from attnfocus.config.habits import EXAMPLES, KEYS
from attnfocus.config.nearest import choices_text
from attnfocus.config.override_text import is_of_hydra, num_values, unreadable, values_of
from attnfocus.config.primary import primary_groups
from attnfocus.config.unknown_keys import KeyFinder, node_problem
from attnfocus.config.wrong_choices import choice_problems
from attnfocus.config.yaml_files import read_yaml
from attnfocus.errors import ConfigError, Problem

DECIMAL_COMMA = re.compile(r"0,\d+")
MAX_COMPOSED = 64  # combinations of swept groups whose keys are looked at; beyond that each job answers for itself


@dataclass
class CommandLine:
    """The overrides of one verb, parsed.

    Attributes:
        verb: name of the primary file (`train`).
        config_dir: the user's own folder of groups (`--config-dir`), if any.
        is_sweep: whether `-m` was given.
        saved: those of the overrides that come from a file, not from this command line.
        num_trials: of a search, which makes so many jobs of whatever it varies.
        outputs: of a sweep, `paths.outputs`, known after `check`.
        compositions: of another line of the same verb and folders, whose work is not to be done again.
        composed: with the overrides that were given to `values`, known after it.
        resolved: what `values` has returned; it is to be read only.
    """

    verb: str
    overrides: Sequence[str]
    config_dir: str | None = None
    is_sweep: bool = False
    saved: Sequence[str] = ()
    problems: list[str] = field(default_factory=list)
    num_trials: int | None = None
    compositions: Compositions | None = None
    outputs: Path = field(default=Path(), init=False)
    composed: Composed | None = field(default=None, init=False)
    resolved: dict[str, Any] | None = field(default=None, init=False)

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
        choices = groups(config_folders(self.config_dir)) if primary_groups(self.verb) else {}
        of_groups = [override for override in parsed if override.key_or_group in choices]
        of_keys = [override for override in parsed if override not in of_groups]
        chosen = {override.key_or_group: value for override in of_groups for value in values_of(override)}
        sound = [override for override in of_groups if self._check_choice(override, choices, chosen)]
        if of_keys or sound:  # else there is nothing to look up in what Hydra composes, which takes long
            self._check_keys(of_keys, sound, choices)
        if self.problems:
            raise ConfigError(list(dict.fromkeys(self.problems)))

    def fixed(self) -> dict[str, str]:
        """Key -> override, of those that a sweep does not vary. Hydra must be able to parse them all."""
        parsed = [OverridesParser.create().parse_override(text) for text in self.overrides]
        found = [override for override in parsed if not override.is_sweep_override()]
        return {override.get_key_element(): str(override.input_line) for override in found}

    def compose(self, overrides: Sequence[str], *, resolve: bool = False, with_hydra: bool = False) -> dict[str, Any]:
        """The composed configuration as plain containers, without Hydra's own section unless it is asked for.

        Raises:
            ConfigError: Hydra cannot compose it; the message is reworded. Or it unfolds into too much.
        """
        return self._compose(overrides).values(resolve=resolve, with_hydra=with_hydra)

    def values(self, overrides: Sequence[str]) -> dict[str, Any]:
        """The same as `compose(overrides, resolve=True)`; what it is made from is kept, to be run."""
        self.composed = self._compose(overrides)
        self.resolved = self.composed.values(resolve=True)
        return self.resolved

    def run_alone(self) -> Composed | None:
        """What a single run is made of, where nothing but its own keys is asked for; None if Hydra has to run it.

        Hydra itself would compose it twice more, each time as long as all checks: to look whether its section makes a
        sweep of it, and for the run. It is needed where a folder of the user's own or an override may change that
        section.
        """
        if self.config_dir is not None or self.is_sweep or any("hydra" in text for text in self.overrides):
            return None
        return self.composed or self._compose(self.overrides)

    def all_compositions(self) -> Compositions:
        """Those that were made for this line, to make others from.

        Raises:
            ConfigError: there is no folder `config_dir`, or what it holds may not be read.
        """
        if self.compositions is None:
            self.compositions = Compositions(self.verb, config_folders(self.config_dir))
        return self.compositions

    def _compose(self, overrides: Sequence[str]) -> Composed:
        return self.all_compositions().compose(overrides)

    def _parse(self, text: str) -> Override | None:
        problem = unreadable(text)
        if problem:
            self.problems.append(problem)
            return None
        try:
            override = OverridesParser.create().parse_override(text)
        except HydraException:
            why = "cannot be read. Write key=value, with quotes around special characters."
            if "=" not in text:
                meant = KEYS.get(text.lower(), (text,))[0]
                example = f", for example {meant}={EXAMPLES[meant]}" if meant in EXAMPLES else ""
                why = f"has no value. Write {meant}=VALUE{example}; attnfocus {self.verb} --help {meant} says "
                why += "what it takes."
                why = why if re.fullmatch(r"[A-Za-z_][\w.]*", text) else "has no =. Write key=value."
            self.problems.append(f"{text}: {why}")
            return None
        key = override.key_or_group
        if not key:
            self.problems.append(f"{text}: has no key. Write key=value.")
            return None
        if is_of_hydra(key):
            return None  # Hydra's own section: Hydra answers for it
        if override.is_add() or override.is_force_add() or override.is_delete():
            why = f"leave out the +, which adds no keys here; `attnfocus {self.verb} --cfg job` shows all keys."
            if override.is_delete():
                why = (
                    f"keys cannot be removed with ~; write {key}=... `attnfocus {self.verb} --cfg job` shows all keys."
                )
            plain = text.lstrip("+") if override.value() is not None and not override.is_delete() else None
            self.problems.append(
                Problem(
                    f"{text}: {why}",
                    text.partition("=")[0],
                    [plain] if plain else None,
                )
            )
            return None
        return override

    def _check_single(self, parsed: Sequence[Override]) -> None:
        several = [override.key_or_group for override in parsed if override.is_sweep_override()]
        for key in several:
            text = next(text for text in self.overrides if text.startswith(key))
            is_number = DECIMAL_COMMA.fullmatch(text.partition("=")[2])
            why = f'With -m each value is one run. If it is one value, put it in quotes: "{_in_quotes(text)}".'
            why = f"several values were given. {'Decimals are written with a point.' if is_number else why}"
            self.problems.append(Problem(f"{key}: {why}", key, _alone_or_swept(text, self.verb)))
        if several:  # nothing can be composed; other problems alone are collected further
            raise ConfigError(self.problems)

    def _check_size(self, parsed: Sequence[Override]) -> None:
        num_jobs = self.num_trials or math.prod(num_values(override) for override in parsed)
        of_all_jobs = [text for text in self.overrides if text.startswith(("max_jobs=", "paths.outputs="))]
        config = self.compose(of_all_jobs, resolve=True)
        max_jobs, self.outputs = config["max_jobs"], Path(str(config["paths"]["outputs"]))
        if not isinstance(max_jobs, int) or num_jobs > max_jobs:
            self.problems.append(f"-m: these overrides make {num_jobs} jobs, more than max_jobs={max_jobs}.")
            raise ConfigError(self.problems)
        for override in parsed:
            if override.is_interval_sweep():  # a sweep has no end of values to take from it
                self.problems.append(f"{override.input_line}: an interval is for a search: add hydra/sweeper=optuna.")

    def _check_choice(
        self, override: Override, choices: Mapping[str, Mapping[str, Path]], chosen: Mapping[str, str]
    ) -> bool:
        name = override.key_or_group
        if not override.is_sweep_override() and isinstance(override.value(), list) and name not in optional_groups():
            several = f"{name}={','.join(values_of(override))}"
            by_layer = (
                f" For layers of different attentions: 'model.layer_attentions=[{','.join(values_of(override))}]'."
            )
            self.problems.append(
                Problem(
                    f"{override.input_line}: takes one choice; -m {several} trains one after another."
                    f"{by_layer if name == 'attention' else ''}",
                    override.get_key_element(),
                    ["-m", several],
                )
            )
            return False
        problems = choice_problems(override, choices, chosen)
        self.problems.extend(problems)
        return not problems

    def _check_keys(
        self, of_keys: Sequence[Override], of_groups: Sequence[Override], choices: Mapping[str, Mapping[str, Path]]
    ) -> None:
        options = [_choices_to_compose(override) for override in of_groups]
        for combination in itertools.islice(itertools.product(*options), MAX_COMPOSED):
            config = self.compose(self._taken(combination, choices))
            finder = KeyFinder(config, choices, self.verb, dict(text.split("=", 1) for text in combination))
            for override in of_keys:
                typed = str(override.input_line).partition("=")[2]
                problem = finder.problem(override.key_or_group, typed) or node_problem(override, config, choices)
                if problem:
                    self.problems.append(problem)

    def _taken(self, combination: Sequence[str], choices: Mapping[str, Mapping[str, Path]]) -> list[str]:
        """Without the choices of parts that the chosen whole does not have (`attention=linear attention/score=dot`)."""
        chosen = dict(text.split("=", 1) for text in combination)
        parts = [group for group in chosen if "/" in group and "@" not in group]
        elsewhere = [group for group in chosen if "@" in group]  # in another place than the group's own
        taken = [f"{group}={choice}" for group, choice in chosen.items() if group not in [*parts, *elsewhere]]
        for group in elsewhere:
            try:
                self.compose([*taken, f"{group}={chosen[group]}"])
            except ConfigError:
                kind, place = group.split("@", 1)
                model = f"model={chosen['model']}" if "model" in chosen else ""
                shown = " ".join(filter(None, ["attnfocus", self.verb, model, "--cfg job"]))
                self.problems.append(
                    f"{group}={chosen[group]}: {model or 'this model'} takes no {kind} at {place}; `{shown}` shows the "
                    "keys it has."
                )
            else:
                taken.append(f"{group}={chosen[group]}")
        config = self.compose(taken) if parts else {}
        for group in parts:
            whole, part = group.rsplit("/", 1)
            has = [name for name in _at(config, whole) if f"{whole}/{name}" in choices]
            if part in has:
                taken.append(f"{group}={chosen[group]}")
                continue
            name = f"{whole}={chosen[whole]}" if whole in chosen else f"this {whole}"
            others = [name for name, path in choices[whole].items() if _has_part(path, part)]
            self.problems.append(
                f"{group}={chosen[group]}: {name} has its own way there and takes no {part}. It takes "
                f"{', '.join(has) or 'no such choices'}; {part} goes with {whole}: {choices_text('', others)}."
            )
        return taken


def _in_quotes(text: str) -> str:
    key, _, value = text.partition("=")
    return f"{key}='{value}'"


def _alone_or_swept(text: str, verb: str) -> list[str]:
    """What was meant by several values: a comma in the place of the decimal point, a list, or a sweep."""
    key, _, value = text.partition("=")
    if DECIMAL_COMMA.fullmatch(value):
        return [f"{key}={value.replace(',', '.')}"]
    if key in optional_groups() or (verb != "train" and "(" not in value):
        return [f"{key}=[{value}]"]
    return ["-m", text]


def _choices_to_compose(override: Override) -> list[str]:
    """The override, once for each choice that a sweep goes over; choices in a list are taken together."""
    if not override.is_sweep_override():
        return [f"{override.get_key_element()}={override.get_value_element_as_str()}"]
    return [f"{override.get_key_element()}={value}" for value in values_of(override)]


def _at(node: Any, group: str) -> Mapping[str, Any]:
    """The node of a group in a composed configuration; empty if there is none."""
    for part in group.split("/"):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node if isinstance(node, Mapping) else {}


def _has_part(path: Path, part: str) -> bool:
    """Whether the defaults list of a YAML file chooses a `part`."""
    content = read_yaml(path)
    defaults = content.get("defaults", []) if isinstance(content, dict) else []
    return any(isinstance(entry, dict) and part in entry for entry in defaults)
