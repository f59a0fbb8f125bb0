"""What the loop asks of those it works with, and what it answers."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from attnfocus.errors import ConfigError, signal_exit_code
from attnfocus.events import Best, Direction, Heads, Sample, StopRequest
from attnfocus.tasks.base import Task
from attnfocus.training.options import TrainerOptions


class TrainBatch(Protocol):
    """Of a batch: names for messages, a size for the throughput, ways to the device and to smaller pieces.

    `is_real` is False of a stand-in that counts nothing, where a process has no share of a batch. All else is the
    task's.
    """

    @property
    def ids(self) -> Sequence[str]: ...
    @property
    def num_words(self) -> int: ...
    @property
    def is_real(self) -> bool: ...
    def to(self, device: torch.device) -> Any: ...
    def split(self, parts: int) -> Sequence[TrainBatch]: ...


class EvaluationLike(Protocol):
    """Of an evaluation: its numbers, those of each head, and the examples to show."""

    @property
    def metrics(self) -> Mapping[str, float]: ...
    @property
    def samples(self) -> tuple[Sample, ...]: ...
    @property
    def answers(self) -> tuple[Sample, ...]: ...
    @property
    def heads(self) -> Heads: ...


@dataclass(frozen=True)
class TrainingResult:
    """How a run ended. `stop` is the request of a listener that ended it, if one did.

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
    stop: StopRequest | None = None

    @property
    def status(self) -> str:
        """For summary.json: completed, interrupted, or what the listener that ended the run calls it."""
        if self.stop is not None:
            return self.stop.status
        return "completed" if self.interrupted_by is None else "interrupted"

    @property
    def exit_code(self) -> int:
        return 0 if self.interrupted_by is None else signal_exit_code(self.interrupted_by)


def monitored(options: TrainerOptions, task: Task) -> tuple[str, Direction]:
    """The metric that decides which weights are best, and which way is better.

    Raises:
        ConfigError: the task has no such metric.
    """
    metric = options.monitor or task.default_monitor
    directions = task.all_directions
    if metric not in directions:
        raise ConfigError(
            f"trainer.monitor: {task.name} has no metric {metric}. Use one of {', '.join(sorted(directions))}."
        )
    return metric, directions[metric]
