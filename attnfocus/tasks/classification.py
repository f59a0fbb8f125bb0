"""A class for each input.

Shapes: B examples, L input positions, C classes, H heads, Q queries, K keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.data.batches import Batch
from attnfocus.data.codec import TextLabelCodec, VectorLabelCodec
from attnfocus.errors import DataError
from attnfocus.events import Direction
from attnfocus.models.base import num_prepended
from attnfocus.tasks.answers import Evaluation, Inspected, Prediction
from attnfocus.tasks.base import Loss, StepOutput, Task
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
from attnfocus.tasks.maps import attention_map
from attnfocus.tasks.measures import plausibility as plausible
from attnfocus.tasks.measures.focus import FocusMeans, real_weights
from attnfocus.tasks.perturbation import r_drop_loss, seen_in_training
from attnfocus.tasks.regularizers import Look
from attnfocus.tasks.tally import Tally

if TYPE_CHECKING:
    from attnfocus.decoding import DecodingOptions

LabelCodec = TextLabelCodec | VectorLabelCodec

# Weights of self-attention need (rows, H, L, L): rows * L * L is kept below this, whatever the batch.
_MAX_PAIRS = 2**22


class ClassificationTask(Task):
    """Cross entropy, or squared error, of the classes; accuracy, macro averages and the confusion matrix.

    The losses: `cross_entropy` of softmax(logits); `mse`: mean over classes of (logits - one-hot target)^2, under
    which the logits themselves estimate the probabilities (Hui & Belkin 2021, arXiv:2006.07322).
    """

    name: ClassVar[str] = "classification"
    losses: ClassVar[tuple[Loss, ...]] = ("cross_entropy", "mse")
    directions: ClassVar[Mapping[str, Direction]] = {
        "loss": "min",
        "accuracy": "max",
        "macro_precision": "max",
        "macro_recall": "max",
        "macro_f1": "max",
        **plausible.DIRECTIONS,
    }
    default_monitor: ClassVar[str] = "accuracy"

    @property
    def codec(self) -> LabelCodec:
        assert isinstance(self._codec, LabelCodec)
        return self._codec

    def step(self, model: nn.Module, batch: Batch, optimizer_step: int = 1) -> StepOutput:
        seen = seen_in_training(batch, word_dropout=self.word_dropout, r_drop=self.r_drop)
        asked = {"need_weights": True} if self.regularizers.need_weights(optimizer_step) else {}
        logits, weights = model(seen.inputs, seen.input_lengths, **asked)
        looks = [Look(name, each, *_sizes(model, name, seen.input_lengths)) for name, each in weights.items()]
        penalties = self.regularizers.penalties(optimizer_step, model, seen, looks, self.num_passes)
        losses = self._losses(logits, seen.targets, self.label_smoothing)
        loss_sum = r_drop_loss(losses, logits, self.r_drop) if self.r_drop else losses.sum()
        return StepOutput(loss_sum, batch.num_targets, penalties)

    def tally(
        self, model: nn.Module, batches: Iterable[Batch], decoding: DecodingOptions | None = None, num_samples: int = 0
    ) -> Tally:
        """See `Task.tally`. Asking for the weights leaves fused kernels out and costs memory (rows, H, L, L) per layer
        of self-attention, for which long inputs are run a few rows at a time.
        """
        sums, focus, first = ExactSums(), FocusMeans(), FirstExamples(num_samples)
        predictions, plausibility = list[Prediction](), plausible.Plausibility(self.codec)
        answers, expected = list[Tensor](), list[Tensor]()
        with evaluating(model) as device:
            for batch in (batch.to(device) for batch in batches):
                for numbers in _slices(batch):
                    inputs, targets = Inputs.of(batch, numbers), batch.targets[numbers]
                    output = model(inputs.inputs, inputs.lengths, need_weights=True)
                    sums.add("loss", self._losses(output.logits, targets))
                    special = _special(model, inputs.inputs)
                    for name, weights in output.weights.items():
                        focus.add(name, weights, *_sizes(model, name, inputs.lengths), special)
                    plausibility.add(inputs.rows, inputs.lengths, output.weights, num_prepended(model))
                    answers.append(output.logits.argmax(dim=-1))
                    expected.append(targets)
                    predictions += self._predictions(inputs, output.logits)
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
            plausible.Plausibility(self.codec, tally["rationales"]),
            FocusMeans(tally["focus"]).table(),
        )
        metrics = {**loss, **metrics, **plausibility.metrics(), **table.metrics()}
        extras: dict[str, object] = {"confusion_matrix": matrix, "labels": list(self.codec.labels)}
        return Evaluation(metrics, predictions, tuple(samples), extras, table)

    def maps(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        with evaluating(model):
            weights = model(batch.inputs, batch.input_lengths, need_weights=True).weights
        return {name: real_weights(each, *_sizes(model, name, batch.input_lengths)) for name, each in weights.items()}

    def predict(
        self,
        model: nn.Module,
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
        self, model: nn.Module, batches: Iterable[Batch], *, decoding: DecodingOptions | None = None
    ) -> Iterator[Inspected]:
        for answer in self.predict(model, batches, need_weights=True):
            weights = answer.weights or {}
            queries = answer.query_tokens
            maps = (attention_map(name, each, queries[name], answer.key_tokens) for name, each in weights.items())
            yield Inspected(answer, tuple(maps))

    def _answers(
        self, model: nn.Module, batch: Batch, need_weights: bool, numbers: list[int] | None = None
    ) -> list[Prediction]:
        def answer(inputs: Inputs) -> list[Prediction]:
            output = model(inputs.inputs, inputs.lengths, need_weights=need_weights)
            shown = self._shown(model, inputs, output.weights) if need_weights else None
            return self._predictions(inputs, output.logits, shown)

        return answer_all(model, batch, answer, numbers)

    def _predictions(
        self, inputs: Inputs, logits: Tensor, shown: list[dict[str, Any]] | None = None
    ) -> list[Prediction]:
        classes = logits.argmax(dim=-1)
        scores = self._log_probabilities(logits).gather(1, classes.unsqueeze(1)).squeeze(1)
        answers = zip(inputs.ids, inputs.rows, classes.tolist(), scores.tolist(), strict=True)
        return [
            Prediction(
                identifier,
                self.codec.labels[number],
                score,
                source_text(row),
                row.target,
                **({} if shown is None else shown[position]),
            )
            for position, (identifier, row, number, score) in enumerate(answers)
        ]

    def _shown(self, model: nn.Module, inputs: Inputs, weights: Mapping[str, Tensor]) -> list[dict[str, Any]]:
        """For each example its weights, cut to what is real, and the tokens that label their axes."""
        prepended = ("<cls>",) * num_prepended(model)
        on_cpu = {name: each.float().cpu().numpy() for name, each in weights.items()}
        shown = []
        for number, length in enumerate(inputs.lengths.tolist()):
            keys = prepended + tuple(self.codec.input_tokens(inputs.inputs[number, :length].tolist()))
            maps, queries = {}, {}
            for name, each in on_cpu.items():
                num_queries = len(keys) if _is_self_attention(name) else each.shape[2]
                maps[name] = each[number, :, :num_queries, : len(keys)].copy()
                queries[name] = keys if _is_self_attention(name) else _learned_queries(name, num_queries)
            shown.append({"key_tokens": keys, "query_tokens": queries, "weights": maps})
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


def _slices(batch: Batch) -> Iterator[list[int]]:
    """The numbers of the batch's examples, so many at a time that the weights of self-attention stay small."""
    num_pairs = max(1, batch.inputs.shape[1]) ** 2
    size = max(1, _MAX_PAIRS // num_pairs)
    for start in range(0, len(batch), size):
        yield list(range(start, min(start + size, len(batch))))


def _is_self_attention(name: str) -> bool:
    return name.startswith("layers.")  # others, such as `pooling`, have learned queries, all of them real


def _learned_queries(name: str, number: int) -> tuple[str, ...]:
    return (name,) if number == 1 else tuple(f"{name} {query}" for query in range(number))


def _sizes(model: nn.Module, name: str, lengths: Tensor) -> tuple[Tensor, Tensor | None]:
    """How many keys and how many queries of each example are real; None: all queries."""
    sizes = lengths + num_prepended(model)
    return sizes, sizes if _is_self_attention(name) else None


def _special(model: nn.Module, inputs: Tensor) -> Tensor:
    """Which keys of the weights are no tokens of the text: what the model puts in front, unknown words. bool (B, K)."""
    ids = torch.zeros(inputs.shape[:2], dtype=torch.bool, device=inputs.device)
    special = ids if inputs.is_floating_point() else is_special(inputs)
    special = F.pad(special, (0, 1)) if special.shape[1] == 0 else special  # as models do with empty inputs
    return F.pad(special, (num_prepended(model), 0), value=True)


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
