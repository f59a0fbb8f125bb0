"""Tasks with one answer for each input, a class or a number: what they have in common.

Shapes: B examples, L input positions, C outputs of the model, H heads, Q queries, K keys.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from torch import Tensor

from attnfocus.attention.role import Axis
from attnfocus.data.batches import Batch
from attnfocus.models.base import Model
from attnfocus.tasks.answers import Inspected, Prediction
from attnfocus.tasks.base import StepOutput, Task
from attnfocus.tasks.evaluation import (
    ExactSums,
    FirstExamples,
    Inputs,
    answer_all,
    evaluating,
    sample_of,
    slices,
    special_keys,
)
from attnfocus.tasks.looks import looks_of, observed
from attnfocus.tasks.maps import attention_map, numbered, shown_weights
from attnfocus.tasks.measures.focus import FocusMeans
from attnfocus.tasks.measures.plausibility import Plausibility
from attnfocus.tasks.perturbation import r_drop_loss, seen_in_training
from attnfocus.tasks.tally import Tally

if TYPE_CHECKING:
    from attnfocus.data.preparation import DatasetOptions
    from attnfocus.decoding import DecodingOptions

MAX_CLASSES_KEPT = 1000  # up to which an evaluation keeps the probabilities of all classes of each example


class OneAnswerTask(Task):
    """A task of the models that are `Classifier`s: C outputs for each input, of which its answer is made.

    Attributes:
        max_pairs: weights of self-attention need (rows, H, L, L): in an evaluation rows * L * L is kept below this,
            whatever the batch.
    """

    max_pairs: int = 2**22

    @classmethod
    def option_problems(cls, dataset: DatasetOptions, decoding: DecodingOptions) -> list[str]:
        problems = super().option_problems(dataset, decoding)
        if dataset.clean.max_words_ratio is not None:
            problems.append("dataset: clean.max_words_ratio compares the two sides of text pairs; use null")
        if dataset.tokenizer.shared:
            problems.append("dataset: tokenizer.shared is for text pairs, and here is one text; use false")
        return problems

    def step(self, model: Model, batch: Batch, optimizer_step: int = 1) -> StepOutput:
        seen = seen_in_training(batch, word_dropout=self.word_dropout, r_drop=self.r_drop)
        asked = {"need_weights": True} if self.regularizers.need_weights(optimizer_step) else {}
        logits, weights = model(seen.inputs, seen.input_lengths, **asked)
        looks = looks_of(model, weights, {"input": seen.input_lengths})
        penalties = self.regularizers.penalties(optimizer_step, model, seen, looks, self.num_passes)
        losses = self._training_losses(logits, seen.targets)
        loss_sum = r_drop_loss(losses, logits, self.r_drop) if self.r_drop else losses.sum()
        return StepOutput(loss_sum, batch.num_targets, penalties)

    def tally(
        self, model: Model, batches: Iterable[Batch], decoding: DecodingOptions | None = None, num_samples: int = 0
    ) -> Tally:
        """See `Task.tally`. Of self-attention over long inputs some queries alone are weighed, beside a fused kernel
        (`looks.observed`). Where that is not possible, weights cost memory (rows, H, L, L) per layer, for which long
        inputs are run a few rows at a time.
        """
        sums, focus, first = ExactSums(), FocusMeans(), FirstExamples(num_samples)
        predictions, plausibility = list[Prediction](), Plausibility(self.codec)
        answers, expected = list[Tensor](), list[Tensor]()
        with evaluating(model) as device:
            for batch in (batch.to(device) for batch in batches):
                for numbers in slices(batch, self.max_pairs):
                    inputs, targets = Inputs.of(batch, numbers), batch.targets[numbers]
                    lengths: dict[Axis, Tensor] = {"input": inputs.lengths}
                    with observed(model, lengths, inputs.rows) as seen:
                        output = model(inputs.inputs, inputs.lengths, need_weights=True)
                    sums.add("loss", self._losses(output.logits, targets))
                    specials = {"input": special_keys(model, inputs.inputs)}
                    looks = looks_of(model, output.weights, lengths, seen)
                    focus.add_looks(looks, specials)
                    plausibility.add(inputs.rows, inputs.lengths, looks, model.num_prepended)
                    answers.append(self._answered(output.logits))
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
            shown = shown_weights(model, self.codec, inputs, output.weights) if need_weights else None
            return self._predictions(inputs, output.logits, shown)

        return answer_all(model, batch, answer, numbers)

    @abstractmethod
    def _training_losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What is minimized of each example: logits (B, C), targets (B,) -> (B,)."""

    @abstractmethod
    def _losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of each example as evaluations measure it: logits (B, C), targets (B,) -> (B,)."""

    @abstractmethod
    def _answered(self, logits: Tensor) -> Tensor:
        """What is answered: logits (B, C) -> (B,)."""

    @abstractmethod
    def _predictions(
        self, inputs: Inputs, logits: Tensor, shown: list[dict[str, Any]] | None = None, max_classes: int | None = None
    ) -> list[Prediction]:
        """The answers to inputs; `shown` their weights; `max_classes`: up to how many classes the probabilities of all
        are kept, None: always."""
