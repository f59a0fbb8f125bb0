"""A class as a plain function of the input.

Shapes: B examples, K input positions, D numbers of a position's vector, M rows of one call, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from attnfocus.models.base import Model
from attnfocus.tasks.class_losses import estimated_log_probabilities
from attnfocus.tasks.evaluation import at_least_float32
from attnfocus.tasks.probe import Probe


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
        self.answers = classes.unsqueeze(1)

    def _run(self, inputs: Tensor, lengths: Tensor, examples: Tensor, need_weights: bool) -> Any:
        return self.model(inputs, lengths, need_weights=need_weights)

    def _logits(self, output: Any) -> Tensor:
        return at_least_float32(output.logits).unsqueeze(1)

    def scores_of(self, logits: Tensor, answers: Tensor) -> Tensor:
        if self._are_probabilities:
            return logits.gather(-1, answers.unsqueeze(-1)).squeeze(-1)
        return super().scores_of(logits, answers)

    def probabilities(self, scores: Tensor) -> Tensor:
        return scores.clamp(0, 1) if self._are_probabilities else super().probabilities(scores)

    def log_probabilities_of(self, logits: Tensor) -> Tensor:
        return estimated_log_probabilities(logits) if self._are_probabilities else super().log_probabilities_of(logits)

    def answer_name(self, answer: int) -> str:
        return self._labels[answer]

    def output_tokens(self, number: int) -> tuple[str, ...]:
        return (self._labels[int(self.answers[number])],)
