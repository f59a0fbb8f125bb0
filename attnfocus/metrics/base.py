"""The base of all metrics, and what a metric sees of an answer."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from attnfocus.errors import ConfigError
from attnfocus.events import Direction

NAME = re.compile(r"(?!focus/)[A-Za-z]\w*(/\w+)*", re.ASCII)  # focus/... are the measures of attention


class Answer(Protocol):
    """What the model answers to one example.

    `text` is the label or the output, `target` the right one; `score` the natural log of the probability that the model
    gives to `text`. `skipped` says why there is no answer; then `text` is empty and `score` is NaN.
    """

    @property
    def id(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def skipped(self) -> str | None: ...


class Metric(ABC):
    """One or several numbers of all answers of a split.

    It is asked at each evaluation, of valid and of test, with all answers in the order of their ids: neither batches
    nor several processes change what it sees. It should keep nothing between two calls.

    Attributes:
        directions: name -> which way is better, of all that it may give. The names stand in files, on the screen and
            in `trainer.monitor`: letters, digits and `_`, with `/` between parts.
        tasks: those whose answers it can judge; empty: any.
    """

    directions: Mapping[str, Direction]
    tasks: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def __call__(self, answers: Sequence[Answer]) -> float | Mapping[str, float]:
        """The number, where there is one name; otherwise by name. A name may be missing where a split cannot give it.

        Raises:
            ValueError: the answers are not what it can judge.
        """


def directions_of(metrics: Mapping[str, Metric]) -> dict[str, Direction]:
    """Name of each number that they give -> which way it is better."""
    return {name: direction for metric in metrics.values() for name, direction in metric.directions.items()}


def measured(metrics: Mapping[str, Metric], answers: Sequence[Answer]) -> dict[str, float]:
    """The numbers of all metrics.

    Raises:
        ConfigError: one failed, or gave what it does not name; names its key.
    """
    found: dict[str, float] = {}
    for name, metric in metrics.items():
        try:
            found |= _numbers(metric, metric(answers))
        except ConfigError:
            raise
        except Exception as error:
            problem = f"metric.{name}: {type(metric).__name__} failed on {len(answers)} answers"
            raise ConfigError(f"{problem} ({type(error).__name__}: {error}).") from error
    return found


def _numbers(metric: Metric, value: Any) -> dict[str, float]:
    names = list(metric.directions)
    if not isinstance(value, Mapping):
        if len(names) != 1:
            raise ValueError(f"it names {', '.join(names)}, so it must give a mapping of them")
        value = {names[0]: value}
    unknown = [str(name) for name in value if name not in names]
    if unknown:
        raise ValueError(f"it gave {', '.join(unknown)}, which its directions do not name")
    return {name: float(number) for name, number in value.items()}


def metric_problems(metrics: Mapping[str, Any], task: str, directions: Mapping[str, Direction]) -> list[str]:
    """What is wrong with metrics before they are asked.

    Args:
        metrics: as they were built, by their name in the configuration.
        task: whose answers they will see.
        directions: of the task's own metrics, whose names are taken.
    """
    problems, taken = [], dict.fromkeys(directions, f"the task {task}")
    for key, metric in metrics.items():
        if not isinstance(metric, Metric):
            problems.append(
                f"metric.{key}: {type(metric).__name__} is no attnfocus.metrics.Metric. Derive it from that."
            )
            continue
        if metric.tasks and task not in metric.tasks:
            problems.append(f"metric.{key}: is for {' and '.join(metric.tasks)}, and the dataset is for {task}.")
        own = getattr(metric, "directions", None)
        if not isinstance(own, Mapping) or not own:
            problems.append(f"metric.{key}: {type(metric).__name__} needs directions, such as {{'{key}': 'max'}}.")
            continue
        for name, direction in own.items():
            if not isinstance(name, str) or not NAME.fullmatch(name):
                problems.append(f"metric.{key}: {name!r} cannot be the name of a metric. Use letters, digits, _ and /.")
            elif name in taken:
                problems.append(f"metric.{key}: {name} is a metric of {taken[name]} already. Give it another name.")
            elif direction not in ("max", "min"):
                problems.append(f"metric.{key}: directions of {name} must be max or min, got {direction!r}.")
            taken.setdefault(name, f"metric.{key}")
    return problems


def mean(values: Sequence[float]) -> float:
    """Exactly rounded, so that no order changes it; NaN of nothing."""
    return math.fsum(values) / len(values) if values else math.nan
