"""What a search returns, and what it needs of a model.

Shapes: B sentences, N rows (sentences, or hypotheses of a beam), V vocabulary, H heads, T target tokens, S source
tokens.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from attnfocus.special import BOS, PAD

_MAX_GOING = 15 / 16  # on a CPU 0.95 and 0.999 were about as fast, 0.8 was slower by 3 to 8 %


@dataclass(frozen=True)
class Hypothesis:
    """An output.

    Attributes:
        ids: its tokens, without BOS and EOS.
        score: log probability of all of them and of EOS, which an output that was cut at its maximum length has not.
        rank_score: what a beam's hypotheses are sorted by: the score with its penalties. Else the score.
        weights: where each token was looked for, (H, T, S) on the CPU, S the input's own length; None if not asked for.
    """

    ids: list[int]
    score: float
    rank_score: float
    weights: Tensor | None = None


class StepModel(Protocol):
    """A model that writes one token at a time. Memory and state are trees of tensors with their rows as first axis.

    A state has N rows. A memory has as many, or in a beam search one for each sentence, whose k hypotheses are k rows
    of the state, side by side. A row that is finished may be stepped on for a while, with any tokens, before it is
    dropped.
    """

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


def worth_dropping(num_going: int, num_rows: int) -> bool:
    """Whether enough rows have finished to copy the others together: taking a few more steps with them costs less."""
    return num_going <= _MAX_GOING * num_rows


def cut_weights(weights: Tensor | None, num_tokens: list[int], lengths: Tensor) -> list[Tensor | None]:
    """Each sentence's own part of weights (B, H, T, S): (H, num_tokens, its length), on the CPU."""
    if weights is None:
        return [None] * len(num_tokens)
    sizes = zip(weights.cpu(), num_tokens, lengths.tolist(), strict=True)
    return [part[:, :tokens, :length].clone() for part, tokens, length in sizes]
