"""Attention without what a position knows of itself.

Shapes: ... leading dims, H heads, Q queries, K keys, dv size of one head's value. Masks are bool, True = may attend.
"""

from typing import ClassVar, Unpack

from torch import Tensor

from attnfocus.attention.algebra import Attention
from attnfocus.attention.keywords import AttentionKeywords
from attnfocus.attention.precision import exact, no_autocast


class ExclusiveAttention(Attention):
    """context_i = y_i - (y_i . v_i) v_i / |v_i|^2,  y_i = sum_j weight_ij v_j   (Zhai 2026, arXiv:2603.09078)

    Exclusive self-attention: of what a head reads, only what is orthogonal to the value of the query's own position is
    passed on. The residual connection has that already. A query that may not attend to itself keeps all it reads. The
    weights are those before, one of which, weight_ii, then has no effect on the direction of v_i.

    Cost: that of `Attention`, with any of its paths, and O(Q H dv).

    Raises:
        ValueError: a score or normalizer that follows a decoder's steps, or as in `Attention`.
    """

    SMALLEST: ClassVar[float] = 1e-12  # of the squared length of a value that is divided by it

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        **options: Unpack[AttentionKeywords],
    ) -> None:
        super().__init__(query_dim, key_dim, value_dim, **options)
        if self.uses_history:
            raise ValueError(
                f"{self.history_factor} follows where a decoder looked step by step in another sequence, where a query "
                "has no value of its own: use attention/score=scaled_dot with attention/normalizer=softmax."
            )

    @property
    def same_sequence_only(self) -> bool:
        return True

    @property
    def excludes_itself(self) -> bool:
        return True

    def mix(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        context, weights = super().mix(query, keys, values, mask, need_weights)
        num_queries, num_keys = query.shape[-2], values.shape[-2]
        if num_keys < num_queries or num_keys == 0:
            return context, weights  # queries that stand before the first position
        first = num_keys - num_queries
        with no_autocast(context):
            read, own = exact(context), exact(self._for_each_head(values[..., first:, :]))
            shares = (read * own).sum(dim=-1, keepdim=True) / own.square().sum(dim=-1, keepdim=True).clamp(
                self.SMALLEST
            )
            if mask is not None:
                sees_itself = mask.expand(*mask.shape[:-2], num_queries, num_keys).diagonal(first, dim1=-2, dim2=-1)
                shares = shares * sees_itself.unsqueeze(-1).to(shares.dtype)
            return (read - shares * own).to(context.dtype), weights
