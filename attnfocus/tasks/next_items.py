"""Which items a model recommends after a history.

Shapes: N histories, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from attnfocus.data.batches import Batch
from attnfocus.data.codecs.history import HistoryCodec
from attnfocus.decoding import DecodingOptions
from attnfocus.models.base import Model
from attnfocus.models.outputs import SequenceOutput, untracked_scores
from attnfocus.special import SPECIAL_TOKENS
from attnfocus.tasks.answers import Candidate, Prediction
from attnfocus.tasks.evaluation import Inputs, source_text
from attnfocus.tasks.measures.ranking import leave_out
from attnfocus.tasks.sequence_answers import SequenceAnswers
from attnfocus.tasks.sequence_probe import Explained


class NextItems(SequenceAnswers):
    """The best items after each history; the model is in eval mode, without gradients."""

    def __init__(self, codec: HistoryCodec) -> None:
        super().__init__(codec)
        self._histories = codec

    def _answered(
        self, model: Model, options: DecodingOptions, need_weights: bool, inputs: Inputs
    ) -> Iterator[Prediction]:
        scores = self.log_probs(model(inputs.inputs, inputs.lengths), inputs.lengths)
        for number, found in enumerate(self.recommended(inputs, scores, options)):
            ids = inputs.inputs[number, : int(inputs.lengths[number])].tolist()
            best = self._histories.tokenizer.encode(found.text)
            yield self._with_weights(model, found, [*ids, *best]) if need_weights and best else found

    @staticmethod
    def log_probs(output: SequenceOutput, lengths: Tensor) -> Tensor:
        """Of every item after the last position of each history, -inf for what is no item: (N, V) float32."""
        readout = output.readout[torch.arange(len(lengths), device=lengths.device), lengths - 1]
        scores = untracked_scores(readout, output.output_weight, output.output_bias).float()
        scores[:, : len(SPECIAL_TOKENS)] = -torch.inf
        return scores.log_softmax(dim=-1)

    def recommended(self, inputs: Inputs, log_probs: Tensor, options: DecodingOptions) -> list[Prediction]:
        """The best items by their log probabilities (N, V), which are changed: what is left out becomes -inf."""
        if options.exclude_seen:
            leave_out(log_probs, [self._histories.seen(row) for row in inputs.rows])
        count = min(options.num_best, len(self._histories.items))
        best, items = log_probs.topk(count, dim=1)
        unknown = inputs.unknown_shares()
        found = []
        for number, (values, ids) in enumerate(zip(best.tolist(), items.tolist(), strict=True)):
            row = inputs.rows[number]
            empty = Prediction(inputs.ids[number], "", math.nan, source_text(row), row.target, unknown=unknown[number])
            names = self._histories.tokenizer.tokens(ids)
            named = zip(names, values, strict=True)
            listed = tuple(Candidate(name, value, value) for name, value in named if value > -math.inf)
            if not listed:
                why = "the history has every item; decoding.exclude_seen=false ranks these too"
                found.append(replace(empty, skipped=why))
                continue
            best_of_all = replace(empty, text=listed[0].text, score=listed[0].score)
            found.append(replace(best_of_all, n_best=listed if options.num_best > 1 else ()))
        return found

    def places(self, batch: Batch, number: int, size: int) -> tuple[int, ...]:
        return (int(batch.input_lengths[number]) - 1,)

    def sample(self, model: Model, batch: Batch, number: int, options: DecodingOptions) -> Prediction:
        """A history and the item that is recommended first."""
        return self.all_of(model, batch, replace(options, num_best=1), True, [number])[0]

    def explained(
        self, model: Any, batch: Batch, number: int, given: list[int] | None, options: DecodingOptions
    ) -> Explained:
        inputs = Inputs.of(batch, [number])
        with torch.no_grad():
            if not given:
                scores = self.log_probs(model(inputs.inputs, inputs.lengths), inputs.lengths)
                best = self.recommended(inputs, scores, replace(options, num_best=1))[0].text
                given = self._histories.tokenizer.encode(best)
        return Explained(given, self.places(batch, number, 0))
