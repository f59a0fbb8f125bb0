"""What a search returns, and what it needs of a model.

Shapes: B sentences, N rows (sentences, or hypotheses of a beam), V vocabulary, H heads, T target tokens, S source
tokens.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from attnfocus.special import BOS, PAD


@dataclass(frozen=True)
class Hypothesis:
    """An output.

    Attributes:
        ids: its tokens, without BOS and EOS.
        score: log probability of all of them and, unless the output was cut at its maximum length, of EOS.
        weights: where each token was looked for, (H, T, S) on the CPU, S the input's own length; None if not asked for.
    """

    ids: list[int]
    score: float
    weights: Tensor | None = None


class StepModel(Protocol):
    """A model that writes one token at a time. Memory and state are trees of tensors with N as their first axis."""

    def encode(self, source: Tensor, lengths: Tensor) -> Any: ...

    def start(self, memory: Any) -> Any: ...

    def step(
        self, tokens: Tensor, state: Any, memory: Any, need_weights: bool = False
    ) -> tuple[Tensor, Any, Tensor | None]:
        """tokens (N,) -> logits (N, V), the new state, weights (N, H, S) or None."""
        ...

    def select(self, tree: Any, index: Tensor) -> Any: ...


def log_probabilities(logits: Tensor) -> Tensor:
    """Log probabilities (N, V) in float32; PAD and BOS can never be chosen."""
    log_probs = logits.log_softmax(dim=-1, dtype=torch.float32)
    log_probs[:, PAD] = -torch.inf
    log_probs[:, BOS] = -torch.inf
    return log_probs


def cut_weights(weights: Tensor | None, num_tokens: list[int], lengths: Tensor) -> list[Tensor | None]:
    """Each sentence's own part of weights (B, H, T, S): (H, num_tokens, its length), on the CPU."""
    if weights is None:
        return [None] * len(num_tokens)
    sizes = zip(weights.cpu(), num_tokens, lengths.tolist(), strict=True)
    return [part[:, :tokens, :length].clone() for part, tokens, length in sizes]
