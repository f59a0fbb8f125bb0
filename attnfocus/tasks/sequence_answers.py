"""What a language model answers: the texts in the places of a row's answers, or what it writes behind a text.

Shapes: H heads, L positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from attnfocus.data.batches import Batch, collate
from attnfocus.data.codecs.sequence import SequenceCodec
from attnfocus.decoding import DecodingOptions, Hypothesis
from attnfocus.models.base import Model
from attnfocus.tasks.answers import Candidate, Prediction
from attnfocus.tasks.continuation import continuations
from attnfocus.tasks.evaluation import Inputs, answer_all, source_text
from attnfocus.tasks.maps import sequence_weights
from attnfocus.tasks.measures.next_tokens import NextTokens, answer_texts, next_tokens
from attnfocus.tasks.sequence_probe import Explained


class SequenceAnswers:
    """Answers of one codec's texts; the model is in eval mode, without gradients.

    Args:
        heard: is told a text with what is written behind it, again and again while it is written: where one text is
            gone on with, token after token.
    """

    def __init__(self, codec: SequenceCodec, heard: Callable[[str], None] | None = None) -> None:
        self._codec = codec
        self._heard = heard

    def all_of(
        self,
        model: Model,
        batch: Batch,
        options: DecodingOptions,
        need_weights: bool,
        numbers: Sequence[int] | None = None,
    ) -> list[Prediction]:
        return answer_all(model, batch, partial(self._answered, model, options, need_weights), numbers)

    def _answered(
        self, model: Model, options: DecodingOptions, need_weights: bool, inputs: Inputs
    ) -> Iterator[Prediction]:
        """An answer for each of the inputs, in their order."""
        has_answers = [number for number, row in enumerate(inputs.rows) if row.answers]
        others = [number for number, row in enumerate(inputs.rows) if not row.answers]
        found = dict[int, Prediction]()
        if has_answers:
            encoded = list(self._codec.encode_rows([inputs.rows[number] for number in has_answers]))
            answered = self._of_answers(model, collate(encoded).to(inputs.inputs.device), need_weights)
            found |= zip(has_answers, answered, strict=True)
        if others:
            found |= zip(others, self._continued(model, inputs, others, options, need_weights), strict=True)
        return (found[number] for number in range(len(inputs.ids)))

    def _of_answers(self, model: Model, batch: Batch, need_weights: bool) -> Iterator[Prediction]:
        """Of rows with answers, as an evaluation reads them off."""
        output = model(batch.inputs, batch.input_lengths)
        of_batch = Inputs.of(batch, range(len(batch)))
        for number, each in enumerate(self.read_off(of_batch, next_tokens(output, batch.targets))):
            ids = batch.inputs[number, : int(batch.input_lengths[number])].tolist()
            yield self._with_weights(model, each, ids) if need_weights else each

    def read_off(self, inputs: Inputs, found: NextTokens) -> list[Prediction]:
        """A prediction for each row: the texts in the places of its answers, or none."""
        scores, unknown = found.log_probs.double().sum(dim=1).tolist(), inputs.unknown_shares()
        texts = answer_texts(found, inputs.rows, self._codec.tokenizer)
        shown = zip(inputs.ids, texts, scores, inputs.rows, unknown, strict=True)
        return [
            Prediction(id, text, score, source_text(row), row.target, unknown=u) for id, text, score, row, u in shown
        ]

    def _continued(
        self, model: Any, inputs: Inputs, numbers: Sequence[int], options: DecodingOptions, need_weights: bool
    ) -> Iterator[Prediction]:
        """What the model writes after each text."""
        lengths, unknown = inputs.lengths.tolist(), inputs.unknown_shares()
        index = torch.tensor(numbers, device=inputs.inputs.device)
        heard = None
        if self._heard is not None and len(numbers) == 1 and options.writes_in_order:
            (number,) = numbers
            heard = self._told(source_text(inputs.rows[number]), inputs.inputs[number, : lengths[number]].tolist())
        part = inputs.inputs[index], inputs.lengths[index]
        written = self._written(model, *part, options, within_reach=need_weights, heard=heard)
        for number, hypotheses in zip(numbers, written, strict=True):
            ids = inputs.inputs[number, : lengths[number]].tolist()
            texts = [self._codec.continued(ids, each.ids) for each in hypotheses]
            shown: dict[str, Any] = {"unknown": unknown[number]}
            if options.num_best > 1:
                every = zip(texts, hypotheses, strict=True)
                shown["n_best"] = tuple(Candidate(text, each.score, each.rank_score) for text, each in every)
            best, row = hypotheses[0], inputs.rows[number]
            found = Prediction(inputs.ids[number], texts[0], best.score, source_text(row), row.target, **shown)
            whole = [*ids, *best.ids]
            yield self._with_weights(model, found, whole) if need_weights else found

    def _written(
        self,
        model: Any,
        inputs: Tensor,
        lengths: Tensor,
        options: DecodingOptions,
        *,
        within_reach: bool,
        heard: Callable[[Tensor], None] | None = None,
    ) -> list[list[Hypothesis]]:
        reach, how = self._codec.reach, {"within_reach": within_reach, "has_end": self._codec.has_end}
        return continuations(model, inputs, lengths, options, reach, heard=heard, **how)

    def _told(self, text: str, ids: Sequence[int]) -> Callable[[Tensor], None]:
        """Passes on the text with what is written so far, from nothing on; each token (1,) as it comes."""
        hear, more = self._heard, list[int]()
        assert hear is not None
        hear(text)

        def tell(token: Tensor) -> None:
            more.append(int(token))
            hear(text + self._codec.continued(ids, more))

        return tell

    def _with_weights(self, model: Model, found: Prediction, ids: Sequence[int]) -> Prediction:
        """The prediction with the maps of a text from BOS on: each token's row says where it was predicted from."""
        if len(ids) < 2:
            return found
        weights = sequence_weights(model, ids[:-1])
        places = model.places_of(weights)
        predicted = tuple(self._codec.input_tokens(ids[1:]))
        return replace(
            found,
            weights=weights,
            key_tokens=tuple(self._codec.input_tokens(ids[:-1])),
            query_tokens=dict.fromkeys(weights, predicted),
            kinds={name: place.kind for name, place in places.items()},
        )

    def places(self, batch: Batch, number: int, size: int) -> tuple[int, ...]:
        """Of `size` positions of an answered text those that its answers, or what was written, are read off."""
        if batch.rows[number].answers:
            return tuple(batch.targets[number].nonzero().squeeze(1).tolist())
        return tuple(range(int(batch.input_lengths[number]) - 1, size))

    def sample(self, model: Model, batch: Batch, number: int, options: DecodingOptions) -> Prediction:
        """A row to look at: its answers, or how the model goes on after its first half, for as long as the rest."""
        row, inputs = batch.rows[number], Inputs.of(batch, [number])
        if row.answers:
            return self.all_of(model, batch, options, True, [number])[0]
        size = int(inputs.lengths[0])
        half = max(1, size // 2)
        ids, rest = inputs.inputs[0, :half].tolist(), inputs.inputs[0, half:size].tolist()
        first = replace(inputs, inputs=inputs.inputs[:, :half], lengths=inputs.lengths.clamp(max=half))
        limited = replace(options, max_length=max(1, size - half), num_best=1)
        (found,) = self._continued(model, first, [0], limited, need_weights=True)
        return replace(found, source=self._codec.tokenizer.decode(ids), target=self._codec.continued(ids, rest))

    def explained(
        self, model: Any, batch: Batch, number: int, given: list[int] | None, options: DecodingOptions
    ) -> Explained:
        """What is explained of one example; `given`: the tokens that were asked for."""
        one = slice(number, number + 1)
        inputs, lengths = batch.inputs[one, : int(batch.input_lengths[number])], batch.input_lengths[one]
        with torch.no_grad():
            if batch.rows[number].answers:
                found = next_tokens(model(inputs, lengths), batch.targets[one, : inputs.shape[1]])
                places = found.expected[0].nonzero().squeeze(1).tolist()
                return Explained(given or found.best[0, places].tolist(), places)
            if given is None:
                given = self._written(model, inputs, lengths, options, within_reach=True)[0][0].ids
        return Explained(given)
