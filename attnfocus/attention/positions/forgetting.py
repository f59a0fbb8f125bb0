"""Positions by how much was forgotten in between. Shapes: ... leading dims, H heads, Q queries, K keys, Dk inputs."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention.memory import Places
from attnfocus.attention.positions.base import Position
from attnfocus.attention.precision import as_scores, exact, no_autocast
from attnfocus.attention.projections import linear


class ForgettingPosition(Position):
    """score_ij + sum_{j < t <= i} log f_t,  f_t = sigmoid(w_h . x_t + b_h)   (the forget gate of the Forgetting
    Transformer, FoX: Lin et al. 2025, arXiv:2503.02130)

    x_t is what the keys are projected from: each position says, for each head, what part of all that came before it
    is kept. Gates that are constant make ALiBi of it. The paper is about causal attention; without a causal pattern a
    key ahead of the query fades alike, by the gates in between: sum_{i < t <= j} log f_t. What no query may attend to,
    such as padding, forgets nothing.

    `gate` is w (H, Dk), Xavier uniform, and b (H), 0, where each position keeps about a half. Any length. Cost:
    O(K Dk) per head and O(H Q K); decoding keeps a number for each key and head.
    """

    goes_by_distance: ClassVar[bool] = True
    has_bias: ClassVar[bool] = True
    reads_inputs: ClassVar[bool] = True
    gate: nn.Linear

    def connect(self, input_dim: int) -> None:
        self.gate = linear(input_dim, self.num_heads)

    def read(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.gate(inputs)  # (..., K, H)
        return logits.transpose(-1, -2)

    def clock(self, readings: Tensor, hidden: Tensor | None) -> Tensor:
        with no_autocast(readings):  # sums over a long sequence
            kept = F.logsigmoid(exact(readings))
            return (kept if hidden is None else torch.where(hidden, 0.0, kept)).cumsum(dim=-1)

    def bias_at(self, query: Tensor, places: Places) -> Tensor:
        assert places.query_clock is not None, "the attention has not read its inputs"
        assert places.key_clock is not None
        return as_scores(-(places.query_clock.unsqueeze(-1) - places.key_clock.unsqueeze(-2)).abs(), query)
