"""The additive score: a small feed-forward network looks at each query and key.

Shapes: ... leading dims, H heads, Q queries, K keys, h hidden size, d sizes of one query or key;
N leading dims and heads in one.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from attnfocus.attention.masks import leading_dims, surely_within
from attnfocus.attention.precision import as_scores, in_score_precision
from attnfocus.attention.scores.base import Score, per_head_linear, xavier_uniform_per_head_
from attnfocus.limits import Size

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

    def __init__(self, *, query_dim: int, key_dim: int, num_heads: int, hidden_size: Size | None = None) -> None:
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
        if torch.compiler.is_exporting():
            return tanh_product(query, keys, self.vector.unsqueeze(-2))
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
    """query (N, Q, h), keys (N, K, h), vector (N, 1, h) -> (vector * tanh(query + keys)).sum(over h), (N, Q, K), in
    float32 at least.

    The hidden units are made block by block, forward and again backward, so that a block stays in the cache: what
    autograd would do holds three tensors (N, Q, K, h) and is slower by the time that it takes to move them.
    Gradients of gradients do hold them: see `TanhSlopes`. The products and sums over hidden units are made of sigmoids,
    tanh(a) = 2 sigmoid(2 a) - 1, and what 2 and -1 do to them is known; `_Sigmoids` makes them without an exponential
    for each.
    """

    @staticmethod
    def forward(query: Tensor, keys: Tensor, vector: Tensor) -> Tensor:
        exact = _exact(query)
        sigmoids = _Sigmoids(query.to(exact), keys.to(exact))
        scores = query.new_empty(query.shape[0], query.shape[1], keys.shape[1], dtype=exact)
        factors = 2 * vector.to(exact)
        with in_score_precision(query):
            for items, queries in _blocks(query, keys):
                hidden = sigmoids.of(items, queries).flatten(1, 2)  # (n, q K, h)
                block = scores[items, queries]
                block.copy_(torch.bmm(factors[items], hidden.mT).view_as(block))  # the other way round it takes longer
        return as_scores(scores.sub_(vector.sum(dim=-1, keepdim=True, dtype=exact)), query)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        inputs = (*ctx.saved_tensors, gradient)
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            of_inputs: tuple[Tensor, Tensor, Tensor] = TanhSlopes.apply(*inputs)
            return of_inputs
        return tanh_slopes(*inputs)

    @staticmethod
    def vmap(info: Any, in_dims: Sequence[int | None], *inputs: Tensor) -> tuple[Tensor, int]:
        scores = TanhProduct.apply(*_as_items(info, in_dims, inputs))
        return scores.unflatten(0, (info.batch_size, len(scores) // info.batch_size)), 0


class TanhSlopes(torch.autograd.Function):
    """`tanh_slopes`, whose own gradients hold all hidden units (N, Q, K, h) at once, and have gradients again."""

    @staticmethod
    def forward(query: Tensor, keys: Tensor, vector: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return tanh_slopes(query, keys, vector, gradient)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, to_query: Tensor, to_keys: Tensor, to_vector: Tensor) -> tuple[Tensor, ...]:
        """Of sum g (v s u + t c): t = tanh(a), s = 1 - t^2, v the vector, g the gradient, u = to_query + to_keys, c =
        to_vector."""
        dtypes = [tensor.dtype for tensor in ctx.saved_tensors]
        exact = _exact(ctx.saved_tensors[0])
        query, keys, vector, gradient = (tensor.to(exact) for tensor in ctx.saved_tensors)
        tanh = torch.tanh(query.unsqueeze(2) + keys.unsqueeze(1))  # (N, Q, K, h)
        moved = to_query.to(exact).unsqueeze(2) + to_keys.to(exact).unsqueeze(1)
        vector, of_vector = vector.unsqueeze(2), to_vector.to(exact).unsqueeze(2)  # (N, 1, 1, h)
        slope, outer = 1 - tanh.square(), gradient.unsqueeze(-1)
        of_sum = outer * slope * (of_vector - 2 * tanh * vector * moved)
        of_gradient = (vector * slope * moved + tanh * of_vector).sum(dim=-1)
        results = of_sum.sum(2), of_sum.sum(1), (outer * slope * moved).sum((1, 2)).unsqueeze(1), of_gradient
        return tuple(result.to(dtype) for result, dtype in zip(results, dtypes, strict=True))

    @staticmethod
    def vmap(info: Any, in_dims: Sequence[int | None], *inputs: Tensor) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        results = TanhSlopes.apply(*_as_items(info, in_dims, inputs))
        return tuple(each.unflatten(0, (info.batch_size, len(each) // info.batch_size)) for each in results), (0, 0, 0)


def tanh_slopes(query: Tensor, keys: Tensor, vector: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query, keys and vector, from that of the scores (N, Q, K).

    With s = vector . tanh(a) and p = sigmoid(2 a), ds/da = vector * 4 p (1 - p).
    """
    dtype, exact = query.dtype, _exact(query)
    query, keys, gradient = query.to(exact), keys.to(exact), gradient.to(exact)
    sigmoids = _Sigmoids(query, keys)
    of_query, of_keys = torch.empty_like(query), torch.empty_like(keys)
    of_vector = torch.zeros_like(vector, dtype=exact)
    for items, queries in _blocks(query, keys):
        hidden = sigmoids.of(items, queries).flatten(1, 2)  # (n, q K, h)
        block = gradient[items, queries]  # (n, q, K)
        of_vector[items] += torch.bmm(block.flatten(1).unsqueeze(1), hidden)
        slope = hidden.addcmul_(hidden, hidden, value=-1).view(*block.shape, -1).mul_(block.unsqueeze(-1))
        torch.sum(slope, dim=2, out=of_query[items, queries])  # slope: (n, q, K, h)
        if queries.start == 0:
            torch.sum(slope, dim=1, out=of_keys[items])
        else:
            of_keys[items] += slope.sum(dim=1)
    of_vector = 2 * of_vector - gradient.sum(dim=(1, 2)).view(-1, 1, 1)
    factors = 4 * vector.to(exact)
    return of_query.mul_(factors).to(dtype), of_keys.mul_(factors).to(dtype), of_vector.to(dtype)


