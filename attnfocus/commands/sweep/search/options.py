"""The options of a search, `hydra.sweeper`. Comments in configs/hydra/sweeper/optuna.yaml say the same to the user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from attnfocus.config.check import Checker
from attnfocus.config.search_space import Dimension
from attnfocus.decoding.options import Seed
from attnfocus.display.figure_choices import FigureOptions
from attnfocus.errors import ConfigError
from attnfocus.events import Direction
from attnfocus.limits import NonNegativeInt, NumProcesses, PositiveInt

SECTION = "hydra.sweeper"
# Numbers of summary.json besides the metrics, and which way is better.
FACTS: Mapping[str, Direction] = {"seconds": "min", "parameters": "min", "words_per_second": "max"}


@dataclass(kw_only=True)
class SearchOptions(FigureOptions):
    """`files`, `style` and `width` are of the figure of the results."""

    n_trials: PositiveInt
    n_jobs: NumProcesses = 1
    objectives: list[str] | None = None  # None: the metric that the runs monitor
    directions: list[Direction] | None = None  # None: the metric's own
    sampler: Literal["tpe", "random", "gp", "nsgaii"] = "tpe"
    pruner: Literal["auto", "median", "hyperband", "none"] = "auto"
    startup_trials: NonNegativeInt = 5
    warmup_steps: NonNegativeInt = 0
    seed: Seed = 1
    study_name: str = "attnfocus"
    storage: str | None = None
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Objective:
    """A number of a finished run: a metric of the valid split at its best checkpoint, or one of `FACTS`."""

    name: str
    direction: Direction

    @property
    def is_metric(self) -> bool:
        return self.name not in FACTS


@dataclass(frozen=True)
class SearchPlan:
    """All that a search is: its options, what is varied, what every trial has, and what is sought.

    Attributes:
        alone: what every trial has, as the command line of a single run says it, with its flags.
    """

    options: SearchOptions
    space: tuple[Dimension, ...]
    fixed: tuple[str, ...]
    objectives: tuple[Objective, ...] = ()
    alone: tuple[str, ...] = ()

    def overrides(self, params: Mapping[str, Any]) -> list[str]:
        """The command line of one trial."""
        return [*self.fixed, *self.proposed(params)]

    def proposed(self, params: Mapping[str, Any]) -> list[str]:
        """The part of it that is varied."""
        return [each.override(params[each.key]) for each in self.space]


def check_options(values: Mapping[str, Any]) -> SearchOptions:
    """The section `hydra.sweeper` without its `_target_`.

    Raises:
        ConfigError: every option that is unknown, of a wrong type or out of range.
    """
    checker = Checker()
    given = {name: value for name, value in values.items() if name != "_target_"}
    options = checker.dataclass(SECTION, given, SearchOptions)
    if options is None:
        raise ConfigError(checker.problems)
    assert isinstance(options, SearchOptions)
    options.check_width(f"{SECTION}.")
    return options


def objectives_of(options: SearchOptions, metrics: Mapping[str, Direction], monitor: str) -> tuple[Objective, ...]:
    """The objectives with their directions.

    Args:
        metrics: those of the task, with the way that is better.
        monitor: what a run is judged by where nothing else is asked for.

    Raises:
        ConfigError: an objective or direction that cannot be; every one of them.
    """
    names = [monitor] if options.objectives is None else options.objectives
    own = {**metrics, **FACTS}
    problems = _problems(options, names, own)
    if problems:
        raise ConfigError(problems)
    directions = options.directions or [own[name] for name in names]
    return tuple(Objective(name, direction) for name, direction in zip(names, directions, strict=True))


def _problems(options: SearchOptions, names: Sequence[str], own: Mapping[str, Direction]) -> list[str]:
    problems = []
    known = f"There are: {', '.join(own)}, and focus/MEASURE (docs/focus.md)"
    for name in names:
        if name.startswith("test/"):
            problems.append(
                f"{SECTION}.objectives: {name}: what is chosen by the test split cannot be tested by it. {known}."
            )
        elif name not in own and not name.startswith("focus/"):
            problems.append(f"{SECTION}.objectives: no {name}. {known}.")
        elif name not in own and options.directions is None:
            problems.append(
                f"{SECTION}.directions: say which way {name} is better: one of max, min for each objective."
            )
    if not names or len(set(names)) < len(names):
        problems.append(f"{SECTION}.objectives: name each objective once, as in [exact_match,seconds].")
    if options.directions is not None and len(options.directions) != len(names):
        problems.append(
            f"{SECTION}.directions: needs {len(names)}, one for each objective, got {len(options.directions)}."
        )
    if options.pruner in ("median", "hyperband"):
        if len(names) > 1:
            problems.append(f"{SECTION}.pruner: {options.pruner} judges by one objective, got {len(names)}. Use none.")
        elif names and names[0] in FACTS:
            problems.append(f"{SECTION}.pruner: {names[0]} is known when a run has ended. Use none.")
    return problems
