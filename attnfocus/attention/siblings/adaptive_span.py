"""Attention that learns how far to look. Shapes: ... leading dims, H heads, Q queries, K keys."""

import math
from typing import Unpack

import torch
from torch import Tensor, nn

from attnfocus.attention import masks
from attnfocus.attention.algebra import Attention
from attnfocus.attention.keywords import AttentionKeywords
from attnfocus.attention.memory import Places
from attnfocus.limits import NumPositions, PositiveFloat


class AdaptiveSpanAttention(Attention):
    """weight_ij = m(|i - j|) exp(score_ij) / sum_k m(|i - k|) exp(score_ik),  m(x) = min(max((R + z - x) / R, 0), 1)

    Sukhbaatar et al. 2019, sec. 2.2, arXiv:1905.07799: each head learns its span z, between 0 and S; keys within z
    count in full, beyond z + R or S not at all, and less and less in between. Any normalizer works: the scores get
    log m(x), which for softmax is the formula above. The paper is about causal attention; without a causal pattern
    the span reaches to both sides alike.

    z = S sigmoid(`span_logit`) stays inside its limits by itself; the paper clamps z after each step, and takes the
    sigmoid for spans that depend on the input (dynamic attention span). `span_penalty` is what it adds to the loss.

    Cost: O(Q K), as `Attention`. A pattern local with window = max_span cuts nothing off and makes it linear.

    Args:
        max_span: S, the farthest distance that any head can reach, in positions.
        ramp: R, the distance over which a weight fades to 0, in positions.
        initial_span: z at the start, in positions (< max_span).
        score, normalizer, pattern, position, and the rest: as in `Attention`.

    Raises:
        ValueError: an initial_span beyond max_span, a score or normalizer that follows a decoder's steps, or as in
            `Attention`.
    """

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        max_span: NumPositions = 256,
        ramp: NumPositions = 32,
        initial_span: PositiveFloat = 32.0,
        **options: Unpack[AttentionKeywords],
    ) -> None:
        super().__init__(query_dim, key_dim, value_dim, **options)
        if initial_span >= max_span:
            raise ValueError(
                f"initial_span={initial_span:g} is not below max_span={max_span}, which no span reaches: use a smaller "
                "attention.initial_span or a larger attention.max_span."
            )
        if self.uses_history:
            raise ValueError(
                f"{self.history_factor} follows where a decoder looked step by step in another sequence, and spans "
                "are distances in one: use attention/score=scaled_dot with attention/normalizer=softmax."
            )
        self.max_span, self.ramp = max_span, ramp
        fraction = initial_span / max_span
        self.span_logit = nn.Parameter(torch.full((self.num_heads, 1, 1), math.log(fraction / (1 - fraction))))

    @property
    def same_sequence_only(self) -> bool:
        return True  # distances are those of one sequence

    @property
    def sees_everything(self) -> bool:
        return False

    @property
    def has_own_weights(self) -> bool:
        return True  # no fused kernel knows the spans

    @property
    def spans(self) -> Tensor:
        """z of each head, in positions: (H,)."""
        return self.max_span * torch.sigmoid(self.span_logit.flatten())

    def span_penalty(self) -> Tensor:
        """Mean of the heads' spans, in positions; the paper adds it to the loss, times a small factor."""
        return self.spans.mean()

    def masked_scores(
        self, scores: Tensor, query: Tensor, mask: Tensor | None, places: Places
    ) -> tuple[Tensor, Tensor | None]:
        spans = self.spans.to(torch.promote_types(self.span_logit.dtype, torch.float32)).view(-1, 1, 1)
        distance = places.offsets.abs().unsqueeze(-3)  # (..., 1, Q, K)
        share = ((self.ramp + spans - distance) / self.ramp).clamp(0, 1)  # (..., H, Q, K)
        inside = (share > 0) & (distance <= self.max_span)
        # The logarithm of 0 is no number to compute with: what lies outside is masked instead.
        faded = share.masked_fill(~inside, 1.0).log().to(scores.dtype)
        return super().masked_scores(scores + faded, query, masks.both(mask, inside), places)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, max_span={self.max_span}, ramp={self.ramp}"
