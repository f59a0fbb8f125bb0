"""A toy task, model and recorder: the loop must work with nothing of attention, text or data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from attnfocus.events import (
    CheckpointSaved,
    Direction,
    Evaluated,
    Listener,
    Progress,
    Sample,
    TrainingEnded,
    TrainingStarted,
)
from attnfocus.tasks.base import StepOutput, Task
from attnfocus.training import (
    CheckpointStore,
    ConstantSchedule,
    Schedule,
    TrainerOptions,
    TrainingResult,
    fit,
    seed_everything,
    sgd,
)
from attnfocus.training.device import Precision

CPU = torch.device("cpu")
DIM, CLASSES = 6, 5


@dataclass(frozen=True)
class ToyBatch:
    ids: tuple[str, ...]
    features: Tensor  # (N, DIM)
    labels: Tensor  # (N,), -1 where there is no target
    is_real: bool = True

    @property
    def num_words(self) -> int:
        return 10 * len(self.ids)

    def to(self, device: torch.device) -> ToyBatch:
        return ToyBatch(self.ids, self.features.to(device), self.labels.to(device))

    def split(self, parts: int) -> list[ToyBatch]:
        return cut(self, -(-len(self.ids) // parts))


def examples(num: int, seed: int = 0) -> ToyBatch:
    """Every third example has no target, so that batches of one size differ in their number of targets."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(num, DIM, generator=generator)
    labels = (features @ torch.randn(DIM, CLASSES, generator=generator)).argmax(-1)
    labels[::3] = -1
    return ToyBatch(tuple(f"example-{index}" for index in range(num)), features, labels)


def cut(batch: ToyBatch, size: int) -> list[ToyBatch]:
    starts = range(0, len(batch.ids), size)
    return [ToyBatch(batch.ids[i : i + size], batch.features[i : i + size], batch.labels[i : i + size]) for i in starts]


class ToyModel(nn.Module):
    """Dropout, a tied matrix and a buffer: what makes saving and resuming hard."""

    steps_seen: Tensor

    def __init__(self, dropout: float = 0.0, hidden: int = 8) -> None:
        super().__init__()
        self.first = nn.Linear(DIM, hidden)
        self.second = nn.Linear(DIM, hidden)
        self.second.weight = self.first.weight
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(hidden, CLASSES)
        self.register_buffer("steps_seen", torch.zeros((), dtype=torch.int64))

    def forward(self, features: Tensor) -> Tensor:
        if self.training:
            self.steps_seen += 1
        logits: Tensor = self.out(self.dropout(torch.tanh(self.first(features)) + torch.sin(self.second(features))))
        return logits


class ToyTask(Task):
    name: ClassVar[str] = "toy"
    directions: ClassVar[Mapping[str, Direction]] = {"loss": "min", "score": "max"}
    default_monitor: ClassVar[str] = "loss"

    def step(self, model: nn.Module, batch: Any, optimizer_step: int = 1) -> StepOutput:
        logits = model(batch.features).float()
        loss_sum = nn.functional.cross_entropy(logits, batch.labels, ignore_index=-1, reduction="sum")
        return StepOutput(loss_sum, self.num_targets(batch))

    def num_targets(self, batch: Any) -> int:
        return int((batch.labels >= 0).sum())

    def tally(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("the loop evaluates through the callable that it was given")

    def conclude(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError

    def predict(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        raise AssertionError

    def inspect(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        raise AssertionError


@dataclass(frozen=True)
class ToyEvaluation:
    metrics: dict[str, float]
    samples: tuple[Sample, ...] = ()
    answers: tuple[Sample, ...] = ()
    heads: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)


def validation_loss(model: nn.Module) -> ToyEvaluation:
    batch, task = examples(32, seed=1), ToyTask()
    model.eval()
    torch.rand(7)  # an evaluation that draws random numbers must not change the training
    with torch.inference_mode():
        loss = task.step(model, batch).loss_sum.item() / task.num_targets(batch)
    return ToyEvaluation({"loss": loss, "score": -loss})


@dataclass
class Recorder(Listener):
    events: list[Any] = field(default_factory=list)
    on_each: Callable[[Any], None] = lambda event: None

    def _hear(self, event: Any) -> None:
        self.events.append(event)
        self.on_each(event)

    def on_start(self, event: TrainingStarted) -> None:
        self._hear(event)

    def on_progress(self, event: Progress) -> None:
        self._hear(event)

    def on_evaluation(self, event: Evaluated) -> None:
        self._hear(event)

    def on_checkpoint(self, event: CheckpointSaved) -> None:
        self._hear(event)

    def on_end(self, event: TrainingEnded) -> None:
        self._hear(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def logged(self) -> list[tuple[int, int, float, float, float]]:
        """Logged progress without its times."""
        return [(e.step, e.epoch, e.loss, e.lr, e.grad_norm) for e in self.of(Progress) if e.is_logged]

    def evaluations(self) -> list[tuple[int, int, dict[str, float], bool]]:
        return [(e.step, e.epoch, dict(e.metrics), e.is_best) for e in self.of(Evaluated)]


class Scaled(Precision):
    """As fp16 on a GPU, with what float32 holds for what float16 does."""

    def __init__(self, init_scale: float) -> None:
        super().__init__("float32", CPU)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=init_scale)


@dataclass
class Toy:
    """A training run of the toy with defaults that a test can replace."""

    folder: Path
    options: TrainerOptions
    batches: Callable[[int], Sequence[Any]] = lambda epoch: cut(examples(48, seed=2 + epoch), 4)
    evaluate: Callable[[nn.Module], Any] = validation_loss
    make_model: Callable[[], nn.Module] = ToyModel
    make_optimizer: Callable[..., torch.optim.Optimizer] = sgd
    make_schedule: Callable[..., Schedule] = ConstantSchedule
    task: Task = field(default_factory=ToyTask)
    seed: int = 3
    recorder: Recorder = field(default_factory=Recorder)
    total_steps: int | None = 100
    fit_options: Mapping[str, Any] = field(default_factory=dict)

    def run(self, resume: bool = False) -> TrainingResult:
        seed_everything(self.seed)
        self.model = self.make_model()
        self.optimizer = self.make_optimizer(list(self.model.parameters()))
        self.schedule = self.make_schedule(self.total_steps, "min")
        self.store = CheckpointStore(self.folder / "checkpoints", keep=self.options.keep_checkpoints)
        return fit(
            self.model,
            self.task,
            optimizer=self.optimizer,
            scheduler=self.schedule,
            batches=cache(self.batches),
            evaluate=self.evaluate,
            options=self.options,
            store=self.store,
            device=CPU,
            seed=self.seed,
            listeners=[self.recorder],
            resume=resume,
            **self.fit_options,
        )


def same_tensors(first: nn.Module, second: nn.Module) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def same_state(first: torch.optim.Optimizer, second: torch.optim.Optimizer) -> bool:
    ours, theirs = first.state_dict()["state"], second.state_dict()["state"]
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[number][key], theirs[number][key]) for number in ours for key in ours[number]
    )
