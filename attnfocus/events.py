"""What a training run tells its listeners: plain facts, so that the loop and the reports need not know each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from attnfocus.grid import Picture
from attnfocus.limits import Finite, NonNegativeInt

if TYPE_CHECKING:
    import numpy as np

Heads = Mapping[str, Mapping[str, tuple[float, ...]]]  # attention -> measure -> a value for each head
Direction = Literal["max", "min"]  # which way a metric is better
OptionValue = str | int | float | bool | None


@dataclass(frozen=True)
class Best:
    """The best evaluation so far, by the monitored metric."""

    metric: str
    value: Finite
    step: NonNegativeInt


@dataclass(frozen=True)
class Sample:
    """One example as the model saw it: texts, tokens and attention weights.

    `weights` maps an attention's name (`cross`, `pooling`, `layers.0`) to an array (heads, queries, keys);
    `key_tokens` label the keys, `query_tokens[name]` the queries; `key_unit` is what numbers among them count.
    """

    id: str
    source: str
    target: str
    prediction: str
    key_tokens: tuple[str, ...]
    query_tokens: Mapping[str, tuple[str, ...]]
    weights: Mapping[str, np.ndarray]
    is_right: bool | None = None  # None: nobody has said
    key_unit: str | None = None
    picture: Picture | None = None  # what the weights of the keys are drawn over, where they are patches of an image


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run before it begins, to be shown beside its figures. Secrets are hidden already.

    `choices`: group -> choice (`model` -> `seq2seq`). `options`: `section.key` -> value (`optimizer.lr` -> 0.001).
    `directions`: the metrics that can be monitored, and which way each is better. `main`: the keys of the options that
    runs are compared by first, because they are not the defaults or matter in every run; None: all of them. `labels`:
    name of an attention -> what people read, where the layers have different ones (`layers.3 (local)`).
    """

    choices: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    directions: Mapping[str, Direction] = field(default_factory=dict)
    main: frozenset[str] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingStarted:
    """Before the first step. `resumed_from` is the step of the checkpoint, None in a fresh run.

    `is_evaluated`: the checkpoint knows the evaluation of its step; if not, one that is due comes again.
    """

    run_dir: Path
    max_steps: int | None
    max_epochs: int | None
    steps_per_epoch: int
    resumed_from: int | None = None
    is_evaluated: bool = True
    facts: RunFacts = field(default_factory=RunFacts)


@dataclass(frozen=True)
class FirstStepDone:
    """After the first update that this process made; `step` counts those before a resume too."""

    step: int


@dataclass(frozen=True)
class Progress:
    """Means since the previous Progress event; `seconds` is the run's training time so far."""

    step: int
    epoch: int
    fraction_done: float  # 0..1 of the run, by the nearest of its limits
    seconds: float
    eta_seconds: float | None
    loss: float
    lr: float
    grad_norm: float
    words_per_second: float
    is_logged: bool  # True every trainer.log_every_steps steps: to be written to files; otherwise for the screen only
    is_eta_whole: bool = True  # False: no evaluation has been timed yet, and `eta_seconds` counts none
    penalties: Mapping[str, float] = field(default_factory=dict)  # what regularizers added to the loss, not part of it

    @property
    def metrics(self) -> dict[str, float]:
        """What is logged of a step: `penalty` is the sum of all, `penalty/<name>` each, where there are any."""
        values = {
            "loss": self.loss,
            "lr": self.lr,
            "grad_norm": self.grad_norm,
            "words_per_second": self.words_per_second,
        }
        if self.penalties:
            values["penalty"] = sum(self.penalties.values())
        return values | {f"penalty/{name}": penalty for name, penalty in self.penalties.items()}


@dataclass(frozen=True)
class Evaluated:
    """After an evaluation of one split.

    `samples` are the same examples each time, with their maps; `answers` some without maps, wrong ones first. `heads`
    says how focused each head is.
    """

    step: int
    epoch: int
    split: str
    seconds: float
    metrics: Mapping[str, float]
    is_best: bool = False
    best: Best | None = None
    samples: tuple[Sample, ...] = ()
    answers: tuple[Sample, ...] = ()
    heads: Heads = field(default_factory=dict)


@dataclass(frozen=True)
class CheckpointSaved:
    step: int
    path: Path
    is_best: bool


@dataclass(frozen=True)
class RolledBack:
    """The run has gone back to the checkpoint of this step; what was told after it no longer counts.

    `is_evaluated` as in TrainingStarted.
    """

    step: int
    is_evaluated: bool = True


@dataclass(frozen=True)
class TrainingEnded:
    """`reason` in plain words: `max_steps reached`, `no better bleu for 5 evaluations`, `interrupted`.

    The test split is evaluated after it, where the run has one and was not stopped.
    """

    step: int
    epoch: int
    seconds: float
    reason: str
    best: Best | None


@dataclass(frozen=True)
class StopRequest:
    """What a listener answers to end a run in order: saved, its listeners told, its summary written, not tested.

    `status` is the one of summary.json, such as `pruned`; `reason` says why in plain words.
    """

    status: str
    reason: str


class Listener:
    """Hears a run; the base of trackers. Every method may be left out.

    In this order: `on_start`; `on_first_step`; then by turns `on_progress`, `on_evaluation` (split `valid`),
    `on_checkpoint` and, where a run goes back to a checkpoint, `on_rollback`; `on_end`, when training is over;
    `on_evaluation` once more, of the split `test` and with the step of the best checkpoint, where the run has been
    completed and has such a split; `close`, always, and always last. A run that failed has no `on_end`.

    So what is compared by its final figures (a run of W&B, the options page of TensorBoard) is finished in `close`,
    and was a success if `on_end` has been heard. `stop_request` is asked after each step and its evaluation.
    Of several processes the first alone has listeners.
    """

    def on_start(self, event: TrainingStarted) -> None: ...
    def on_first_step(self, event: FirstStepDone) -> None: ...
    def on_progress(self, event: Progress) -> None: ...
    def on_evaluation(self, event: Evaluated) -> None: ...
    def on_checkpoint(self, event: CheckpointSaved) -> None: ...
    def on_rollback(self, event: RolledBack) -> None: ...
    def on_end(self, event: TrainingEnded) -> None: ...
    def close(self) -> None: ...

    def stop_request(self) -> StopRequest | None:
        return None
