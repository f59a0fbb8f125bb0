"""From a vector for each position to one vector for the sequence.

Shapes: B batch, L positions, D width. Masks are bool, True = a real position.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from attnfocus.attention import BaseAttention, Role


class AttentionPooling(nn.Module):
    """A learned query looks at all positions   (Yang et al. 2016, eq. 5-7, NAACL N16-1174; one query for all inputs)

    Attributes:
        output_dim: size of what comes out.

    Raises:
        ValueError: the attention compares positions, and the query has none, or it follows a decoder's steps.
    """

    def __init__(self, attention: Callable[..., BaseAttention], dim: int, suggested_heads: int = 1) -> None:
        super().__init__()
        self.attention = attention(query_dim=dim, key_dim=dim, value_dim=dim, suggested_heads=suggested_heads)
        self.attention.role = Role("pooling", "learned", "input")
        require_encoder_attention(self.attention)
        if self.attention.same_sequence_only:
            raise ValueError(
                "this attention compares positions of one sequence, and the query that pools has no position. Use "
                "attention/pattern=full with attention/position=none, or model=transformer with model.pooling=mean."
            )
        self.query = nn.Parameter(torch.empty(1, dim))
        nn.init.normal_(self.query, std=dim**-0.5)  # its product with a vector of entries of order 1 is of order 1
        self.output_dim = self.attention.output_dim

    def forward(self, positions: Tensor, mask: Tensor, need_weights: bool = False) -> tuple[Tensor, Tensor | None]:
        """positions (B, L, D), mask (B, L) -> one vector each (B, output_dim), and weights (B, H, 1, L) or None."""
        query = self.query.expand(len(positions), -1, -1)
        pooled, weights = self.attention(query, positions, None, mask.unsqueeze(1), need_weights)
        return pooled.squeeze(1), weights


def require_encoder_attention(attention: BaseAttention) -> None:
    """Refuses, in anything but a decoder, an attention that goes by the steps of one.

    Raises:
        ValueError: why, and what works.
    """
    if attention.decoders_only:
        raise ValueError(
            "this attention goes by the steps of a decoder, and an encoder has no steps. Use "
            "model=seq2seq, or attention=additive."
        )


def shortest_limit(*limits: int | None) -> int | None:
    """The longest input that all parts of a model can take; None: any length."""
    return min((limit for limit in limits if limit is not None), default=None)


def mean_pooling(positions: Tensor, mask: Tensor) -> Tensor:
    """Mean of the real positions: (B, L, D), (B, L) -> (B, D); 0 for an empty sequence."""
    total = positions.masked_fill(~mask.unsqueeze(-1), 0).sum(dim=1)
    return total / mask.sum(dim=1, keepdim=True).clamp(min=1)
