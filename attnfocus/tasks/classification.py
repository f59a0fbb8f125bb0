"""A class for each input.

Shapes: B examples, L input positions, C classes, H heads, Q queries, K keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from attnfocus.data.batches import collate
from attnfocus.data.codecs.base import Codec
from attnfocus.data.codecs.label import LabelCodec
from attnfocus.data.codecs.text_label import TextLabelCodec
from attnfocus.data.codecs.vector_label import VectorLabelCodec
from attnfocus.errors import ConfigError, DataError
from attnfocus.events import Direction
from attnfocus.focus.regularizer_options import Regularization
from attnfocus.limits import NonNegativeFloat, Probability
from attnfocus.metrics.base import Metric
from attnfocus.models.base import Model
from attnfocus.tasks.answers import Evaluation, Prediction
from attnfocus.tasks.base import Loss
from attnfocus.tasks.class_losses import cross_entropies, estimated_log_probabilities, focal_factors, squared_errors
from attnfocus.tasks.class_probe import ClassificationProbe
from attnfocus.tasks.evaluation import (
    ExactSums,
    Inputs,
    at_least_float32,
    chosen_samples,
    in_order,
    source_text,
)
from attnfocus.tasks.measures.classes import by_class, class_metrics, majority
from attnfocus.tasks.measures.focus import FocusMeans
from attnfocus.tasks.measures.plausibility import DIRECTIONS as PLAUSIBILITY_DIRECTIONS
from attnfocus.tasks.measures.plausibility import Plausibility
from attnfocus.tasks.one_answer import OneAnswerTask
from attnfocus.tasks.tally import Tally

if TYPE_CHECKING:
    from attnfocus.data.codecs.base import Encoded
    from attnfocus.decoding import DecodingOptions
    from attnfocus.tasks.probe import Probe


SHARES = ("accuracy", "macro_precision", "macro_recall", "macro_f1")


class ClassificationTask(OneAnswerTask):
    """Cross entropy, or squared error, of the classes; accuracy, macro averages and the confusion matrix.

    The losses: `cross_entropy` of softmax(logits); `mse`: mean over classes of (logits - one-hot target)^2, under
    which the logits themselves estimate the probabilities (Hui & Belkin 2021, arXiv:2006.07322); `focal`: the cross
    entropy times (1 - p)^gamma, p the probability of the target (Lin et al. 2017, eq. 4, arXiv:1708.02002). In training
    each example's loss is multiplied by the weight of its class. Evaluations measure without weights and gamma.

    Args:
        focal_gamma: gamma; codec, loss, and the rest: as in `Task`.
        class_weights: a weight for each class, in the order of the labels; None: 1. R-Drop's divergence has none.
    """

    name: ClassVar[str] = "classification"
    codecs: ClassVar[tuple[type[Codec], ...]] = (TextLabelCodec, VectorLabelCodec)
    trial_sizes: ClassVar[Mapping[str, int | None]] = {"vocab_size": 8, "input_dim": None, "num_classes": 2}
    losses: ClassVar[tuple[Loss, ...]] = ("cross_entropy", "mse", "focal")
    has_classes: ClassVar[bool] = True
    directions: ClassVar[Mapping[str, Direction]] = {
        "loss": "min",
        **dict.fromkeys(SHARES, "max"),
        **PLAUSIBILITY_DIRECTIONS,
    }
    shares: ClassVar[frozenset[str]] = frozenset(SHARES)
    default_monitor: ClassVar[str] = "accuracy"
    tested: ClassVar[tuple[str, ...]] = ("accuracy",)
    right_metric: ClassVar[str | None] = "accuracy"

    def __init__(
        self,
        codec: Codec | None = None,
        *,
        loss: Loss | None = None,
        focal_gamma: NonNegativeFloat = 2.0,
        class_weights: Sequence[float] | None = None,
        label_smoothing: Probability = 0.0,
        word_dropout: Probability = 0.0,
        r_drop: NonNegativeFloat = 0.0,
        regularization: Regularization | None = None,
        metrics: Mapping[str, Metric] | None = None,
    ) -> None:
        super().__init__(
            codec,
            loss=loss,
            label_smoothing=label_smoothing,
            word_dropout=word_dropout,
            r_drop=r_drop,
            regularization=regularization,
            metrics=metrics,
        )
        self.focal_gamma = focal_gamma
        self.class_weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float64)

    @property
    def codec(self) -> LabelCodec:
        assert isinstance(self._codec, LabelCodec)
        return self._codec

    def conclude(self, tally: Tally, num_samples: int = 0) -> Evaluation:
        """See `Task.conclude`. An empty input is answered too: every row counts. Metrics:

        loss: mean over the examples. accuracy: share of right answers.
        macro_precision, macro_recall, macro_f1: unweighted means over the classes that occur, as a label or an answer.
        plausibility/...: see `tasks.measures.plausibility`; where rows have rationales and the model weighs each token.
        focus/...: of all attentions.
        `extras`: confusion_matrix, a row for each true class, a column for each answer; labels, their order; classes,
            each with rows, precision, recall, f1; majority, the commonest label and the accuracy of always giving it.
        """
        predictions, samples = in_order(tally["predictions"]), chosen_samples(tally["samples"], num_samples)
        if not predictions:
            raise DataError("there is no example to evaluate on. Give a split that holds rows.")
        answers, expected = (torch.cat(tally[name]).cpu() for name in ("answers", "expected"))
        labels = self.codec.labels
        metrics, matrix = class_metrics(answers, expected, len(labels))
        loss = {"loss": ExactSums(tally["sums"]).total("loss") / len(predictions)}
        plausibility = Plausibility(self.codec, tally["rationales"])
        table = FocusMeans(tally["focus"]).table()
        metrics = {**loss, **metrics, **plausibility.metrics(), **table.metrics()}
        label, share = majority({label: sum(row) for label, row in zip(labels, matrix, strict=True)})
        extras: dict[str, object] = {
            "confusion_matrix": matrix,
            "labels": list(labels),
            "classes": by_class(matrix, labels),
            "majority": {"label": label, "accuracy": round(share, 7)},
        }
        return Evaluation(metrics, predictions, samples, extras, table)

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
        batch, labels, classes = collate(examples).to(device), self.codec.labels, None
        if target is not None:
            classes = torch.full((len(examples),), self.answer_ids(target, "target")[0], device=device)
        inputs = (batch.inputs, batch.input_lengths)
        return ClassificationProbe(model, *inputs, classes, labels, are_probabilities=self.loss == "mse")

    def answer_ids(self, answer: str, key: str) -> list[int]:
        labels = self.codec.labels
        if answer not in labels:
            raise ConfigError(f"{key}: must be one of the labels {', '.join(labels[:20])}, got {answer}.")
        return [labels.index(answer)]

    def _predictions(
        self, inputs: Inputs, logits: Tensor, shown: list[dict[str, Any]] | None = None, max_classes: int | None = None
    ) -> list[Prediction]:
        """`max_classes`: up to how many the probabilities of all are kept; None: always."""
        log_probabilities, labels = self._log_probabilities(logits), self.codec.labels
        scores = log_probabilities.gather(1, logits.argmax(dim=-1, keepdim=True)).squeeze(1)
        is_kept = max_classes is None or len(labels) <= max_classes
        shares = log_probabilities.exp().tolist() if is_kept else [()] * len(inputs.ids)
        facts = zip(logits.argmax(dim=-1).tolist(), scores.tolist(), shares, inputs.unknown_shares(), strict=True)
        return [
            Prediction(
                inputs.ids[position],
                labels[number],
                score,
                source_text(inputs.rows[position]),
                inputs.rows[position].target,
                class_probabilities=tuple(of_classes),
                labels=labels if is_kept else (),
                unknown=unknown,
                **({} if shown is None else shown[position]),
            )
            for position, (number, score, of_classes, unknown) in enumerate(facts)
        ]

    def _training_losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What is minimized of each example: logits (B, C), targets (B,) -> (B,)."""
        losses = self._losses(logits, targets, self.label_smoothing)
        if self.loss == "focal":
            losses = losses * focal_factors(logits, targets, self.focal_gamma)
        return losses if self.class_weights is None else losses * self.class_weights.to(losses)[targets]

    def _losses(self, logits: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Loss of each example: logits (B, C), targets (B,) -> (B,)."""
        losses = squared_errors if self.loss == "mse" else cross_entropies
        return losses(logits, targets, label_smoothing)

    def _answered(self, logits: Tensor) -> Tensor:
        return logits.argmax(dim=-1)

    def _log_probabilities(self, logits: Tensor) -> Tensor:
        if self.loss == "mse":
            return estimated_log_probabilities(logits)
        return at_least_float32(logits).log_softmax(dim=-1)
