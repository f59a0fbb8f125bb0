"""Attention with an output gate.

Shapes: ... leading dims, H heads, Q queries, K keys, Dq size of a query, dv size of one head's context.
"""

from typing import Literal, Unpack

import torch
from torch import Tensor

from attnfocus.attention.algebra import Attention
from attnfocus.attention.keywords import AttentionKeywords
from attnfocus.attention.projections import linear


class GatedAttention(Attention):
    """head_h = sigmoid(W_g^h query) * attention(W_q^h query, W_k^h keys, W_v^h values)   (Qiu et al. 2025,
    arXiv:2505.06708: the gate after scaled dot-product attention, from the query's own input)

    The gate lets a query take little from everything, so that no key has to serve as a sink. It has no bias and
    starts near 1/2. Weights are those before the gate.

    Cost: that of `Attention`, with any of its paths, and Q Dq H dv multiplications (headwise: Q Dq H).

    Args:
        gate: elementwise: one number for each entry of a head's context. headwise: one for each head.
    """

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        gate: Literal["elementwise", "headwise"] = "elementwise",
        **options: Unpack[AttentionKeywords],
    ) -> None:
        super().__init__(query_dim, key_dim, value_dim, **options)
        self.gate = gate
        query_dim = self.query_head_dim * self.num_heads
        context_dim = query_dim if self.has_projections else self.output_dim
        self.gate_projection = linear(query_dim, context_dim if gate == "elementwise" else self.num_heads, bias=False)

    def finish_heads(self, context: Tensor, query: Tensor) -> Tensor:
        gates = torch.sigmoid(self.gate_projection(query)).unflatten(-1, (self.num_heads, -1))
        return context * gates.transpose(-2, -3)  # (..., H, Q, dv or 1)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, gate={self.gate}"
