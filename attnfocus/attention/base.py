"""What every attention has in common: heads, projections, masks, and the work that depends on the keys alone.

Shapes: ... leading dims (the batch), H heads, G key heads, Q queries, K keys, Dq, Dk, Dv sizes of a query, key and
value, d size of one head. Masks are bool, True = may attend.
"""

from collections.abc import Callable

from torch import Tensor, nn

from attnfocus.attention import heads, hypotheses, masks, shapes
from attnfocus.attention.memory import GrowingMemory, History, Memory, Past
from attnfocus.attention.paths.protocol import Call, PathChoice
from attnfocus.attention.plane import Plane
from attnfocus.attention.projections import linear
from attnfocus.attention.role import Role
from attnfocus.attention.traits import Traits
from attnfocus.limits import Probability, Size
from attnfocus.signatures import WholeSignature

Replacement = Callable[[Tensor], Tensor]  # weights (..., H, Q, K), or what heads give (..., H, Q, d) -> what is used


class BaseAttention(Traits):
    """Heads and projections around `mix`, which a subclass gives; see `Attention` for the algebra.

    Masks are bool, True = may attend.

    Args:
        query_dim: Dq.
        key_dim: Dk.
        value_dim: Dv. None: the values are the keys.
        num_heads: H. None: `suggested_heads`.
        num_key_heads: G, heads of keys and values, each shared by H / G query heads: 1 is multi-query (Shazeer 2019,
            arXiv:1911.02150), more is grouped-query attention (Ainslie et al. 2023, arXiv:2305.13245). None: H.
        projections: whether queries, keys and values are projected. None: if the model suggests it, or H > 1.
        dropout: rate at which weights are dropped in training.
        suggested_heads: what the model takes for H if `num_heads` is None. Given by the model, not by a config.
        suggested_projections: what the model takes for `projections`. Given by the model, not by a config.
        suggested_bias: whether the projections of queries, keys and values have biases. Given by the model.
        output_dim: size of the context with projections. None: Dq. Given by the model, not by a config.

    Attributes:
        output_dim: size of the context: as above with projections, Dv without.
        num_heads: H.
        role: what it is for in a model, whose part that owns it says so; None: nobody has said.
        depth: the layer that it is in, from 0; whoever makes it for a deeper one says so (`models.layer_attentions`).
        in_stack: the option of the model that made it as one of a stack, and its number there, from 0; None: no stack.
        words: what a person calls it beside the others of a stack that differ, such as `local`; else empty.
        replacement, head_change: for weights, for what heads give; None, save in `replaced_weights`, `changed_heads`.
        plane: how the positions of the input lie in rows and columns; None: in a row, or nobody has said.
        trained_path: how the last call in training computed; None before it, or where there is no choice.

    Raises:
        ValueError: options that do not fit together.
    """

    __signature__ = WholeSignature()  # of the classes below, which hand on what they do not name

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        num_heads: Size | None = None,
        num_key_heads: Size | None = None,
        projections: bool | None = None,
        dropout: Probability = 0.0,
        suggested_heads: int = 1,
        suggested_projections: bool = False,
        suggested_bias: bool = True,
        output_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.role: Role | None = None
        self.depth = 0
        self.plane: Plane | None = None
        self.in_stack: tuple[str, int] | None = None
        self.words = ""
        self.trained_path: PathChoice | None = None
        self.replacement: Replacement | None = None  # set for a while by `replaced_weights`
        self.head_change: Replacement | None = None  # set for a while by `changed_heads`
        self.query_dim, self.key_dim = query_dim, key_dim
        self.num_heads = suggested_heads if num_heads is None else num_heads
        self.num_key_heads = self.num_heads if num_key_heads is None else num_key_heads
        if self.num_heads % self.num_key_heads:
            raise ValueError(heads.does_not_divide("num_key_heads", self.num_key_heads, "num_heads", self.num_heads))
        self.has_projections = suggested_projections or self.num_heads > 1 if projections is None else projections
        self.dropout = dropout
        value_dim = key_dim if value_dim is None else value_dim
        if not self.has_projections:
            heads.require_one_plain_head(self.num_heads, value_dim, output_dim)
            self.output_dim, self.query_head_dim, self.key_head_dim = value_dim, query_dim, key_dim
            return
        if query_dim % self.num_heads:
            raise ValueError(heads.does_not_divide("num_heads", self.num_heads, "the query size", query_dim))
        self.output_dim = query_dim if output_dim is None else output_dim
        self.query_head_dim = self.key_head_dim = query_dim // self.num_heads
        memory_dim = self.num_key_heads * self.key_head_dim
        self.query_projection = linear(query_dim, query_dim, suggested_bias)
        self.key_projection = linear(key_dim, memory_dim, suggested_bias)
        self.value_projection = linear(value_dim, memory_dim, suggested_bias)
        self.output_projection = linear(query_dim, self.output_dim, bias=False)

    # What a subclass may do in its own way.

    def used(self, weights: Tensor) -> Tensor:
        """The weights (..., H, Q, K) that the context is made of: those given, save in `replaced_weights`."""
        return weights if self.replacement is None else self.replacement(weights)

    def chosen_path(self, call: Call | None = None) -> PathChoice:
        """Which way a call runs, and why."""
        return PathChoice("plain", f"{type(self).__name__} knows one way to compute")

    @property
    def dropout_now(self) -> float:
        """The rate at which weights are dropped as things are: 0 in evaluation."""
        return self.dropout if self.training else 0.0

    def noted(self, choice: PathChoice) -> PathChoice:
        """The choice for a call that now runs, kept in `trained_path` for whoever wants to tell it."""
        if self.training:
            self.trained_path = choice
        return choice

    def read_keys(self, keys: Tensor) -> Tensor | None:
        """What is read of keys (..., K, Dk) as they come and kept with them: numbers (..., maps, K); None: nothing."""
        return None

    def prepare_heads(
        self, keys: Tensor, values: Tensor, mask: Tensor | None, first_position: int = 0
    ) -> tuple[Tensor, Tensor]:
        """What can be done to projected keys and values (..., G, K, d) once per sentence.

        mask and first_position are those of `prepare`, the mask with the axis of the heads; padded keys and values are
        not cleared any more.
        """
        return keys, values

    def mix(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """query (..., H, Q, d), keys and values out of `prepare_heads`, mask broadcastable to (..., H, Q, K).

        Returns the context (..., H, Q, dv), and weights (..., H, Q, K) before dropout if they are asked for.
        """
        raise NotImplementedError

    def finish_heads(self, context: Tensor, query: Tensor) -> Tensor:
        """What happens to the heads' context (..., H, Q, dv) before they are merged. query (..., Q, Dq): as it came."""
        return context

    # What a model calls.

    def prepare(
        self, keys: Tensor, values: Tensor | None = None, mask: Tensor | None = None, first_position: int = 0
    ) -> Memory:
        """The part of the work that depends on the keys alone, to be done once per sentence.

        Args:
            keys: (..., K, Dk).
            values: (..., K, Dv). None: the keys.
            mask: as in `attend`; for padding (batch, 1, K). Given here it holds for every `attend` with this memory,
                and padded keys and values may hold anything, NaN included, without a trace in any gradient.
            first_position: where the first of these keys stands in its sequence.

        Raises:
            ValueError: keys, values and mask that do not fit together.
        """
        shapes.require_pairs(keys, values)
        if mask is not None:
            shapes.require_mask_of_keys(mask, keys)
            keys = masks.cleared(keys, mask)
            values = None if values is None else masks.cleared(values, mask)
        values = keys if values is None else values
        readings = self.read_keys(keys)
        keys, values = self._project(keys, values) if self.has_projections else (keys, values)
        of_heads = None if mask is None else masks.with_head_axis(mask)
        keys, values = heads.split(keys, self.num_key_heads), heads.split(values, self.num_key_heads)
        keys, values = self.prepare_heads(keys, values, of_heads, first_position)
        return Memory(keys if readings is None else heads.with_readings(keys, readings), values, mask)

    def extend(self, so_far: GrowingMemory, keys: Tensor) -> GrowingMemory:
        """The memory of a sequence with its next positions: keys (N, n, Dk). Nothing of it is computed again.

        A causal attention gives the queries (N, n, Dq) of these positions the same, over the new memory, as those of
        the whole sequence get at once.
        """
        assert isinstance(so_far, GrowingMemory), "what `begin` gave is for `proceed`"
        return so_far.append(self.prepare(keys, first_position=so_far.length))

    def attend(
        self,
        query: Tensor,
        memory: Memory,
        mask: Tensor | None = None,
        need_weights: bool = False,
        *,
        head_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Attends to what `prepare` made.

        Args:
            query: (..., Q, Dq).
            memory: out of `prepare`.
            mask: bool, True = may attend, broadcastable to (..., Q, K). It narrows the mask of the memory, if there is
                one. (Q, K) is one for all items, and refused where it may as well be (batch, K); (1, Q, K) never is.
            need_weights: also return the weights; takes the plain path.
            head_mask: bool, broadcastable to (..., H, Q, K), with its axis of the heads. It narrows the other masks.

        Returns:
            context (..., Q, output_dim), and weights (..., H, Q, K) before dropout, or None if not asked for.

        Raises:
            ValueError: shapes that do not fit together, or a head_mask for heads that cannot have one.
        """
        keys, values, mask = self._attended(query, memory, mask, head_mask)
        if mask is not None and self.looks_at_itself:
            query = masks.harmless(query, mask)
        context, weights = self.mix(self._query_heads(query), keys, values, mask, need_weights)
        return self._merge_heads(self.finish_heads(context, query)), weights

    def begin(self, need_weights: bool = False) -> Past:
        """What is kept of a sequence that looks at itself, before its first position; for `proceed`.

        Args:
            need_weights: whether `proceed` will be asked for weights over positions of earlier calls. An attention that
                keeps sums in their place then keeps the positions.
        """
        return GrowingMemory()

    def proceed(self, states: Tensor, past: Past, need_weights: bool = False) -> tuple[Tensor, Tensor | None, Past]:
        """The next positions of a sequence that looks at itself and at nothing ahead.

        Args:
            states: (N, n, Dq), which follow on those of `past`.
            past: out of `begin` or `proceed`; it stays as it is.
            need_weights: also return the weights (N, H, n, all positions so far).

        Returns:
            context (N, n, output_dim), weights or None, and what is kept now.

        Raises:
            ValueError: weights over positions that were not kept.
        """
        assert isinstance(past, GrowingMemory)
        past = self.extend(past, states)
        context, weights = self.attend(states, past.memory, None, need_weights)
        return context, weights, past

    def start(self, memory: Memory) -> History | None:
        """The history before the first step of a decoder; None for an attention that needs none."""
        return None

    def advance(
        self, query: Tensor, memory: Memory, history: History | None, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None, History | None]:
        """`attend` for decoders: the queries (..., Q, Dq) are steps that follow on those which made the history.

        There may be k rows of queries for each of the memory, side by side, as the hypotheses of a beam are:
        (N k, Q, Dq) for N rows. Nothing of the memory is copied, unless there is a history.

        Returns context and weights as `attend` does, and the history after the last query.
        """
        count = hypotheses.per_row(query, memory)
        context, weights = self.attend(hypotheses.as_queries(query, count), memory, None, need_weights)
        return *hypotheses.as_rows(context, weights, count), history

    def forward(
        self,
        query: Tensor,
        keys: Tensor,
        values: Tensor | None = None,
        mask: Tensor | None = None,
        need_weights: bool = False,
        *,
        head_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """`prepare` and `attend` in one: query (..., Q, Dq), keys (..., K, Dk), values (..., K, Dv) or None.

        mask is bool, True = may attend, and broadcasts to (..., Q, K); head_mask to (..., H, Q, K). All as in `attend`.
        Where the query is the keys (the same tensor), it may hold NaN or infinity in the padding, as they may.
        """
        if mask is None:
            return self.attend(query, self.prepare(keys, values), None, need_weights, head_mask=head_mask)
        leading = shapes.common_leading(query.shape[:-2], keys.shape[:-2])
        shapes.require_mask(mask, shapes.Sizes(leading, self.num_heads, query.shape[-2], keys.shape[-2]))
        if query is keys and not self.looks_at_itself:
            query = masks.harmless(query, masks.with_head_axis(mask))
        if keys.shape[:-2] != leading and not shapes.fits(mask.shape, keys.shape[:-2], None, keys.shape[-2]):
            keys = keys.expand(*leading, *keys.shape[-2:])  # the mask tells items apart that share their keys
        return self.attend(query, self.prepare(keys, values, mask), None, need_weights, head_mask=head_mask)

    def input_projections(self) -> list[nn.Linear]:
        """The matrices that queries, keys and values come out of, where there are any."""
        return [self.query_projection, self.key_projection, self.value_projection] if self.has_projections else []

    # Between the two.

    def _attended(
        self, query: Tensor, memory: Memory, mask: Tensor | None, head_mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Keys, values, and all masks in one with the axis of the heads."""
        if head_mask is not None and self.head_mask_problem is not None:
            raise ValueError(f"head_mask: {self.head_mask_problem}")
        leading = shapes.common_leading(query.shape[:-2], memory.keys.shape[:-3])
        sizes = shapes.Sizes(leading, self.num_heads, query.shape[-2], memory.num_keys)
        return shapes.masked_memory(memory, shapes.with_heads(mask, head_mask, sizes), sizes)

    def _project(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """keys (..., K, Dk) and values (..., K, Dv), which may be the same tensor -> (..., K, G d) each."""
        return self.key_projection(keys), self.value_projection(values)

    def _query_heads(self, query: Tensor) -> Tensor:
        return heads.split(self.query_projection(query) if self.has_projections else query, self.num_heads)

    def _merge_heads(self, context: Tensor) -> Tensor:
        """(..., H, Q, d) -> (..., Q, output_dim)."""
        context = context if self.head_change is None else self.head_change(context)
        merged = context.squeeze(-3) if self.num_heads == 1 else context.transpose(-2, -3).flatten(-2)
        return self.output_projection(merged) if self.has_projections else merged

    def _for_each_head(self, keys_or_values: Tensor) -> Tensor:
        return heads.shared(keys_or_values, self.num_heads)

    def extra_repr(self) -> str:
        shared = "" if self.num_key_heads == self.num_heads else f", num_key_heads={self.num_key_heads}"
        sizes = f"query_dim={self.query_dim}, key_dim={self.key_dim}, num_heads={self.num_heads}{shared}"
        return f"{sizes}, dropout={self.dropout}"
