"""Attentions that are recurrences: what a query sees of the positions before it is a matrix of constant size.

Shapes: ... leading dims, H heads, G key heads, Q queries, K keys, d size of one head, dv size of a value, Dk size of a
key before it is projected, e numbers of a position besides its key. Masks are bool, True = may attend.
"""

from abc import abstractmethod
from typing import ClassVar, NamedTuple, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention import masks, paths
from attnfocus.attention.base import BaseAttention
from attnfocus.attention.keywords import HeadKeywords
from attnfocus.attention.memory import GrowingMemory, Memory, Past, RunningSums
from attnfocus.attention.precision import exact, no_autocast
from attnfocus.attention.projections import linear


class Inputs(NamedTuple):
    """What a recurrence runs over: as many queries as keys, all in float32 at least."""

    query: Tensor  # (..., H, K, d)
    keys: Tensor  # (..., H, K, d + e): each with what `pack_keys` put behind it; 0 where no query may attend
    values: Tensor  # (..., H, K, dv)


class RecurrentAttention(BaseAttention):
    """output_i = W_o [silu(W_g x_i) * RMSNorm(S_i^T query_i)],  S_i a matrix (d, dv) that follows from S_(i-1)

    A subclass says how S follows. All are causal, and linear in the values: context_i = sum_j weight_ij value_j with
    implied weights, which are what is returned for weights. They may be negative and need not sum to 1, so that each
    head's context is normalized, RMSNorm(x) = norm_weight x / sqrt(mean(x^2) + 1e-6), and with `output_gate` gated by
    the query's own input. A position that no query may attend, such as padding, is passed over.

    Sums are made in float32 at least.

    Cost: O(K (c d + d dv)) in chunks of c positions, memory O(K (c + d dv / c)); O(K^2 (c + d)) where the weights are
    needed: asked for, or dropped in training. A step of decoding costs O(d dv), whatever came before it.

    Args:
        output_gate: whether the context is gated.
        query_dim, key_dim, value_dim, and the rest: as in `BaseAttention`.

    Attributes:
        chunk_size: c.

    Raises:
        ValueError: queries and keys of different sizes without projections.
    """

    EPS: ClassVar[float] = 1e-6
    chunk_size: int = 64
    weights_sum_to_one = False
    weights_are_nonnegative = False

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        output_gate: bool = True,
        **options: Unpack[HeadKeywords],
    ) -> None:
        super().__init__(query_dim, key_dim, value_dim, **options)
        if self.query_head_dim != self.key_head_dim:
            raise ValueError(
                f"{type(self).__name__} compares queries and keys of one size, got query_dim {self.query_head_dim} and "
                f"key_dim {self.key_head_dim}: use projections=true."
            )
        value_dim = self.query_head_dim if self.has_projections else self.output_dim
        self.norm_weight = nn.Parameter(torch.ones(value_dim))
        self.gate_projection = linear(query_dim, self.num_heads * value_dim, bias=False) if output_gate else None

    # What a subclass gives.

    @abstractmethod
    def pack_keys(self, keys: Tensor, states: Tensor, first_position: int) -> Tensor:
        """Projected keys (..., G, K, d), and what they are projections of (..., K, Dk) -> (..., G, K, d + e).

        All of it 0 must mean a position that has no effect.
        """

    @abstractmethod
    def place_query(self, query: Tensor, first_position: int) -> Tensor:
        """Projected queries (..., H, Q, d) as they meet the keys."""

    @abstractmethod
    def run(self, inputs: Inputs, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Contexts (..., H, K, dv) and the state (..., H, d, dv) after the last position, from the one before the
        first; None: 0."""

    # What it says of itself.

    @property
    def same_sequence_only(self) -> bool:
        return True

    @property
    def sees_everything(self) -> bool:
        return False

    @property
    def looks_back(self) -> bool:
        return True

    def chosen_path(self, call: paths.Call | None = None, masked_by_query: bool = False) -> paths.PathChoice:
        """Which way a call runs, and why.

        Args:
            call: need_weights, and the sizes.
            masked_by_query: whether its mask differs between queries.
        """
        name = type(self).__name__
        if call is not None and call.need_weights:
            return paths.PathChoice("plain", "weights were asked for, and no other path holds them")
        if self.dropout_now > 0:
            return paths.PathChoice("plain", f"dropout={self.dropout} drops weights, which {name} else never makes")
        if masked_by_query:
            return paths.PathChoice("plain", "the mask differs between queries, so that they share no sums")
        return paths.PathChoice("linear", f"{name} goes through the sequence by chunks, with sums of constant size")

    def prepare(
        self, keys: Tensor, values: Tensor | None = None, mask: Tensor | None = None, first_position: int = 0
    ) -> Memory:
        """As in `BaseAttention`; behind each key of the memory stands what else the recurrence needs."""
        memory = super().prepare(keys, values, mask, first_position)
        cleared = keys if mask is None else masks.cleared(keys, mask)
        with no_autocast(keys):  # half precision would make sums of many small logarithms of other ones
            return memory._replace(keys=self.pack_keys(exact(memory.keys), exact(cleared), first_position))

    def mix(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        num_queries, num_keys = query.shape[-2], keys.shape[-2]
        call = paths.Call(need_weights, num_queries, num_keys, device=query.device.type)
        is_plain = self.noted(self.chosen_path(call, mask is not None and mask.shape[-2] != 1)).name == "plain"
        with no_autocast(query):
            inputs = self._inputs(query, Memory(keys, values, mask), 0)
            if not is_plain:
                return self._normed(_last(self._run(inputs, None)[0], num_queries), values), None
            weights = _last(self._weights(inputs), num_queries)
            weights = weights if mask is None else torch.where(mask, weights, 0.0)
            context = self._normed(paths.mixed(weights, inputs.values, self.dropout_now), values)
            return context, weights.to(values.dtype) if need_weights else None

    def finish_heads(self, context: Tensor, query: Tensor) -> Tensor:
        if self.gate_projection is None:
            return context
        gates = F.silu(self.gate_projection(query)).unflatten(-1, (self.num_heads, -1))
        return context * gates.transpose(-2, -3)  # (..., H, Q, dv)

    def begin(self, need_weights: bool = False) -> Past:
        return GrowingMemory() if need_weights or self.dropout_now > 0 else RunningSums()

    def proceed(self, states: Tensor, past: Past, need_weights: bool = False) -> tuple[Tensor, Tensor | None, Past]:
        if not isinstance(past, RunningSums):
            return super().proceed(states, past, need_weights)
        past.require_enough(type(self).__name__, need_weights, self.dropout_now)
        memory = self.prepare(states, first_position=past.length)
        with no_autocast(states):
            inputs = self._inputs(self._query_heads(states), memory, past.length)
            context, after = self._run(inputs, past.tensors[0] if past.tensors else None)
            weights = self._weights(inputs).to(memory.values.dtype) if need_weights else None
            context = self._normed(context, memory.values)
        context = self._merge_heads(self.finish_heads(context, states))
        return context, weights, RunningSums(past.length + states.shape[-2], (after,))

    def _inputs(self, query: Tensor, memory: Memory, first_position: int) -> Inputs:
        """As many queries (..., H, K, d) as keys: nobody asks for those that are added, and none stands before a key.

        The mask of the memory has the axis of the heads.
        """
        num_queries, num_keys = query.shape[-2], memory.keys.shape[-2]
        query = self.place_query(exact(query), first_position + num_keys - num_queries)
        query = F.pad(query, (0, 0, max(0, num_keys - num_queries), 0))[..., max(0, num_queries - num_keys) :, :]
        keys, values = self._for_each_head(memory.keys), exact(self._for_each_head(memory.values))
        if memory.mask is not None:
            keys = torch.where(masks.never_attended(memory.mask).unsqueeze(-1), 0.0, keys)
        return Inputs(query, keys, values)

    def _run(self, inputs: Inputs, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """`run`, also for no positions at all."""
        if inputs.keys.shape[-2] > 0:
            return self.run(inputs, state)
        query, keys, values = inputs
        sizes = masks.leading_dims(query, keys, values)
        zeros = values.new_zeros(*sizes, query.shape[-1], values.shape[-1]) if state is None else state
        return values.new_zeros(*sizes, 0, values.shape[-1]), zeros

    def _weights(self, inputs: Inputs) -> Tensor:
        """(..., H, K, K): the contexts of values that tell the positions apart."""
        num_keys = inputs.keys.shape[-2]
        identity = torch.eye(num_keys, dtype=inputs.values.dtype, device=inputs.values.device)
        return self._run(inputs._replace(values=identity), None)[0]

    def _normed(self, context: Tensor, values: Tensor) -> Tensor:
        """Contexts (..., H, Q, dv), normalized, in the precision of the values."""
        normed = F.rms_norm(context, context.shape[-1:], self.norm_weight.to(context.dtype), self.EPS)
        return normed.to(values.dtype)


def _last(rows: Tensor, count: int) -> Tensor:
    """The last rows of (..., K, any size), with zeros before them where there are fewer."""
    num_rows = rows.shape[-2]
    return F.pad(rows[..., max(0, num_rows - count) :, :], (0, 0, max(0, count - num_rows), 0))
