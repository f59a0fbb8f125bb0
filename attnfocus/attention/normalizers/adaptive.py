"""Entmax whose sharpness follows the query and the number of keys.

Shapes: ... leading dims, H heads, Q queries, K keys, d size of one head's query. Masks are bool, True = may attend.
"""

import math
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention.normalizers.base import Normalizer, log_count
from attnfocus.attention.normalizers.entmax import entmax
from attnfocus.attention.precision import exact
from attnfocus.limits import Range


class AdaptiveScalableEntmax(Normalizer):
    """weight = alpha-entmax((1 + beta log(n + 1)^gamma) score),  beta = softplus(w q + b),  gamma = 2 tanh(v q + c)

    ASEntmax: Vasylenko et al. 2025, arXiv:2506.16640. n counts the keys which the query may attend to: as there are
    more, a query may sharpen its weights (gamma > 0) or spread them (gamma < 0). alpha is fixed. As in the authors'
    code the logarithm is of n + 1, so that it is never 0, and gamma is within 2. beta and gamma there are linear in
    the input of the layer; here they are in the head's query q, before positions move it, which is linear in that.

    Per head: `reading` w and v (2, d), uniform within 1 / sqrt(d); `offset` b and c (2), which starts at 0.

    Cost: O(Q K), about ten times over for the threshold (on a CPU five times), and O(Q d). Half precision is computed
    in float32.

    A `mask` is bool and broadcastable to the scores, True = may attend; None: all may be attended.

    Args:
        head_dim: d. None: beta and gamma are the same for all queries, b and c alone.
        alpha: 2 is sparsemax; near 1 it is dense as softmax is.
    """

    GAMMA_RANGE: ClassVar[float] = 2.0
    num_hints = 2

    def __init__(
        self, *, num_heads: int, head_dim: int | None = None, alpha: Annotated[float, Range(gt=1, le=2)] = 1.5
    ) -> None:
        super().__init__(num_heads=num_heads)
        self.alpha = float(alpha)
        self.offset = nn.Parameter(torch.zeros(num_heads, 1, 2))
        self.reading = None if head_dim is None else nn.Parameter(torch.empty(num_heads, head_dim, 2))
        if self.reading is not None and head_dim is not None:
            bound = 1 / math.sqrt(head_dim)
            nn.init.uniform_(self.reading, -bound, bound)

    def hints(self, query: Tensor) -> Tensor | None:
        """beta and gamma before their bounds."""
        return None if self.reading is None else torch.matmul(query, self.reading)

    def forward(self, scores: Tensor, mask: Tensor | None, hints: Tensor | None = None) -> Tensor:
        precise = exact(scores)
        read = exact(self.offset) if hints is None else exact(self.offset) + exact(hints)
        beta, gamma = read.split(1, dim=-1)
        length = torch.as_tensor(log_count(precise, mask, more=1), dtype=precise.dtype, device=precise.device)
        factor = 1 + F.softplus(beta) * length ** (self.GAMMA_RANGE * torch.tanh(gamma))
        return entmax(precise * factor, mask, self.alpha).to(scores.dtype)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha:g}"
