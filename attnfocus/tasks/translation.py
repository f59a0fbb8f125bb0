"""Text to text: the model writes one token after another.

Shapes: B sentences, S source tokens, T target tokens without BOS, V target vocabulary, H heads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.data.batches import Batch, collate
from attnfocus.data.codecs.base import Encoded
from attnfocus.data.rows import Row
from attnfocus.decoding import DecodingOptions, Hypothesis, decode_best
from attnfocus.decoding.side_by_side import grouped, side_by_side
from attnfocus.errors import ConfigError, DataError
from attnfocus.events import Direction
from attnfocus.focus.alignment import AlignmentCounts
from attnfocus.models.base import Model
from attnfocus.special import PAD, UNK
from attnfocus.tasks.answers import Candidate, Evaluation, Inspected, Prediction
from attnfocus.tasks.base import StepOutput
from attnfocus.tasks.evaluation import (
    ExactSums,
    FirstExamples,
    Inputs,
    answer_all,
    at_least_float32,
    chosen_samples,
    device_of,
    evaluating,
    in_order,
    is_special,
    sample_of,
    source_text,
)
from attnfocus.tasks.looks import looks_of, observed
from attnfocus.tasks.maps import output_maps
from attnfocus.tasks.measures.alignment import ALIGNMENT_ERROR_RATE, AlignmentErrors
from attnfocus.tasks.measures.focus import FocusMeans
from attnfocus.tasks.measures.text import perplexity, text_metrics
from attnfocus.tasks.perturbation import seen_in_training
from attnfocus.tasks.tally import Tally
from attnfocus.tasks.text_task import TextTask
from attnfocus.tasks.token_loss import token_loss
from attnfocus.tasks.token_probe import translation_probe, within_reach
from attnfocus.tasks.unknown_words import copied_words, no_words_to_replace

if TYPE_CHECKING:
    from attnfocus.data.preparation import DatasetOptions
    from attnfocus.tasks.probe import Probe


class TranslationTask(TextTask):
    """Cross entropy of each target token given those before it; BLEU, chrF and exact matches of what is decoded."""

    name: ClassVar[str] = "translation"
    trial_sizes: ClassVar[Mapping[str, int | None]] = {"source_vocab_size": 8, "target_vocab_size": 8}
    directions: ClassVar[Mapping[str, Direction]] = {
        "loss": "min",
        "perplexity": "min",
        "bleu": "max",
        "chrf": "max",
        "exact_match": "max",
        ALIGNMENT_ERROR_RATE: "min",
    }
    shares: ClassVar[frozenset[str]] = frozenset({"exact_match", ALIGNMENT_ERROR_RATE})

    @classmethod
    def option_problems(cls, dataset: DatasetOptions, decoding: DecodingOptions) -> list[str]:
        problems = super().option_problems(dataset, decoding)
        problem = no_words_to_replace(dataset.tokenizer.kind) if decoding.replace_unknown else None
        return problems if problem is None else [*problems, problem]

    def step(self, model: Model, batch: Batch, optimizer_step: int = 1) -> StepOutput:
        seen = seen_in_training(batch, word_dropout=self.word_dropout, r_drop=self.r_drop)
        asked = {"need_weights": True} if self.regularizers.need_weights(optimizer_step) else {}
        output = model(seen.inputs, seen.input_lengths, seen.targets[:, :-1], **asked)
        looks = looks_of(model, output.weights, self.axis_lengths(seen))
        penalties = self.regularizers.penalties(optimizer_step, model, seen, looks, self.num_passes)
        how = {"label_smoothing": self.label_smoothing, "r_drop": self.r_drop}
        loss_sum = token_loss(output, seen.targets[:, 1:], seen.num_targets, **how)
        return StepOutput(loss_sum, batch.num_targets, penalties)

    def tally(
        self, model: Model, batches: Iterable[Batch], decoding: DecodingOptions | None = None, num_samples: int = 0
    ) -> Tally:
        """See `Task.tally`. Asking for the weights costs memory (B, H, T, S) and leaves fused kernels out, but no
        second pass: they are those under the reference (teacher-forced), which the loss pass gives along.
        """
        options = decoding or DecodingOptions()
        sums, focus, first = ExactSums(), FocusMeans(), FirstExamples(num_samples)
        num_targets, aligned = 0, AlignmentErrors(self.codec)
        predictions: list[Prediction] = []
        with evaluating(model) as device:
            for group in grouped((batch.to(device) for batch in batches), device):
                for batch in group:
                    with observed(model, self.axis_lengths(batch)) as seen:
                        output = model(batch.inputs, batch.input_lengths, batch.targets[:, :-1], need_weights=True)
                    sums.add("loss", _token_losses(output.logits, batch.targets).sum(dim=1))
                    specials = {"output": is_special(batch.targets[:, :-1])}
                    if not batch.inputs.is_floating_point():
                        specials["input"] = is_special(batch.inputs)
                    looks = looks_of(model, output.weights, self.axis_lengths(batch), seen)
                    focus.add_looks(looks, specials)
                    aligned.add(batch.rows, looks)
                    num_targets += batch.num_targets
                    first.offer(batch)
                predictions += self._answers_of_all(model, group, options)
            samples = [
                self._answers(model, batch, options, need_weights=True, numbers=[number])[0] for batch, number in first
            ]
        return {
            "sums": sums.parts,
            "focus": focus.parts,
            "aligned": vars(aligned.counts),
            "num_targets": num_targets,
            "predictions": predictions,
            "samples": [sample_of(each) for each in samples],
        }

    def conclude(self, tally: Tally, num_samples: int = 0) -> Evaluation:
        """See `Task.conclude`. Metrics:

        loss: mean negative log probability of the target tokens, EOS included, in nats. perplexity: exp(loss).
        bleu, chrf: 0 to 100, of the whole split, by sacrebleu; signatures in `extras`.
        exact_match: share of outputs that equal the reference, blanks at the ends apart.
        alignment_error_rate: see `tasks.measures.alignment`; where rows know their alignment.
        focus/...: of the weights under the reference.
        """
        predictions, samples = in_order(tally["predictions"]), chosen_samples(tally["samples"], num_samples)
        if not predictions:
            raise DataError("there is no example to evaluate on. Give a split that holds rows.")
        loss = ExactSums(tally["sums"]).total("loss") / tally["num_targets"]
        texts, signatures = text_metrics(predictions, self.bleu_tokenizer_of(each.target for each in predictions))
        aligned = AlignmentErrors(self.codec, AlignmentCounts(**tally["aligned"]))
        table = FocusMeans(tally["focus"]).table()
        metrics = {"loss": loss, "perplexity": perplexity(loss), **texts, **aligned.metrics(), **table.metrics()}
        return Evaluation(metrics, predictions, samples, signatures, table)

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
        batch = collate(examples).to(device)
        outputs = None if target is None else [self.codec.target_tokenizer.encode(target)] * len(examples)
        return translation_probe(model, batch, self.codec.target_tokens, outputs, decoding, skip_empty=skip_empty)

    def answer_ids(self, answer: str, key: str) -> list[int]:
        return self.codec.target_tokenizer.encode(answer)

    def maps(self, model: Model, batch: Batch) -> dict[str, Tensor]:
        with evaluating(model):
            output = model(batch.inputs, batch.input_lengths, batch.targets[:, :-1], need_weights=True)
        return {look.name: look.real for look in looks_of(model, output.weights, self.axis_lengths(batch))}

    def predict(
        self,
        model: Model,
        batches: Iterable[Batch],
        *,
        decoding: DecodingOptions | None = None,
        need_weights: bool = False,
    ) -> Iterator[Prediction]:
        options = decoding or DecodingOptions()
        device = device_of(model)
        for group in grouped((batch.to(device) for batch in batches), device):
            with evaluating(model):
                answers = self._answers_of_all(model, group, options, need_weights=need_weights)
            yield from answers

    def inspect(
        self, model: Model, batches: Iterable[Batch], *, decoding: DecodingOptions | None = None
    ) -> Iterator[Inspected]:
        """See `Task.inspect`. The weights are those under the output itself: of an encoder-decoder Transformer those
        of every layer, which decoding does not gather. An empty output has none.
        """
        options = decoding or DecodingOptions()
        for batch in batches:
            with evaluating(model) as device:
                batch = batch.to(device)
                outputs: dict[str, list[int]] = {}
                decoded = partial(self._decoded, model, options=options, outputs=outputs)
                answers = answer_all(model, batch, decoded)
                found = []
                for number, answer in enumerate(answers):
                    maps = output_maps(model, self.codec, Inputs.of(batch, [number]), outputs.get(answer.id, []))
                    picture = self.codec.picture(batch.rows[number]) if maps else None
                    found.append(Inspected(replace(answer, picture=picture), maps))
            yield from found

    def _answers_of_all(
        self,
        model: Model,
        batches: Sequence[Batch],
        options: DecodingOptions,
        *,
        need_weights: bool = False,
    ) -> list[Prediction]:
        answer = partial(self._answers, model, options=options, need_weights=need_weights)
        found = side_by_side(answer, batches, device_of(model), in_turn=options.sampling)
        return [prediction for answers in found for prediction in answers]

    def _answers(
        self,
        model: Model,
        batch: Batch,
        options: DecodingOptions,
        *,
        need_weights: bool = False,
        numbers: list[int] | None = None,
    ) -> list[Prediction]:
        return answer_all(model, batch, lambda inputs: self._decoded(model, inputs, options, need_weights), numbers)

    def _decoded(
        self,
        model: Any,
        inputs: Inputs,
        options: DecodingOptions,
        need_weights: bool = False,
        outputs: dict[str, list[int]] | None = None,
    ) -> Iterator[Prediction]:
        """Answers; `outputs` is filled with the ids of each, by the example's id."""
        if options.replace_unknown:
            self._require_words()
        options = within_reach(options, model)
        needs_weights = need_weights or options.replace_unknown
        found = decode_best(model, inputs.inputs, inputs.lengths, options, need_weights=needs_weights)
        lengths, unknown = inputs.lengths.tolist(), inputs.unknown_shares()
        for number, (hypotheses, row) in enumerate(zip(found, inputs.rows, strict=True)):
            texts = [self._text(hypothesis, row, options) for hypothesis in hypotheses]
            best, shown = hypotheses[0], dict[str, Any](unknown=unknown[number])
            if outputs is not None:
                outputs[inputs.ids[number]] = best.ids
            if need_weights and best.weights is not None:
                ids = inputs.inputs[number, : lengths[number]].tolist()
                shown["key_tokens"], shown["key_unit"] = tuple(self.codec.input_tokens(ids)), self.codec.input_unit
                shown["query_tokens"] = {"cross": tuple(self.codec.target_tokens(best.ids))}
                shown["weights"] = {"cross": best.weights.float().numpy()}
                shown["kinds"] = {"cross": "cross"}
            if options.num_best > 1:
                every = zip(texts, hypotheses, strict=True)
                shown["n_best"] = tuple(Candidate(text, each.score, each.rank_score) for text, each in every)
            yield Prediction(inputs.ids[number], texts[0], best.score, source_text(row), row.target, **shown)

    def _text(self, hypothesis: Hypothesis, row: Row, options: DecodingOptions) -> str:
        """The text of the output; with `replace_unknown` no unknown word is left in it."""
        unknown = [place for place, token in enumerate(hypothesis.ids) if token == UNK]
        if not options.replace_unknown or not unknown:
            return self.codec.decode_target(hypothesis.ids)
        assert hypothesis.weights is not None
        source = self.codec.tokenizers()["source"]
        words = copied_words(source_text(row), source, hypothesis.weights, unknown)
        return self.codec.decode_target(hypothesis.ids, words)

    def _require_words(self) -> None:
        if "source" not in self.codec.tokenizers():
            raise ConfigError("decoding.replace_unknown: inputs of this run have no words to take. Use false.")
        for tokenizer in self.codec.tokenizers().values():
            problem = no_words_to_replace(tokenizer.kind)
            if problem is not None:
                raise ConfigError(problem)


def _token_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Loss of each target token: logits (B, T, V), targets (B, 1 + T) from BOS on -> (B, T), 0 at padding."""
    expected = targets[:, 1:]
    losses = F.cross_entropy(
        at_least_float32(logits).flatten(0, 1), expected.flatten(), ignore_index=PAD, reduction="none"
    )
    return losses.view(expected.shape)
