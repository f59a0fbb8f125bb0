"""Which items a model recommends after a history.

Shapes: N histories, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
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

    def recommended(
        self,
        inputs: Inputs,
        log_probs: Tensor,
        options: DecodingOptions,
        seen: Sequence[Sequence[int]] | None = None,
    ) -> list[Prediction]:
        """The best items by their log probabilities (N, V), which are changed: what is left out becomes -inf.

        Args:
            seen: items of each history, where they are known already.
        """
        if options.exclude_seen:
            leave_out(log_probs, [self._histories.seen(row) for row in inputs.rows] if seen is None else seen)
        count = min(options.num_best, len(self._histories.items))
        best, items = log_probs.topk(count, dim=1)
        unknown = inputs.unknown_shares()
        found, names = [], self._histories.names
        for number, (values, ids) in enumerate(zip(best.tolist(), items.tolist(), strict=True)):
            row, text, score, shown = inputs.rows[number], "", math.nan, dict[str, Any]()
            listed = [(names[id], value) for id, value in zip(ids, values, strict=True) if value > -math.inf]
            if not listed:
                why = "the history has every item; decoding.exclude_seen=false ranks these too"
                shown["skipped"] = why
            else:
                text, score = listed[0]
            if listed and options.num_best > 1:
                shown["n_best"] = tuple(Candidate(name, value, value) for name, value in listed)
            whole = inputs.ids[number], text, score, source_text(row), row.target
            found.append(Prediction(*whole, unknown=unknown[number], **shown))
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
