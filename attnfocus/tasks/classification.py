"""A class for each input.

Shapes: B examples, L input positions, C classes, H heads, Q queries, K keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.data.batches import Batch, collate
from attnfocus.data.codecs.base import Codec, LabelCodec
from attnfocus.data.codecs.text_label import TextLabelCodec
from attnfocus.data.codecs.vector_label import VectorLabelCodec
from attnfocus.errors import ConfigError, DataError
from attnfocus.events import Direction
from attnfocus.models.base import Model
from attnfocus.tasks.answers import Evaluation, Inspected, Prediction
from attnfocus.tasks.base import Loss, StepOutput, Task
from attnfocus.tasks.class_probe import ClassificationProbe
from attnfocus.tasks.evaluation import (
    LOWEST_PROBABILITY,
    ExactSums,
    FirstExamples,
    Inputs,
    answer_all,
    at_least_float32,
    evaluating,
    in_order,
    is_special,
    sample_of,
    source_text,
)
from attnfocus.tasks.looks import looks_of
from attnfocus.tasks.maps import attention_map, numbered
from attnfocus.tasks.measures.focus import FocusMeans
from attnfocus.tasks.measures.plausibility import DIRECTIONS as PLAUSIBILITY_DIRECTIONS
from attnfocus.tasks.measures.plausibility import Plausibility
from attnfocus.tasks.perturbation import r_drop_loss, seen_in_training
from attnfocus.tasks.tally import Tally

if TYPE_CHECKING:
    from attnfocus.data.codecs.base import Encoded
    from attnfocus.data.preparation import DatasetOptions
    from attnfocus.decoding import DecodingOptions
    from attnfocus.tasks.probe import Probe


MAX_CLASSES_KEPT = 1000  # up to which an evaluation keeps the probabilities of all classes of each example


class ClassificationTask(Task):
    """Cross entropy, or squared error, of the classes; accuracy, macro averages and the confusion matrix.

    The losses: `cross_entropy` of softmax(logits); `mse`: mean over classes of (logits - one-hot target)^2, under
    which the logits themselves estimate the probabilities (Hui & Belkin 2021, arXiv:2006.07322).

    Attributes:
        max_pairs: weights of self-attention need (rows, H, L, L): in an evaluation rows * L * L is kept below this,
            whatever the batch.
    """

    max_pairs: int = 2**22
    name: ClassVar[str] = "classification"
    codecs: ClassVar[tuple[type[Codec], ...]] = (TextLabelCodec, VectorLabelCodec)
    trial_sizes: ClassVar[Mapping[str, int | None]] = {"vocab_size": 8, "input_dim": None, "num_classes": 2}
    losses: ClassVar[tuple[Loss, ...]] = ("cross_entropy", "mse")
    directions: ClassVar[Mapping[str, Direction]] = {
        "loss": "min",
        "accuracy": "max",
        "macro_precision": "max",
        "macro_recall": "max",
        "macro_f1": "max",
        **PLAUSIBILITY_DIRECTIONS,
    }
    default_monitor: ClassVar[str] = "accuracy"
    tested: ClassVar[tuple[str, ...]] = ("accuracy",)
    right_metric: ClassVar[str | None] = "accuracy"

    @property
    def codec(self) -> LabelCodec:
        assert isinstance(self._codec, LabelCodec)
        return self._codec

    @classmethod
    def option_problems(cls, dataset: DatasetOptions, decoding: DecodingOptions) -> list[str]:
        problems = super().option_problems(dataset, decoding)
        if dataset.clean.max_words_ratio is not None:
            problems.append(
                "dataset: clean.max_words_ratio compares the two sides of text pairs; a label has no length"
            )
        if dataset.tokenizer.shared:
            problems.append("dataset: tokenizer.shared is for text pairs; texts with labels have one vocabulary anyway")
        return problems

    def step(self, model: Model, batch: Batch, optimizer_step: int = 1) -> StepOutput:
        seen = seen_in_training(batch, word_dropout=self.word_dropout, r_drop=self.r_drop)
        asked = {"need_weights": True} if self.regularizers.need_weights(optimizer_step) else {}
        logits, weights = model(seen.inputs, seen.input_lengths, **asked)
        looks = looks_of(model, weights, {"input": seen.input_lengths})
        penalties = self.regularizers.penalties(optimizer_step, model, seen, looks, self.num_passes)
        losses = self._losses(logits, seen.targets, self.label_smoothing)
        loss_sum = r_drop_loss(losses, logits, self.r_drop) if self.r_drop else losses.sum()
        return StepOutput(loss_sum, batch.num_targets, penalties)

    def tally(
        self, model: Model, batches: Iterable[Batch], decoding: DecodingOptions | None = None, num_samples: int = 0
    ) -> Tally:
        """See `Task.tally`. Asking for the weights leaves fused kernels out and costs memory (rows, H, L, L) per layer
        of self-attention, for which long inputs are run a few rows at a time.
        """
        sums, focus, first = ExactSums(), FocusMeans(), FirstExamples(num_samples)
        predictions, plausibility = list[Prediction](), Plausibility(self.codec)
        answers, expected = list[Tensor](), list[Tensor]()
        with evaluating(model) as device:
            for batch in (batch.to(device) for batch in batches):
                for numbers in _slices(batch, self.max_pairs):
                    inputs, targets = Inputs.of(batch, numbers), batch.targets[numbers]
                    output = model(inputs.inputs, inputs.lengths, need_weights=True)
                    sums.add("loss", self._losses(output.logits, targets))
                    specials = {"input": _special(model, inputs.inputs)}
                    looks = looks_of(model, output.weights, {"input": inputs.lengths})
                    for look in looks:
                        special = specials.get(look.place.keys)
                        focus.add(look.name, look.place.kind, look.weights, look.num_keys, look.num_queries, special)
                    plausibility.add(inputs.rows, inputs.lengths, looks, model.num_prepended)
                    answers.append(output.logits.argmax(dim=-1))
                    expected.append(targets)
                    predictions += self._predictions(inputs, output.logits, max_classes=MAX_CLASSES_KEPT)
                first.offer(batch)
            samples = [self._answers(model, batch, True, [number])[0] for batch, number in first]
        return {
            "sums": sums.parts,
            "focus": focus.parts,
            "rationales": plausibility.examples,
            "answers": answers,
            "expected": expected,
            "predictions": predictions,
            "samples": [sample_of(each) for each in samples],
        }

    def conclude(self, tally: Tally, num_samples: int = 0) -> Evaluation:
        """See `Task.conclude`. An empty input is answered too: every row counts. Metrics:

        loss: mean over the examples. accuracy: share of right answers.
        macro_precision, macro_recall, macro_f1: unweighted means over the classes that occur, as a label or an answer.
        plausibility/...: see `tasks.measures.plausibility`; where rows have rationales and the model weighs each token.
        focus/...: of all attentions.
        `extras`: confusion_matrix, a row for each true class, a column for each answer; labels, their order.
        """
        predictions, samples = in_order(tally["predictions"]), in_order(tally["samples"])[:num_samples]
        if not predictions:
            raise DataError("there is no example to evaluate on. Give a split that holds rows.")
        answers, expected = (torch.cat(tally[name]).cpu() for name in ("answers", "expected"))
        metrics, matrix = _class_metrics(answers, expected, len(self.codec.labels))
        loss = {"loss": ExactSums(tally["sums"]).total("loss") / len(predictions)}
        plausibility, table = (
            Plausibility(self.codec, tally["rationales"]),
            FocusMeans(tally["focus"]).table(),
        )
        metrics = {**loss, **metrics, **plausibility.metrics(), **table.metrics()}
        extras: dict[str, object] = {"confusion_matrix": matrix, "labels": list(self.codec.labels)}
        return Evaluation(metrics, predictions, tuple(samples), extras, table)

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
            if target not in labels:
                raise ConfigError(f"target: must be one of the labels {', '.join(labels[:20])}, got {target}.")
            classes = torch.full((len(examples),), labels.index(target), device=device)
        inputs = (batch.inputs, batch.input_lengths)
        return ClassificationProbe(model, *inputs, classes, labels, are_probabilities=self.loss == "mse")

    def maps(self, model: Model, batch: Batch) -> dict[str, Tensor]:
        with evaluating(model):
            weights = model(batch.inputs, batch.input_lengths, need_weights=True).weights
        return {look.name: look.real for look in looks_of(model, weights, {"input": batch.input_lengths})}

    def predict(
        self,
        model: Model,
        batches: Iterable[Batch],
        *,
        decoding: DecodingOptions | None = None,
        need_weights: bool = False,
    ) -> Iterator[Prediction]:
        for batch in batches:
            with evaluating(model) as device:
                answers = self._answers(model, batch.to(device), need_weights)
            yield from answers

    def inspect(
        self, model: Model, batches: Iterable[Batch], *, decoding: DecodingOptions | None = None
    ) -> Iterator[Inspected]:
        for answer in self.predict(model, batches, need_weights=True):
            weights = answer.weights or {}
            places, queries = model.places_of(weights), answer.query_tokens
            maps = []
            for name, each in weights.items():
                of_input = places[name].keys == "input"
                keys = answer.key_tokens if of_input else numbered(name, each.shape[2])
                maps.append(attention_map(places[name], each, queries[name], keys))
            yield Inspected(answer, tuple(maps), is_one_answer=True)

    def _answers(
        self, model: Model, batch: Batch, need_weights: bool, numbers: list[int] | None = None
    ) -> list[Prediction]:
        def answer(inputs: Inputs) -> list[Prediction]:
            output = model(inputs.inputs, inputs.lengths, need_weights=need_weights)
            shown = self._shown(model, inputs, output.weights) if need_weights else None
            return self._predictions(inputs, output.logits, shown)

        return answer_all(model, batch, answer, numbers)

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

    def _shown(self, model: Model, inputs: Inputs, weights: Mapping[str, Tensor]) -> list[dict[str, Any]]:
        """For each example its weights, cut to what is real, and the tokens that label their axes."""
        prepended = ("<cls>",) * model.num_prepended
        places = model.places_of(weights)
        kinds = {name: place.kind for name, place in places.items()}
        on_cpu = {name: each.float().cpu().numpy() for name, each in weights.items()}
        shown = []
        for number, length in enumerate(inputs.lengths.tolist()):
            keys = prepended + tuple(self.codec.input_tokens(inputs.inputs[number, :length].tolist()))
            maps, queries = {}, {}
            for name, each in on_cpu.items():
                of_queries, of_keys = places[name].queries, places[name].keys
                num_queries = len(keys) if of_queries == "input" else each.shape[2]
                num_keys = len(keys) if of_keys == "input" else each.shape[3]
                maps[name] = each[number, :, :num_queries, :num_keys].copy()
                queries[name] = keys if of_queries == "input" else numbered(name, num_queries)
            shown.append({"key_tokens": keys, "query_tokens": queries, "weights": maps, "kinds": kinds})
        return shown

    def _losses(self, logits: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Loss of each example: logits (B, C), targets (B,) -> (B,)."""
        logits = at_least_float32(logits)
        if self.loss == "cross_entropy":
            return F.cross_entropy(logits, targets, reduction="none", label_smoothing=label_smoothing)
        num_classes = logits.shape[-1]
        one_hot = F.one_hot(targets, num_classes).to(logits.dtype)
        expected = one_hot * (1 - label_smoothing) + label_smoothing / num_classes
        return (logits - expected).square().mean(dim=-1)

    def _log_probabilities(self, logits: Tensor) -> Tensor:
        logits = at_least_float32(logits)
        if self.loss == "cross_entropy":
            return logits.log_softmax(dim=-1)
        return logits.clamp(LOWEST_PROBABILITY, 1.0).log()


