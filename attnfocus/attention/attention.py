"""The frame that joins a score, a normalizer, a pattern and a position into one attention.

Shapes: ... leading dims (the batch), H heads, Q queries, K keys, Dq, Dk, Dv sizes of a query, key and value.
Masks are bool, True = may attend.
"""

from typing import NamedTuple

from torch import Tensor, nn

from attnfocus.attention import masks, paths
from attnfocus.attention.normalizers import NormalizerFactory, Softmax
from attnfocus.attention.patterns import FullPattern, PatternFactory
from attnfocus.attention.positions import NoPosition, PositionFactory
from attnfocus.attention.scores import ScoreFactory
from attnfocus.limits import PositiveInt, Probability


class Memory(NamedTuple):
    """What depends on the keys alone, computed once: see `Attention.prepare`. Leading dims come first everywhere."""

    keys: Tensor  # (..., H, K, any size): as the score wants them
    values: Tensor  # (..., H, K, size of one head's value)
    mask: Tensor | None  # broadcastable to (..., Q, K), as it was given


class Attention(nn.Module):
    """context_i = sum_j weight_ij value_j,  weight_i = normalizer(score(query_i, key_j) + bias_ij, over allowed j)

    One head works on the vectors as they are (Bahdanau et al. 2015, arXiv:1409.0473; Luong et al. 2015,
    arXiv:1508.04025). With `projections`, H heads attend in parallel (Vaswani et al. 2017, sec. 3.2.2,
    arXiv:1706.03762): head_h = attention(W_q query, W_k keys, W_v values) with Dq / H numbers per head, and
    context = W_o [head_1; ...; head_H]. W_q, W_k and W_v have biases, W_o has none: the bias of W_v passes through
    weights that sum to 1 and does the same work, and a row with nothing to attend stays exactly 0.

    What holds for every combination: masked positions have weight and gradient exactly 0; a row with nothing to
    attend gives 0, forward and backward; with the mask given to `prepare` or `forward`, NaN or infinity in padded
    keys and values (positions which no query may attend) never reaches a result or a gradient.

    Cost: that of the score, plus O(Q K Dv). Where the factors allow it and no weights are asked for, a fused kernel
    runs: `path` tells which way, and why.

    Args:
        query_dim: Dq.
        key_dim: Dk.
        value_dim: Dv. None: the values are the keys.
        score: makes the score: a class such as `AdditiveScore`, or a `functools.partial` of one.
        normalizer: makes the normalizer.
        pattern: makes the pattern.
        position: makes the position.
        num_heads: H. None: `suggested_heads`.
        projections: whether queries, keys and values are projected. None: if the model suggests it, or H > 1.
        dropout: rate at which weights are dropped in training.
        suggested_heads: what the model takes for H if `num_heads` is None. Given by the model, not by a config.
        suggested_projections: what the model takes for `projections`. Given by the model, not by a config.
        output_dim: size of the context with projections. None: Dq. Given by the model, not by a config.

    Attributes:
        output_dim: size of the context: as above with projections, Dv without.
        num_heads: H.
        same_sequence_only: True where pattern or position only make sense in self-attention.

    Raises:
        ValueError: options that do not fit together, or sizes that the score cannot work with.
    """

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        score: ScoreFactory,
        normalizer: NormalizerFactory = Softmax,
        pattern: PatternFactory = FullPattern,
        position: PositionFactory = NoPosition,
        num_heads: PositiveInt | None = None,
        projections: bool | None = None,
        dropout: Probability = 0.0,
        suggested_heads: int = 1,
        suggested_projections: bool = False,
        output_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.num_heads = suggested_heads if num_heads is None else num_heads
        self.has_projections = suggested_projections or self.num_heads > 1 if projections is None else projections
        self.dropout = dropout
        value_dim = key_dim if value_dim is None else value_dim
        if self.has_projections:
            self.output_dim = query_dim if output_dim is None else output_dim
            head_dim = key_head_dim = _head_dim(query_dim, self.num_heads)
            self.query_projection = _linear(query_dim, query_dim)
            self.key_projection = _linear(key_dim, query_dim)
            self.value_projection = _linear(value_dim, query_dim)
            self.output_projection = _linear(query_dim, self.output_dim, bias=False)
        else:
            _require_one_plain_head(self.num_heads, value_dim, output_dim)
            self.output_dim, head_dim, key_head_dim = value_dim, query_dim, key_dim
        self.score = score(query_dim=head_dim, key_dim=key_head_dim, num_heads=self.num_heads)
        self.normalizer = normalizer(num_heads=self.num_heads)
        self.pattern = pattern()
        self.position = position(num_heads=self.num_heads, head_dim=head_dim)

    @property
    def same_sequence_only(self) -> bool:
        return self.pattern.same_sequence_only or self.position.same_sequence_only

    def path(self, need_weights: bool = False) -> paths.PathChoice:
        """Which way a call runs, and why."""
        return paths.choose(self.score, self.normalizer, self.position, need_weights)

    def prepare(self, keys: Tensor, values: Tensor | None = None, mask: Tensor | None = None) -> Memory:
        """The part of the work that depends on the keys alone, to be done once per sentence.

        Args:
            keys: (..., K, Dk).
            values: (..., K, Dv). None: the keys.
            mask: as in `attend`; for padding (batch, 1, K). Given here it holds for every `attend` with this memory,
                and padded keys and values may hold anything, NaN included, without a trace in any gradient.
        """
        if mask is not None:
            masks.check(mask)
            keys = masks.cleared(keys, mask)
            values = None if values is None else masks.cleared(values, mask)
        values = keys if values is None else values
        if self.has_projections:
            keys, values = self.key_projection(keys), self.value_projection(values)
        keys = self.position.rotate(self._split_heads(keys), 0)
        return Memory(self.score.prepare_keys(keys), self._split_heads(values), mask)

    def attend(
        self, query: Tensor, memory: Memory, mask: Tensor | None = None, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Attends to what `prepare` made.

        Args:
            query: (..., Q, Dq).
            memory: out of `prepare`.
            mask: bool, broadcastable to (..., Q, K). It narrows the mask of the memory, if there is one.
            need_weights: also return the weights; takes the plain path.

        Returns:
            context (..., Q, output_dim), and weights (..., H, Q, K) before dropout, or None if not asked for.
        """
        keys, values = memory.keys, memory.values
        if mask is not None:
            masks.check(mask)
            mask = masks.with_head_axis(mask)
            if memory.mask is None:
                keys, values = masks.cleared(keys, mask), masks.cleared(values, mask)
        if memory.mask is not None:
            mask = masks.both(masks.with_head_axis(memory.mask), mask)

        if self.has_projections:
            query = self.query_projection(query)
        query = self._split_heads(query)  # (..., H, Q, d)
        num_queries, num_keys = query.shape[-2], keys.shape[-2]
        query = self.position.rotate(query, num_keys - num_queries)
        context, weights = self._mix(query, keys, values, mask, need_weights)
        return self._merge_heads(context), weights

    def forward(
        self,
        query: Tensor,
        keys: Tensor,
        values: Tensor | None = None,
        mask: Tensor | None = None,
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """`prepare` and `attend` in one: query (..., Q, Dq), keys (..., K, Dk), values (..., K, Dv) or None.

        mask is bool and broadcastable to (..., Q, K). Returns as `attend` does.
        """
        return self.attend(query, self.prepare(keys, values, mask), None, need_weights)

    def _mix(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        num_queries, num_keys = query.shape[-2], keys.shape[-2]
        dropout = self.dropout if self.training else 0.0
        is_fused = self.path(need_weights).name == "fused"
        # The kernel's own causal mode counts from the first key, which is the same pattern only where Q = K.
        is_causal = is_fused and mask is None and self.pattern.is_causal and num_queries == num_keys
        if not is_causal:
            mask = masks.both(mask, self.pattern.mask(num_queries, num_keys, query.device))
        if is_fused:
            return paths.fused(self.score.prepare_query(query), keys, values, mask, is_causal, dropout), None
        scores = self.score(query, keys)
        bias = self.position.bias(num_queries, num_keys)
        scores = scores if bias is None else scores + bias
        context, weights = paths.plain(scores, values, mask, self.normalizer, dropout)
        return context, weights if need_weights else None

    def _split_heads(self, vectors: Tensor) -> Tensor:
        """(..., N, H d) -> (..., H, N, d)."""
        if self.num_heads == 1:
            return vectors.unsqueeze(-3)
        return vectors.unflatten(-1, (self.num_heads, -1)).transpose(-2, -3)

    def _merge_heads(self, context: Tensor) -> Tensor:
        """(..., H, Q, d) -> (..., Q, output_dim)."""
        merged = context.squeeze(-3) if self.num_heads == 1 else context.transpose(-2, -3).flatten(-2)
        return self.output_projection(merged) if self.has_projections else merged

    def extra_repr(self) -> str:
        return f"num_heads={self.num_heads}, pattern={self.pattern}, dropout={self.dropout}"


def _linear(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """A projection with Xavier uniform weights (Glorot and Bengio 2010) and zero biases.

    Xavier keeps the variance of what passes through, so that queries and keys meet at the scale that they came with.
    """
    linear = nn.Linear(inputs, outputs, bias=bias)
    nn.init.xavier_uniform_(linear.weight)
    if bias:
        nn.init.zeros_(linear.bias)
    return linear


def _head_dim(query_dim: int, num_heads: int) -> int:
    if query_dim % num_heads:
        works = ", ".join(str(heads) for heads in range(1, query_dim + 1) if query_dim % heads == 0)
        raise ValueError(f"num_heads {num_heads} does not divide the query size {query_dim}; these do: {works}.")
    return query_dim // num_heads


def _require_one_plain_head(num_heads: int, value_dim: int, output_dim: int | None) -> None:
    if num_heads != 1:
        raise ValueError(
            f"projections=false leaves no way to split vectors into num_heads {num_heads}: "
            "use num_heads=1, or projections=true."
        )
    if output_dim not in (None, value_dim):
        raise ValueError(
            f"projections=false returns contexts of the values' size {value_dim}, not {output_dim}: "
            "use projections=true."
        )
