"""The additive score: a small feed-forward network looks at each query and key.

Shapes: ... leading dims, H heads, Q queries, K keys, h hidden size, d sizes of one query or key;
N leading dims and heads in one.
"""

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from attnfocus.attention.paths.work import leading_dims
from attnfocus.attention.scores.base import Score, per_head_linear, xavier_uniform_per_head_
from attnfocus.limits import PositiveInt

# Numbers that one block of hidden units may have: what stays in a processor's cache, or fills a GPU without filling
# its memory.
CPU_BLOCK = 2**19
OTHER_BLOCK = 2**26


class AdditiveScore(Score):
    """score(q, k) = v . tanh(W q + U k + b)   (Bahdanau et al. 2015, A.1.2, arXiv:1409.0473)

    Per head: `query_weight` W (h, query_dim), `key_weight` U (h, key_dim), `bias` b (h), `vector` v (h). U k + b is
    computed once per sentence (`prepare_keys`).

    Cost: O(Q K h) tanh, and as many again in the backward pass. The hidden units (..., H, Q, K, h) are never held
    all at once: see `TanhProduct`.

    Args:
        hidden_size: h. None: query_dim.
    """

    keys_differ_by_head: ClassVar[bool] = True

    def __init__(self, *, query_dim: int, key_dim: int, num_heads: int, hidden_size: PositiveInt | None = None) -> None:
        super().__init__(query_dim=query_dim, key_dim=key_dim, num_heads=num_heads)
        self.hidden_size = query_dim if hidden_size is None else hidden_size
        self.query_weight = nn.Parameter(torch.empty(num_heads, self.hidden_size, query_dim))
        self.key_weight = nn.Parameter(torch.empty(num_heads, self.hidden_size, key_dim))
        self.bias = nn.Parameter(torch.empty(num_heads, 1, self.hidden_size))
        self.vector = nn.Parameter(torch.empty(num_heads, self.hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        xavier_uniform_per_head_(self.query_weight)
        xavier_uniform_per_head_(self.key_weight)
        nn.init.zeros_(self.bias)
        # Small: the scores of h hidden units, each within [-1, 1], then differ by about 1 and attention starts soft.
        bound = 1 / math.sqrt(self.hidden_size)
        nn.init.uniform_(self.vector, -bound, bound)

    def prepare_keys(self, keys: Tensor) -> Tensor:
        if self.num_heads == 1:
            return nn.functional.linear(keys, self.key_weight[0], self.bias[0, 0])
        return per_head_linear(keys, self.key_weight) + self.bias  # (..., H, K, h)

    def prepare_query(self, query: Tensor) -> Tensor:
        return per_head_linear(query, self.query_weight)  # (..., H, Q, h)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        query = self.prepare_query(query)
        dtype = torch.promote_types(query.dtype, keys.dtype)  # they differ where autocast saw only one of them
        leading = leading_dims(query, keys)  # (..., H)
        flat = [
            tensor.to(dtype).expand(*leading, *tensor.shape[-2:]).flatten(0, -3)
            for tensor in (query, keys, self.vector.unsqueeze(-2))
        ]
        scores: Tensor = TanhProduct.apply(*flat)
        return scores.view(*leading, query.shape[-2], keys.shape[-2])

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, hidden_size={self.hidden_size}"


class TanhProduct(torch.autograd.Function):
    """query (N, Q, h), keys (N, K, h), vector (N, 1, h) -> (vector * tanh(query + keys)).sum(over h), (N, Q, K).

    The hidden units are made block by block, forward and again backward, so that a block stays in the cache: what
    autograd would do holds three tensors (N, Q, K, h) and is slower by the time that it takes to move them.
    """

    @staticmethod
    def forward(query: Tensor, keys: Tensor, vector: Tensor) -> Tensor:
        scores = query.new_empty(query.shape[0], query.shape[1], keys.shape[1])
        for items, queries in _blocks(query, keys):
            hidden = _hidden(query[items, queries], keys[items])  # (n, q K, h)
            scores[items, queries] = torch.bmm(hidden, vector[items].transpose(1, 2)).view_as(scores[items, queries])
        return scores

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """With s = vector . tanh(a), ds/da = vector * (1 - tanh(a)^2)."""
        query, keys, vector = ctx.saved_tensors
        exact = torch.promote_types(query.dtype, torch.float32)  # sums over blocks
        of_query, of_keys, of_vector = (torch.zeros_like(tensor, dtype=exact) for tensor in (query, keys, vector))
        for items, queries in _blocks(query, keys):
            hidden = _hidden(query[items, queries], keys[items])
            block = gradient[items, queries]  # (n, q, K)
            of_vector[items] += torch.bmm(block.flatten(1).unsqueeze(1), hidden)
            slope = hidden.square_().neg_().add_(1).view(*block.shape, -1).mul_(block.unsqueeze(-1))  # (n, q, K, h)
            of_query[items, queries] = slope.sum(dim=2, dtype=exact)
            of_keys[items] += slope.sum(dim=1, dtype=exact)
        dtype = query.dtype
        return (of_query * vector).to(dtype), (of_keys * vector).to(dtype), of_vector.to(dtype)


def _hidden(query: Tensor, keys: Tensor) -> Tensor:
    """(n, q, h), (n, K, h) -> tanh of all sums, (n, q K, h)."""
    return (query.unsqueeze(2) + keys.unsqueeze(1)).tanh_().flatten(1, 2)


def _blocks(query: Tensor, keys: Tensor) -> Iterator[tuple[slice, slice]]:
    """Slices of N and Q whose hidden units are about a block; always at least one item and one query."""
    (count, num_queries, hidden_size), num_keys = query.shape, keys.shape[1]
    block = CPU_BLOCK if query.device.type == "cpu" else OTHER_BLOCK
    queries = max(1, min(num_queries, block // max(1, num_keys * hidden_size)))
    items = max(1, block // max(1, queries * num_keys * hidden_size))
    for first in range(0, count, items):
        for start in range(0, num_queries, queries):
            yield slice(first, first + items), slice(start, start + queries)
