"""What a batch means: its loss as (sum, count), its metrics, its predictions. All that the training loop sees of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor

from attnfocus.attention.role import Axis
from attnfocus.errors import ConfigError
from attnfocus.events import Direction, Sample
from attnfocus.focus.regularizer_options import Regularization
from attnfocus.limits import NonNegativeFloat, Probability
from attnfocus.metrics.base import Metric, directions_of, measured
from attnfocus.models.base import Model
from attnfocus.tasks.answers import Evaluation, Inspected, Prediction
from attnfocus.tasks.evaluation import chosen_answers
from attnfocus.tasks.measures.text import BleuTokenizer
from attnfocus.tasks.regularizers import Regularizers
from attnfocus.tasks.tally import Tally

if TYPE_CHECKING:
    from attnfocus.data.batches import Batch
    from attnfocus.data.codecs.base import Codec, Encoded
    from attnfocus.data.preparation import DatasetOptions
    from attnfocus.data.rows import Row
    from attnfocus.decoding import DecodingOptions
    from attnfocus.tasks.probe import Probe

Loss = Literal["cross_entropy", "mse", "mae", "focal", "binary_cross_entropy", "sampled_softmax"]
ANSWERS_PER_SAMPLE = 3  # texts take less room than maps


@dataclass(frozen=True)
class StepOutput:
    """The loss of a batch before division, so that accumulation and uneven batches average to the same number.

    `loss_sum` is a scalar with a graph, float32 or wider; `num_targets` is how many target tokens, or examples, it
    sums over. `penalties` are the terms of regularizers by name, each times its weight and summed like the loss:
    scalars with a graph, of which no reported loss knows.
    """

    loss_sum: Tensor
    num_targets: int
    penalties: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def total(self) -> Tensor:
        """What is minimized: the loss with all penalties."""
        return sum(self.penalties.values(), self.loss_sum)


class Task(ABC):
    """Between a model and its numbers. Holds no weights and no state: one object serves a whole run.

    A task of your own derives from it, and all that belongs to a task is said here: no other room asks which it is.

    Attributes:
        name: what a source and a model call it.
        codecs: the kinds of rows that it takes; the first that fits a data set's rows reads them.
        trial_sizes: any small sizes, by the names of a model's parameters: to find out whether one can be built.
        source_tasks: other tasks whose rows it takes, as those sources offer that have `for_task`.
        losses: what `trainer.loss` may be; the first is what null means.
        has_probabilities: whether an answer has a probability, as the tests of faithfulness need.
        has_classes: whether each example has one class, so that `trainer.class_weights` can weigh them.
        directions: the metrics that can be monitored, and which way is better.
        shares: those of them that lie between 0 and 1 by what they are.
        default_monitor: the metric that decides which checkpoint is the best.
        tested: the metrics whose differences `compare` tests.
        right_metric: the one of those that is the share of right answers (see `is_right`); None: none is.
        writes: whether answers are written token by token, by a decoder: then the options of decoding count.
        continues: whether an answer goes on where the input ends, so that both are one text to a reader.

    Args:
        codec: turns ids into text. Evaluations and predictions need it, `step` does not.
        loss: what `step` sums; None: the first of `losses`.
        label_smoothing: share of the target probability that is spread evenly over all classes in training
            (Szegedy et al. 2016, sec. 7, arXiv:1512.00567). Evaluations measure without it.
        word_dropout: probability with which an input token is UNK in training, see `tasks.perturbation`.
        r_drop: alpha of R-Drop (Liang et al. 2021, eq. 4), see `tasks.perturbation`; 0: one pass, and no such term.
        regularization: what training asks of the attention weights; None: nothing.
        bleu_tokenizer: what splits words for BLEU, where texts are written; None: what suits their script.
        metrics: further ones, by the name that the configuration gives them.

    Raises:
        ValueError: a loss that the task has not, or that R-Drop cannot be added to.
    """

    name: ClassVar[str]
    codecs: ClassVar[tuple[type[Codec], ...]]
    trial_sizes: ClassVar[Mapping[str, int | None]]
    source_tasks: ClassVar[tuple[str, ...]] = ()
    losses: ClassVar[tuple[Loss, ...]] = ("cross_entropy",)
    has_probabilities: ClassVar[bool] = True
    has_classes: ClassVar[bool] = False
    directions: ClassVar[Mapping[str, Direction]]
    shares: ClassVar[frozenset[str]] = frozenset()
    default_monitor: ClassVar[str]
    tested: ClassVar[tuple[str, ...]] = ()
    right_metric: ClassVar[str | None] = None
    writes: ClassVar[bool] = False
    continues: ClassVar[bool] = False

    def __init__(
        self,
        codec: Codec | None = None,
        *,
        loss: Loss | None = None,
        label_smoothing: Probability = 0.0,
        word_dropout: Probability = 0.0,
        r_drop: NonNegativeFloat = 0.0,
        regularization: Regularization | None = None,
        bleu_tokenizer: BleuTokenizer | None = None,
        metrics: Mapping[str, Metric] | None = None,
    ) -> None:
        loss = loss or self.losses[0]
        if loss not in self.losses:
            raise ValueError(f"must be one of {', '.join(self.losses)} for {self.name}, got {loss}.")
        if r_drop and loss == "mse":
            raise ValueError(f"r_drop compares probabilities, which {loss} has not. Use cross_entropy, or r_drop=0.")
        self._codec = codec
        self.loss = loss
        self.label_smoothing = label_smoothing
        self.word_dropout = word_dropout
        self.r_drop = r_drop
        self.regularizers = Regularizers(regularization or Regularization(), codec)
        self.bleu_tokenizer = bleu_tokenizer
        self.metrics = metrics or {}

    @property
    def all_directions(self) -> dict[str, Direction]:
        """The task's own metrics and the further ones, and which way each is better."""
        return {**self.directions, **directions_of(self.metrics)}

    @property
    def codec(self) -> Codec:
        """What turns ids into text."""
        assert self._codec is not None
        return self._codec

    @classmethod
    def is_right(cls, prediction: str, target: str) -> bool:
        """Whether an answer counts as right."""
        return prediction == target

    @classmethod
    def text_scorers(cls, references: Sequence[str], evaluated: Mapping[str, Any]) -> dict[str, Any]:
        """sacrebleu's metrics by the names of ours, for the paired bootstrap of `compare`; empty if none is tested.

        Args:
            evaluated: what a run's summary says of its test: metrics, and the extras of the evaluation.
        """
        return {}

    @classmethod
    def paired_errors(cls, predictions: Sequence[str], targets: Sequence[str]) -> dict[str, list[float]]:
        """Metric -> what each example adds to it, for the paired test of `compare`; empty: no metric is such a mean."""
        return {}

    @classmethod
    def incomparable(cls, left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, str]:
        """The metrics that two runs have measured in different ways, and how; as the summaries say of their tests."""
        return {}

    def monitor_for(self, rows: Sequence[Row]) -> str:
        """The metric that decides which checkpoint is the best, where the user chooses none. `rows` are evaluated."""
        return self.default_monitor

    def remarks(self, rows: Sequence[Row], monitor: str, decoding: DecodingOptions) -> list[str]:
        """Lines for the user, before training, on what the metrics of these rows can be."""
        return []

    @classmethod
    def option_problems(cls, dataset: DatasetOptions, decoding: DecodingOptions) -> list[str]:
        """What of a data set's and the decoding's options makes no sense for this task: `key: problem. The way out.`"""
        if decoding.num_best > 1 and not cls.writes:
            return [f"decoding.num_best: {cls.name} has one answer per input, got {decoding.num_best}. Use 1."]
        return []

    @property
    def num_passes(self) -> int:
        """How many times a model sees each example in a training step."""
        return 2 if self.r_drop else 1

    @abstractmethod
    def step(self, model: Model, batch: Batch, optimizer_step: int = 1) -> StepOutput:
        """Training loss of a batch that lies on the model's device.

        `optimizer_step`, counted from 1, is what the schedules of the regularizers follow.
        """

    def num_targets(self, batch: Batch) -> int:
        """Number of targets that `step` sums over, known without running the model or waiting for the device."""
        return batch.num_targets

    def evaluate(
        self,
        model: Model,
        batches: Iterable[Batch],
        *,
        decoding: DecodingOptions | None = None,
        num_samples: int = 0,
    ) -> Evaluation:
        """Metrics of a split, in eval mode and without gradients; the model's modes are put back afterwards.

        No metric depends on the size or the order of the batches. `decoding=None` means greedy; a task that decodes
        nothing ignores it. `num_samples` examples become samples: the first of each target by turns.

        Raises:
            DataError: there is no example.
        """
        return self.evaluation_of(self.tally(model, batches, decoding, num_samples), num_samples)

    def evaluation_of(self, tally: Tally, num_samples: int = 0) -> Evaluation:
        """What `conclude` gives, with the further metrics, and answers to read.

        Raises:
            ConfigError: one of these failed; names it.
        """
        evaluation = self.conclude(tally, num_samples)
        answers = self.answers_to_read(evaluation.predictions, ANSWERS_PER_SAMPLE * num_samples)
        evaluation = replace(evaluation, answers=answers)
        if not self.metrics:
            return evaluation
        return replace(evaluation, metrics={**evaluation.metrics, **measured(self.metrics, evaluation.predictions)})

    def answers_to_read(self, predictions: Sequence[Prediction], num_answers: int) -> tuple[Sample, ...]:
        """Some answers without maps, those first from which most is learned."""
        return chosen_answers(predictions, self.is_right, num_answers)

    @abstractmethod
    def tally(
        self, model: Model, batches: Iterable[Batch], decoding: DecodingOptions | None = None, num_samples: int = 0
    ) -> Tally:
        """The work of `evaluate`, up to where all of a split must be known: what several processes can share."""

    @abstractmethod
    def conclude(self, tally: Tally, num_samples: int = 0) -> Evaluation:
        """The task's own metrics of a split, of the tallies of its parts added up (`tasks.tally`)."""

    def probe(
        self,
        model: Model,
        examples: Sequence[Encoded],
        device: torch.device,
        target: str | None = None,
        decoding: DecodingOptions | None = None,
        *,
        skip_empty: bool = False,
    ) -> Probe:
        """The model as plain functions of these examples, for whoever explains its answers; in `probe.own_copy`.

        Args:
            target: the answer to explain; None: the model's own.
            skip_empty: leave out examples without an output, instead of raising; if all are, that is raised.

        Raises:
            ConfigError: a target that there is not, or a task whose answers cannot be explained.
            DataError: an output without a token.
        """
        raise ConfigError(f"method: answers of {self.name} cannot be explained. method=attention shows the weights.")

    def answer_ids(self, answer: str, key: str) -> list[int]:
        """The numbers of another answer, as in `Probe.answers`; `key`: the option that names it, for messages.

        Raises:
            ConfigError: there is no such answer.
        """
        raise ConfigError(f"{key}: answers of {self.name} are no choice among others. Leave {key} out.")

    def axis_lengths(self, batch: Batch) -> dict[Axis, Tensor]:
        """How long each sequence is that a model's attentions look at in `maps`: (B,).

        The input, and an output that is written: its queries and keys are those that predict a token.
        """
        lengths: dict[Axis, Tensor] = {"input": batch.input_lengths}
        return lengths if batch.target_lengths is None else {**lengths, "output": batch.target_lengths - 1}

    def maps(self, model: Model, batch: Batch) -> dict[str, Tensor]:
        """Weights (B, H, Q, K) of a batch by attention, of eval mode and under the reference, on the CPU, 0 at padding.

        Empty where a task knows none.
        """
        return {}

    @abstractmethod
    def predict(
        self,
        model: Model,
        batches: Iterable[Batch],
        *,
        decoding: DecodingOptions | None = None,
        need_weights: bool = False,
    ) -> Iterator[Prediction]:
        """Answers, in the order of the batches. An empty input gives a prediction with `skipped="empty input"`."""

    @abstractmethod
    def inspect(
        self, model: Model, batches: Iterable[Batch], *, decoding: DecodingOptions | None = None
    ) -> Iterator[Inspected]:
        """Answers as `predict` gives them, with the weights of every attention of the model."""
