"""Each token given those before it: language models.

Shapes: B texts, L positions (BOS and tokens), N tokens predicted, V vocabulary, H heads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from attnfocus.attention.role import Axis
from attnfocus.data.batches import Batch, collate
from attnfocus.data.codecs.base import Codec, Encoded
from attnfocus.data.codecs.sequence import SequenceCodec
from attnfocus.decoding import DecodingOptions
from attnfocus.errors import DataError
from attnfocus.events import Direction
from attnfocus.models.base import Model
from attnfocus.models.documents import Documents
from attnfocus.models.outputs import SequenceOutput
from attnfocus.special import PAD
from attnfocus.tasks.answers import Evaluation, Inspected, Prediction
from attnfocus.tasks.base import StepOutput, Task
from attnfocus.tasks.evaluation import (
    ExactSums,
    FirstExamples,
    Inputs,
    chosen_samples,
    evaluating,
    in_order,
    is_special,
    sample_of,
    slices,
)
from attnfocus.tasks.looks import looks_of, observed
from attnfocus.tasks.maps import attention_map
from attnfocus.tasks.measures.alignment import ALIGNMENT_ERROR_RATE, AlignmentByAttention
from attnfocus.tasks.measures.focus import FocusMeans
from attnfocus.tasks.measures.next_tokens import LossByPosition, bits_per_symbol, next_tokens, text_sizes
from attnfocus.tasks.measures.text import perplexity
from attnfocus.tasks.perturbation import seen_in_training
from attnfocus.tasks.sequence_answers import SequenceAnswers
from attnfocus.tasks.sequence_probe import sequence_probe
from attnfocus.tasks.tally import Tally, add_up
from attnfocus.tasks.token_loss import token_loss

if TYPE_CHECKING:
    from attnfocus.data.packing import Packing
    from attnfocus.data.preparation import DatasetOptions
    from attnfocus.data.rows import Row
    from attnfocus.tasks.probe import Probe


class LanguageModelingTask(Task):
    """Cross entropy of each token given those before it; of rows with answers, of the answers' tokens alone.

    Attributes:
        max_pairs: weights of self-attention need (rows, H, L, L): in an evaluation rows * L * L is kept below this,
            whatever the batch.
        heard: is told a text that is gone on with, again and again while it is written (`SequenceAnswers`).
    """

    max_pairs: int = 2**22
    heard: Callable[[str], None] | None = None
    name: ClassVar[str] = "language_modeling"
    codecs: ClassVar[tuple[type[Codec], ...]] = (SequenceCodec,)
    trial_sizes: ClassVar[Mapping[str, int | None]] = {"vocab_size": 8}
    directions: ClassVar[Mapping[str, Direction]] = {
        "loss": "min",
        "perplexity": "min",
        "bits_per_character": "min",
        "bits_per_byte": "min",
        "accuracy": "max",
        "exact_match": "max",
        ALIGNMENT_ERROR_RATE: "min",
    }
    shares: ClassVar[frozenset[str]] = frozenset({"accuracy", "exact_match", ALIGNMENT_ERROR_RATE})
    default_monitor: ClassVar[str] = "loss"
    tested: ClassVar[tuple[str, ...]] = ("exact_match",)
    right_metric: ClassVar[str | None] = "exact_match"
    continues: ClassVar[bool] = True

    @property
    def codec(self) -> SequenceCodec:
        assert isinstance(self._codec, SequenceCodec)
        return self._codec

    @property
    def answers(self) -> SequenceAnswers:
        """How a text is answered."""
        return SequenceAnswers(self.codec, self.heard)

    @classmethod
    def option_problems(cls, dataset: DatasetOptions, decoding: DecodingOptions) -> list[str]:
        problems = []
        if decoding.replace_unknown:
            problems.append(
                "decoding.replace_unknown: copies words of a source, which a language model has not. Use false."
            )
        if decoding.coverage_penalty:
            problems.append(
                f"decoding.coverage_penalty: counts how a source was covered, which a language model has not, got "
                f"{decoding.coverage_penalty:g}. Use 0."
            )
        if dataset.tokenizer.shared:
            problems.append(
                "dataset.tokenizer.shared: is for text pairs; one text has one vocabulary anyway. Use false."
            )
        return problems

    def monitor_for(self, rows: Sequence[Row]) -> str:
        return "accuracy" if rows and rows[0].answers else self.default_monitor

    def step(self, model: Model, batch: Batch, optimizer_step: int = 1) -> StepOutput:
        seen = seen_in_training(batch, word_dropout=self.word_dropout, r_drop=self.r_drop)
        asked = {"need_weights": True} if self.regularizers.need_weights(optimizer_step) else {}
        context = self.codec.context if isinstance(self._codec, SequenceCodec) else 0
        if seen.packing is not None and not asked:
            output, targets = self._packed(model, seen, seen.packing)
        elif context:  # regularizers, which ask for weights, are refused beside it
            output = model(seen.inputs, seen.input_lengths, num_context=context)
            targets = seen.targets[:, context:]
        else:  # weights are those of each text by itself
            output, targets = model(seen.inputs, seen.input_lengths, **asked), seen.targets
        looks = looks_of(model, output.weights, self.axis_lengths(seen))
        penalties = self.regularizers.penalties(optimizer_step, model, seen, looks, self.num_passes)
        return StepOutput(self.loss_sum(output, targets, seen.num_targets), batch.num_targets, penalties)

    def loss_sum(self, output: SequenceOutput, targets: Tensor, num_targets: int) -> Tensor:
        """What training minimizes, summed over the tokens expected: targets (B, L), PAD where nothing is."""
        how = {"label_smoothing": self.label_smoothing, "r_drop": self.r_drop}
        return token_loss(output, targets, num_targets, **how)

    @staticmethod
    def _packed(model: Model, batch: Batch, packing: Packing) -> tuple[SequenceOutput, Tensor]:
        """The texts of a batch side by side: what the model says of the rows (B, W), and what is expected there."""
        where = packing.rows, packing.starts, packing.num_rows
        documents = Documents(packing.lengths, *where, batch.inputs.device)
        lengths = (documents.numbers >= 0).sum(dim=1)
        output: SequenceOutput = model(documents.packed(batch.inputs, PAD), lengths, documents=documents)
        return output, documents.packed(batch.targets, PAD)

    def tally(
        self, model: Model, batches: Iterable[Batch], decoding: DecodingOptions | None = None, num_samples: int = 0
    ) -> Tally:
        """See `Task.tally`. Of self-attention over long texts some queries alone are weighed, beside a fused kernel
        (`looks.observed`). Where that is not possible, weights cost memory (rows, H, L, L) per layer, for which long
        texts are run a few rows at a time.
        """
        sums, focus, first, by_position = ExactSums(), FocusMeans(), FirstExamples(num_samples), LossByPosition()
        num_targets, aligned, predictions = 0, AlignmentByAttention(self.codec), list[Prediction]()
        predicted = text_sizes([])
        with evaluating(model) as device:
            for batch in (batch.to(device) for batch in batches):
                for numbers in slices(batch, self.max_pairs):
                    inputs = Inputs.of(batch, numbers)
                    lengths: dict[Axis, Tensor] = {"output": inputs.lengths}
                    with observed(model, lengths, inputs.rows) as seen:
                        output = model(inputs.inputs, inputs.lengths, need_weights=True)
                    found = next_tokens(output, batch.targets[numbers, : inputs.inputs.shape[1]])
                    sums.add("loss", -found.log_probs.sum(dim=1))
                    sums.add("hits", found.hits.sum(dim=1))
                    by_position.add(found)
                    looks = looks_of(model, output.weights, lengths, seen)
                    focus.add_looks(looks, {"output": is_special(inputs.inputs)})
                    aligned.add(inputs.rows, looks)
                    predictions += self.answers.read_off(inputs, found)
                num_targets += batch.num_targets
                predicted = add_up([predicted, text_sizes(self._predicted_sizes(batch))])
                first.offer(batch)
            samples = [
                self.answers.sample(model, batch, number, decoding or DecodingOptions()) for batch, number in first
            ]
        return {
            "sums": sums.parts,
            "focus": focus.parts,
            "by_position": by_position.sums,
            "aligned": aligned.counts,
            "num_targets": num_targets,
            "predicted": predicted,
            "predictions": predictions,
            "samples": [sample_of(each) for each in samples],
        }

    def conclude(self, tally: Tally, num_samples: int = 0) -> Evaluation:
        """See `Task.conclude`. Metrics:

        loss: mean negative log probability of the tokens that are predicted, in nats. perplexity: exp(loss).
        accuracy: share of these tokens that the model holds for the most probable.
        exact_match: share of rows all of whose answers are right, where rows have answers.
        bits_per_character, bits_per_byte: the loss of all tokens, the end included, by the length of what is predicted
            (UTF-8); where no token is left out.
        alignment_error_rate: of the attention that agrees best with the known evidence; where rows know it.
        focus/...: of all attentions.
        `extras`: loss_by_position; alignment_error_rates, of each attention.
        """
        predictions, samples = in_order(tally["predictions"]), chosen_samples(tally["samples"], num_samples)
        if not predictions:
            raise DataError("there is no example to evaluate on. Give a split that holds rows.")
        sums, count = ExactSums(tally["sums"]), tally["num_targets"]
        total = sums.total("loss")
        metrics = {
            "loss": total / count,
            "perplexity": perplexity(total / count),
            "accuracy": sums.total("hits") / count,
        }
        answered = [each for each in predictions if each.target]
        if answered:
            metrics["exact_match"] = sum(self.is_right(each.text, each.target) for each in answered) / len(answered)
        else:
            metrics |= bits_per_symbol(total, tally["predicted"])
        aligned = AlignmentByAttention(self.codec, tally["aligned"])
        table = FocusMeans(tally["focus"]).table()
        extras: dict[str, object] = {"loss_by_position": LossByPosition(tally["by_position"]).bins()}
        extras |= {"alignment_error_rates": rates} if (rates := aligned.rates()) else {}
        return Evaluation({**metrics, **aligned.metrics(), **table.metrics()}, predictions, samples, extras, table)

    def _predicted_sizes(self, batch: Batch) -> Iterator[tuple[int, int]]:
        """Characters and bytes of the rows without answers, all of which is predicted."""
        sizes, inputs, targets = batch.input_lengths.tolist(), batch.inputs.tolist(), batch.targets.tolist()
        for row, size, read, expected in zip(batch.rows, sizes, inputs, targets, strict=True):
            if not row.answers:
                yield self.codec.predicted_size(row, read[:size], expected[:size])

    def axis_lengths(self, batch: Batch) -> dict[Axis, Tensor]:
        """What is read is what is written, too."""
        return {"output": batch.input_lengths}

    def maps(self, model: Model, batch: Batch) -> dict[str, Tensor]:
        with evaluating(model):
            weights = model(batch.inputs, batch.input_lengths, need_weights=True).weights
        return {look.name: look.real for look in looks_of(model, weights, self.axis_lengths(batch))}

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
        """See `Task.probe`. Explained are the tokens that the model puts in the places of a row's answers; of any other
        row what it writes behind the text, or the target.
        """
        batch, given = collate(examples).to(device), None if target is None else self.codec.tokenizer.encode(target)
        explained = [
            self.answers.explained(model, batch, number, given, decoding or DecodingOptions())
            for number in range(len(batch))
        ]
        return sequence_probe(model, batch, explained, self.codec.input_tokens, skip_empty=skip_empty)

    def answer_ids(self, answer: str, key: str) -> list[int]:
        return self.codec.tokenizer.encode(answer)

    def predict(
        self,
        model: Model,
        batches: Iterable[Batch],
        *,
        decoding: DecodingOptions | None = None,
        need_weights: bool = False,
    ) -> Iterator[Prediction]:
        """See `Task.predict`. A row with answers gets what the model holds for most probable in their places, each
        given all that truly stands before it; any other row is gone on with.
        """
        options = decoding or DecodingOptions()
        for batch in batches:
            with evaluating(model) as device:
                answers = self.answers.all_of(model, batch.to(device), options, need_weights)
            yield from answers

    def inspect(
        self, model: Model, batches: Iterable[Batch], *, decoding: DecodingOptions | None = None
    ) -> Iterator[Inspected]:
        """See `Task.inspect`. Maps are of the whole text, what the model wrote included; a query is named by the token
        that it is to predict.
        """
        for batch in batches:
            answers = self.predict(model, [batch], decoding=decoding, need_weights=True)
            for number, answer in enumerate(answers):
                weights = answer.weights or {}
                places, queries, keys = model.places_of(weights), answer.query_tokens, answer.key_tokens
                maps = [attention_map(places[name], each, queries[name], keys) for name, each in weights.items()]
                asked = self.answers.places(batch, number, len(keys))
                yield Inspected(answer, tuple(maps), asked=asked if maps else None)
