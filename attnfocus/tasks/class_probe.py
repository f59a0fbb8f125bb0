"""A class as a plain function of the input.

Shapes: B examples, K input positions, D numbers of a position's vector, M rows of one call, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from attnfocus.models.base import Model
from attnfocus.tasks.evaluation import LOWEST_PROBABILITY, at_least_float32
from attnfocus.tasks.probe import Probe, log_odds


class ClassificationProbe(Probe):
    """Log-odds of a class: for two classes the difference of their logits.

    Args:
        classes: (B,); None: those that the model answers.
        labels: what the classes are called.
        are_probabilities: the logits estimate the probabilities themselves (loss mse), and are the scores.
    """

    def __init__(
        self,
        model: Model,
        inputs: Tensor,
        lengths: Tensor,
        classes: Tensor | None,
        labels: Sequence[str],
        *,
        are_probabilities: bool = False,
    ) -> None:
        super().__init__(model, inputs, lengths)
        self._labels = labels
        self.examples = torch.arange(len(inputs), device=inputs.device)
        self.steps = torch.zeros_like(self.examples)
        self._are_probabilities = are_probabilities
        if classes is None:
            with torch.no_grad():
                classes = self._run(inputs, lengths, self.examples, False).logits.argmax(dim=-1)
        self.classes = classes

    def _run(self, inputs: Tensor, lengths: Tensor, examples: Tensor, need_weights: bool) -> Any:
        return self.model(inputs, lengths, need_weights=need_weights)

    def _scores(self, output: Any, examples: Tensor) -> Tensor:
        logits, chosen = at_least_float32(output.logits), self.classes[examples]
        if self._are_probabilities:
            return logits.gather(1, chosen.unsqueeze(1))
        return log_odds(logits, chosen).unsqueeze(1)

    def probabilities(self, scores: Tensor) -> Tensor:
        return scores.clamp(0, 1) if self._are_probabilities else scores.sigmoid()

    def _log_probabilities(self, output: Any) -> Tensor:
        logits = at_least_float32(output.logits).unsqueeze(1)
        return logits.clamp(LOWEST_PROBABILITY, 1.0).log() if self._are_probabilities else logits.log_softmax(dim=-1)

    def output_tokens(self, number: int) -> tuple[str, ...]:
        return (self._labels[int(self.classes[number])],)