def _slices(batch: Batch, max_pairs: int) -> Iterator[list[int]]:
    """The numbers of the batch's examples, so many at a time that the weights of self-attention stay small."""
    num_pairs = max(1, batch.inputs.shape[1]) ** 2
    size = max(1, max_pairs // num_pairs)
    for start in range(0, len(batch), size):
        yield list(range(start, min(start + size, len(batch))))


def _special(model: Model, inputs: Tensor) -> Tensor:
    """Which keys of the weights are no tokens of the text: what the model puts in front, unknown words. bool (B, K)."""
    ids = torch.zeros(inputs.shape[:2], dtype=torch.bool, device=inputs.device)
    special = ids if inputs.is_floating_point() else is_special(inputs)
    special = F.pad(special, (0, 1)) if special.shape[1] == 0 else special  # as models do with empty inputs
    return F.pad(special, (model.num_prepended, 0), value=True)


def _class_metrics(answers: Tensor, expected: Tensor, num_classes: int) -> tuple[dict[str, float], list[list[int]]]:
    """answers (N,), expected (N,) -> metrics, and the confusion matrix (true class, answer)."""
    from torchmetrics.functional import classification as metrics

    values = {
        "accuracy": metrics.multiclass_accuracy(answers, expected, num_classes, average="micro"),
        "macro_precision": metrics.multiclass_precision(answers, expected, num_classes, average="macro"),
        "macro_recall": metrics.multiclass_recall(answers, expected, num_classes, average="macro"),
        "macro_f1": metrics.multiclass_f1_score(answers, expected, num_classes, average="macro"),
    }
    matrix: list[list[int]] = metrics.multiclass_confusion_matrix(answers, expected, num_classes).tolist()
    # torchmetrics divides in float32: what follows the seventh digit is noise
    return {name: round(float(value), 7) for name, value in values.items()}, matrix
