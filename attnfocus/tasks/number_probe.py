"""A number as a plain function of the input.

Shapes: B examples, K input positions, D numbers of a position's vector, M rows of one call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from attnfocus.models.base import Model
from attnfocus.tasks.evaluation import at_least_float32
from attnfocus.tasks.probe import Probe


class NumberProbe(Probe):
    """The number itself, in deviations of train: what a position adds to it has a sign.

    Args:
        texts: numbers (B,) of the model as people read them.
    """

    def __init__(self, model: Model, inputs: Tensor, lengths: Tensor, texts: Callable[[Tensor], list[str]]) -> None:
        super().__init__(model, inputs, lengths)
        self.examples = torch.arange(len(inputs), device=inputs.device)
        self.steps = torch.zeros_like(self.examples)
        self.answers = torch.zeros((len(inputs), 1), dtype=torch.int64, device=inputs.device)
        with torch.no_grad():
            self._texts = texts(self._logits(self._run(inputs, lengths, self.examples, False)).flatten())

    def _run(self, inputs: Tensor, lengths: Tensor, examples: Tensor, need_weights: bool) -> Any:
        return self.model(inputs, lengths, need_weights=need_weights)

    def _logits(self, output: Any) -> Tensor:
        return at_least_float32(output.logits).unsqueeze(1)

    def scores_of(self, logits: Tensor, answers: Tensor) -> Tensor:
        return logits.gather(-1, answers.unsqueeze(-1)).squeeze(-1)

    def output_tokens(self, number: int) -> tuple[str, ...]:
        return (self._texts[number],)
