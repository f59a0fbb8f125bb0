"""What the loop asks of those it works with, and what it answers."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from attnfocus.errors import ConfigError
from attnfocus.events import Best, Heads, Sample
from attnfocus.tasks.base import Direction, Task
from attnfocus.training.options import TrainerOptions


class TrainBatch(Protocol):
    """Of a batch: names for messages, a size for the throughput, ways to the device and to smaller pieces.

    All else is the task's.
    """

    @property
    def ids(self) -> Sequence[str]: ...
    @property
    def num_words(self) -> int: ...
    def to(self, device: torch.device) -> Any: ...
    def split(self, parts: int) -> Sequence[TrainBatch]: ...


class EvaluationLike(Protocol):
    """Of an evaluation: its numbers, those of each head, and the examples to show."""

    @property
    def metrics(self) -> Mapping[str, float]: ...
    @property
    def samples(self) -> tuple[Sample, ...]: ...
    @property
    def heads(self) -> Heads: ...


@dataclass(frozen=True)
class TrainingResult:
    """How a run ended.

    `seconds` is all time, evaluations, saves and the parts before a resume included; `words_per_second` is the mean
    over the training steps alone.
    """

    reason: str
    step: int
    epoch: int
    seconds: float
    best: Best | None
    interrupted_by: signal.Signals | None
    words_per_second: float

    @property
    def exit_code(self) -> int:
        if self.interrupted_by is None:
            return 0
        return 130 if self.interrupted_by == signal.SIGINT else 143


def monitored(options: TrainerOptions, task: Task) -> tuple[str, Direction]:
    """The metric that decides which weights are best, and which way is better.

    Raises:
        ConfigError: the task has no such metric.
    """
    metric = options.monitor or task.default_monitor
    if metric not in task.directions:
        raise ConfigError(
            f"trainer.monitor: {task.name} has no metric {metric}. Use one of {', '.join(sorted(task.directions))}."
        )
    return metric, task.directions[metric]