def tanh_product(query: Tensor, keys: Tensor, vector: Tensor) -> Tensor:
    """What `TanhProduct` computes, all at once: for `torch.export`, whose graphs have no loops over items."""
    exact = _exact(query)
    hidden = torch.tanh(query.to(exact).unsqueeze(-2) + keys.to(exact).unsqueeze(-3))
    return (vector.to(exact).unsqueeze(-2) * hidden).sum(dim=-1)


def _as_items(info: Any, in_dims: Sequence[int | None], inputs: Sequence[Tensor]) -> list[Tensor]:
    """Tensors (N, ...), over one dim of which `torch.func.vmap` maps where there is a number, as more items."""
    mapped = (
        tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
        for tensor, dim in zip(inputs, in_dims, strict=True)
    )
    return [tensor.flatten(0, 1) for tensor in mapped]


def _exact(query: Tensor) -> torch.dtype:
    """What the hidden units are computed in: a sigmoid in half precision would leave little of a tanh near 0."""
    return torch.promote_types(query.dtype, torch.float32)


class _Sigmoids:
    """sigmoid(2 q + 2 k) of all pairs of queries (N, Q, h) and keys (N, K, h), block by block, in one buffer.

    It is 1 / (1 + exp(-2 q) exp(-2 k)): a product and a reciprocal for each pair, a third of what a sigmoid takes on a
    CPU. Where an exponential could overflow, or nobody may look, a sigmoid is taken.
    """

    LARGEST = 40.0  # exp(-80) and exp(80) are normal numbers of float32
    FEWEST = 4  # queries: for less the exponentials of the keys would take as long

    def __init__(self, query: Tensor, keys: Tensor) -> None:
        pays = query.shape[1] >= self.FEWEST
        are_products = pays and surely_within(query, self.LARGEST) and surely_within(keys, self.LARGEST)
        self.query = (-2 * query).exp_() if are_products else 2 * query
        self.keys = (-2 * keys).exp_() if are_products else keys
        self.one = query.new_ones(()) if are_products else None
        self.buffer: Tensor | None = None

    def of(self, items: slice, queries: slice) -> Tensor:
        """(n, q, K, h), until it is called again."""
        query, keys = self.query[items, queries].unsqueeze(2), self.keys[items].unsqueeze(1)
        shape = (*query.shape[:2], *keys.shape[2:])
        size = math.prod(shape)
        buffer = self.buffer
        room = None if buffer is None or buffer.numel() < size else buffer[:size].view(shape)
        if self.one is not None:
            hidden = torch.addcmul(self.one, query, keys, out=room).reciprocal_()
        else:
            hidden = torch.add(query, keys, alpha=2, out=room).sigmoid_()
        if room is None:
            self.buffer = hidden.flatten()
        return hidden


def _blocks(query: Tensor, keys: Tensor) -> Iterator[tuple[slice, slice]]:
    """Slices of N and Q whose hidden units are about a block; every item has one, be there no query."""
    (count, num_queries, hidden_size), num_keys = query.shape, keys.shape[1]
    block = CPU_BLOCK if query.device.type == "cpu" else OTHER_BLOCK
    queries = max(1, min(num_queries, block // max(1, num_keys * hidden_size)))
    items = max(1, block // max(1, queries * num_keys * hidden_size))
    for first in range(0, count, items):
        for start in range(0, max(1, num_queries), queries):
            yield slice(first, first + items), slice(start, start + queries)
