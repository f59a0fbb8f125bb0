"""The layers of Transformers.

Shapes: B batch, L positions, D embed_dim, H heads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention import BaseAttention
from attnfocus.models.embeddings import linear
from attnfocus.models.pooling import require_encoder_attention

NormPlace = Literal["pre", "post"]


@dataclass(frozen=True)
class LayerOptions:
    """What the layers of a Transformer share."""

    embed_dim: int
    num_heads: int
    feedforward_dim: int
    norm: NormPlace
    dropout: float


class TransformerLayer(nn.Module):
    """Self-attention and a feed-forward network, each with a residual connection and layer normalization.

    post: x + f(x), then normalized (Vaswani et al. 2017, sec. 3.1); pre: x + f(normalized x), which trains without a
    warm-up (Xiong et al. 2020, arXiv:2002.04745). The network is W_2 gelu(W_1 x + b_1) + b_2.
    """

    def __init__(self, attention: Callable[..., BaseAttention], options: LayerOptions) -> None:
        super().__init__()
        dim = options.embed_dim
        self.attention = attention(
            query_dim=dim,
            key_dim=dim,
            value_dim=dim,
            output_dim=dim,
            suggested_heads=options.num_heads,
            suggested_projections=True,
        )
        require_encoder_attention(self.attention)
        self.attention_norm = nn.LayerNorm(dim)
        self.feedforward_norm = nn.LayerNorm(dim)
        self.widen = linear(dim, options.feedforward_dim)
        self.narrow = linear(options.feedforward_dim, dim)
        self.norms_first = options.norm == "pre"
        self.dropout = options.dropout

    def forward(self, states: Tensor, mask: Tensor, need_weights: bool) -> tuple[Tensor, Tensor | None]:
        """states (B, L, D), mask (B, 1, L) -> states (B, L, D), and weights (B, H, L, L) or None."""
        normed = self.attention_norm(states) if self.norms_first else states
        context, weights = self.attention(normed, normed, None, mask, need_weights)
        states = states + self._drop(context)
        states = states if self.norms_first else self.attention_norm(states)
        normed = self.feedforward_norm(states) if self.norms_first else states
        states = states + self._drop(self.narrow(self._drop(F.gelu(self.widen(normed)))))
        return states if self.norms_first else self.feedforward_norm(states), weights

    def _drop(self, states: Tensor) -> Tensor:
        return F.dropout(states, self.dropout, self.training)
