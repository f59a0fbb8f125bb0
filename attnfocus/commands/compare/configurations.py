"""Runs grouped by configuration, the seed apart, and the few keys that tell the configurations from one another."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from attnfocus.commands.compare.runs import ComparedRun
from attnfocus.config.stack_keys import stack_of

TARGET = "_target_"


@dataclass(frozen=True)
class Configuration:
    """Runs that differ in their seed alone. `labels` are the keys that tell it from those that it is shown with."""

    runs: tuple[ComparedRun, ...]
    labels: Mapping[str, str]

    @property
    def by_seed(self) -> dict[int, ComparedRun]:
        return {run.seed: run for run in self.runs}


def sections_of(runs: Sequence[ComparedRun]) -> dict[tuple[str, str], list[Configuration]]:
    """(task, dataset) -> its configurations, both in the order of the runs."""
    sections: dict[tuple[str, str], list[ComparedRun]] = {}
    for run in runs:
        sections.setdefault((run.task, _dataset_of(run)), []).append(run)
    return {name: _configurations(own) for name, own in sections.items()}


def _dataset_of(run: ComparedRun) -> str:
    return run.choices.get("dataset") or _plain(run.options.get(f"dataset.{TARGET}"))


def _configurations(runs: Sequence[ComparedRun]) -> list[Configuration]:
    grouped: dict[tuple[tuple[str, str], ...], list[ComparedRun]] = {}
    for run in runs:
        grouped.setdefault(tuple(run.options.items()), []).append(run)
    groups = list(grouped.values())
    first = [group[0] for group in groups]
    choices = list(dict.fromkeys(name for run in first for name in run.choices))
    varying = [name for name in choices if len({run.choices.get(name) for run in first}) > 1]
    shown = [key for key in dict.fromkeys(key for run in first for key in run.options) if _tells_apart(key, first)]
    if len(groups) == 1:
        varying = [name for name in ("model", "attention") if name in choices]
    return [
        Configuration(
            tuple(sorted(group, key=lambda run: run.seed)),
            {
                **{name: group[0].choices.get(name, "-") for name in varying},
                **{_key_shown(key): _plain(group[0].options.get(key)) for key in shown},
            },
        )
        for group in groups
    ]


def _tells_apart(key: str, runs: Sequence[ComparedRun]) -> bool:
    """Whether a key differs between runs that made the same choices above it.

    `attention.score.hidden_size` is there for one score and not for another: the name of the score says that already.
    """
    values: dict[tuple[str | None, ...], set[str | None]] = {}
    for run in runs:
        values.setdefault(_choices_above(key, run), set()).add(run.options.get(key))
    return any(len(each) > 1 for each in values.values())


def _choices_above(key: str, run: ComparedRun) -> tuple[str | None, ...]:
    """The group's choice, and the classes of the sections that the key lies in; of a stack what it is called."""
    stack = stack_of(key)
    if stack is not None:
        return (run.choices.get(stack),)
    section, *inner = key.split(".")[:-1] or [key]
    nodes = [section, *(".".join([section, *inner[: depth + 1]]) for depth in range(len(inner)))]
    targets = [f"{node}.{TARGET}" for node in nodes]
    return (run.choices.get(section), *(run.options.get(target) for target in targets if target != key))


def _key_shown(key: str) -> str:
    return key.removesuffix(f".{TARGET}")


def _plain(value: str | None) -> str:
    """A JSON text as it is typed on the command line; of a class its name."""
    if value is None:
        return "-"
    content = json.loads(value)
    if isinstance(content, str):
        return content.rsplit(".", 1)[-1] if content.startswith("attnfocus.") else content
    return value
