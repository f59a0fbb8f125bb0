"""The frame that joins a score, a normalizer, a pattern and a position into one attention.

Shapes: ... leading dims (the batch), H heads, Q queries, K keys, Dq, Dk, Dv sizes of a query, key and value, d size of
one head. Masks are bool, True = may attend.
"""

from typing import Annotated, Unpack

import torch
from torch import Tensor

from attnfocus.attention import combinations, hypotheses, masks, paths
from attnfocus.attention.base import BaseAttention
from attnfocus.attention.keywords import HeadKeywords
from attnfocus.attention.memory import GrowingMemory, History, Memory, Past, Places, RollingMemory
from attnfocus.attention.normalizers.base import NormalizerFactory, made
from attnfocus.attention.normalizers.softmax import Softmax
from attnfocus.attention.observation import noted
from attnfocus.attention.patterns.base import PatternFactory
from attnfocus.attention.patterns.dense import FullPattern
from attnfocus.attention.plane import Plane
from attnfocus.attention.positions.base import NoPosition, PositionFactory
from attnfocus.attention.precision import as_weights
from attnfocus.attention.scores.base import ScoreFactory
from attnfocus.marks import Mark


class Attention(BaseAttention):
    """context_i = sum_j weight_ij value_j,  weight_i = normalizer(score(query_i, key_j) + bias_ij, over allowed j)

    One head works on the vectors as they are (Bahdanau et al. 2015, arXiv:1409.0473; Luong et al. 2015,
    arXiv:1508.04025). With `projections`, H heads attend in parallel (Vaswani et al. 2017, sec. 3.2.2,
    arXiv:1706.03762): head_h = attention(W_q query, W_k keys, W_v values) with Dq / H numbers per head, and
    context = W_o [head_1; ...; head_H]. W_q, W_k and W_v have biases, W_o has none: the bias of W_v passes through
    weights that sum to 1 and does the same work, and a row with nothing to attend stays exactly 0.

    Masks are bool, True = may attend.

    What holds for every combination: masked positions have weight and gradient exactly 0; a row with nothing to
    attend gives 0, forward and backward; with the mask given to `prepare` or `forward`, NaN or infinity in padded
    keys and values (positions which no query may attend) never reaches a result or a gradient; nor in the queries
    there, where a sequence looks at itself (`looks_at_itself`, or queries and keys that are the same tensor).

    Cost: that of the score, plus O(Q K Dv); less where the pattern goes by blocks. `chosen_path` says which way runs.

    Args:
        score: makes the score: a class such as `AdditiveScore`, or a `functools.partial` of one.
        normalizer: makes the normalizer.
        pattern: makes the pattern.
        position: makes the position.
        path: how to compute: see `paths`. auto takes the fastest that can.
        query_dim, key_dim, value_dim, and the rest: as in `BaseAttention`.

    Attributes:
        chunk_weights: how many the chunked path makes at once where it does not go by blocks: 16 MiB in float32.
        max_weights: how many are held at most (all leading dims, heads, queries, keys): 256 MiB in float32.

    Raises:
        ValueError: options that do not fit together, or sizes that the score cannot work with.
    """

    chunk_weights: int = 2**22
    max_weights: int = 2**26

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
        path: Annotated[paths.PathName, Mark.RESUMABLE] = "auto",  # all paths give the same numbers
        **options: Unpack[HeadKeywords],
    ) -> None:
        super().__init__(query_dim, key_dim, value_dim, **options)
        query_dim, key_dim, maps = self._sizes_of_maps()
        self.score = score(query_dim=query_dim, key_dim=key_dim, num_heads=maps)
        self.normalizer = made(normalizer, maps, query_dim)
        self.weights_sum_to_one &= self.normalizer.sums_to_one  # a class below may say that its own do not
        self.weights_are_nonnegative &= self.normalizer.is_nonnegative
        self.pattern = pattern()
        self.position = position(num_heads=maps, head_dim=query_dim)
        self.position.connect(self.key_dim)
        self.position.connect_values(self.key_head_dim if self.has_projections else self.output_dim)
        self.wanted_path = path
        combinations.check(self)

    def _sizes_of_maps(self) -> tuple[int, int, int]:
        """Sizes of a query and a key, and the number of the maps that score, normalizer and position make."""
        return self.query_head_dim, self.key_head_dim, self.num_heads

    @property
    def same_sequence_only(self) -> bool:
        return self.pattern.same_sequence_only or self.position.same_sequence_only

    @property
    def needs_plane(self) -> bool:
        return self.pattern.needs_plane or self.position.needs_plane

    def put_on(self, plane: Plane | None) -> None:
        super().put_on(plane)
        self.position.plane = plane
        self.pattern.put_on(plane)

    @property
    def sees_everything(self) -> bool:
        return not self.pattern.same_sequence_only

    @property
    def takes_documents_by_mask(self) -> bool:
        if type(self) is not Attention:  # a class below may count positions
            return False
        by_distance = self.pattern.goes_by_distance and self.position.goes_by_distance
        return by_distance and paths.why_not(self, "sdpa") is None

    @property
    def max_length(self) -> int | None:
        return self.position.max_length

    @property
    def uses_history(self) -> bool:
        return self.history_factor is not None

    @property
    def history_factor(self) -> str | None:
        """Name of the score or normalizer that follows a decoder's steps, if one does."""
        if self.score.uses_history:
            return type(self.score).__name__
        return type(self.normalizer).__name__ if self.normalizer.uses_history else None

    @property
    def weights_can_be_replaced(self) -> bool:
        return type(self).mix is Attention.mix  # else its maps are not what it returns as weights

    @property
    def values_depend_on_offsets(self) -> bool:
        return self.position.adds_to_values

    @property
    def has_own_weights(self) -> bool:
        """True where a subclass weighs in a way that no fused kernel knows."""
        return type(self).weigh is not Attention.weigh

    def chosen_path(self, call: paths.Call | None = None) -> paths.PathChoice:
        """Which way a call runs, and why."""
        return paths.choose(self, paths.Call() if call is None else call)

    def read_keys(self, keys: Tensor) -> Tensor | None:
        return self.position.read(keys) if self.position.reads_inputs else None

    def prepare(
        self, keys: Tensor, values: Tensor | None = None, mask: Tensor | None = None, first_position: int = 0
    ) -> Memory:
        """As in `BaseAttention`; a mask that hides nothing is left out, which is found out once for all steps."""
        memory = super().prepare(keys, values, mask, first_position)
        return memory._replace(mask=masks.unless_idle(memory.mask))

    def prepare_heads(
        self, keys: Tensor, values: Tensor, mask: Tensor | None, first_position: int = 0
    ) -> tuple[Tensor, Tensor]:
        keys = self.position.place_keys(self.score.normed_keys(keys), first_position)
        if self.score.keys_differ_by_head:
            keys = self._for_each_head(keys)
        return self.score.prepare_keys(keys), values

    def mix(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        query = self.placed(query, keys.shape[-2] - query.shape[-2])
        if self.uses_history:
            context, of_steps, _ = self._step_by_step(query, keys, values, mask, self._first(keys, values))
            return context, of_steps if need_weights else None
        keys, clock = self.clocked(keys, mask)
        work = paths.Work(query, keys, values, mask, clock)
        if not need_weights and self.replacement is None and paths.shares_keys(self, work):
            self.noted(self.chosen_path(paths.Call.of(work, need_weights)))
            return paths.over_shared_keys(self, work, self.dropout_now), None
        work = paths.Work(query, self._for_each_head(keys), self._for_each_head(values), mask, clock)
        return self.run_path(work, need_weights)

    def clocked(self, keys: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Keys of a memory without what the position read of them, and what its clock shows at each (..., H, K).

        The clock stands still where no query may attend, such as at padding: that is no part of the sequence.
        """
        if not self.position.reads_inputs:
            return keys, None
        columns = self.position.num_heads // keys.shape[-3]
        readings = keys[..., -columns:].transpose(-1, -2).flatten(-3, -2)  # (..., H, K)
        hidden = None if mask is None else masks.never_attended(mask)
        return keys[..., :-columns], self.position.clock(readings, hidden)

    def placed(self, query: Tensor, first_position: int) -> Tensor:
        """Queries (..., H, Q, d) as the score takes them, and behind their numbers what the normalizer reads of them.

        `weigh` and `step_weights` tell the two apart by `read`.
        """
        hints = self.normalizer.hints(query)
        query = self.position.place_queries(self.score.normed_query(query), first_position)
        return query if hints is None else torch.cat((query, hints), dim=-1)

    def read(self, query: Tensor) -> tuple[Tensor, Tensor | None]:
        """Queries out of `placed` -> (..., H, Q, d), and the normalizer's hints (..., H, Q, any), if it has any."""
        size = self.position.head_dim
        return (query, None) if query.shape[-1] == size else (query[..., :size], query[..., size:])

    def run_path(self, work: paths.Work, need_weights: bool) -> tuple[Tensor, Tensor | None]:
        """Context, and weights before dropout if they are asked for, by the path chosen for the work."""
        if need_weights and (rows := paths.observed_rows(self, work)) is not None:
            return paths.context_alone(self, work), paths.weights_at(self, work, rows)
        needs_them = need_weights or self.replacement is not None
        choice = self.noted(self.chosen_path(paths.Call.of(work, needs_them)))
        context, weights = paths.KERNELS[choice.name](self, work, self.dropout_now)
        return context, weights if need_weights else None

    def weigh(self, query: Tensor, keys: Tensor, mask: Tensor | None, places: Places) -> Tensor:
        """The weights (..., H, Q, K) of any queries and keys that meet: all of them, or a part, in its precision.

        Args:
            query: (..., H, Q, d or more), out of `placed`.
            keys: (..., H, K, any size), out of `prepare_heads`.
            mask: broadcastable to (..., H, Q, K), without what the pattern forbids.
            places: where these queries (..., Q) and keys (..., K) stand; no axis of the heads.
        """
        query, hints = self.read(query)
        scores, mask = noted(self, *self.masked_scores(self.score(query, keys), query, mask, places))
        return as_weights(self.normalizer.with_hints(scores, mask, hints), query)

    def masked_scores(
        self, scores: Tensor, query: Tensor, mask: Tensor | None, places: Places
    ) -> tuple[Tensor, Tensor | None]:
        """Scores (..., H, Q, K) with what the position adds, and the mask with what the pattern forbids."""
        bias = self.position.bias_at(query, places)
        scores = scores if bias is None else scores + bias
        allowed = self.pattern.allows(places)
        mask = masks.both(mask, None if allowed is None else masks.with_head_axis(allowed))
        if self.position.reads_scores:
            scores = self.position.rescored(scores, query, mask, places.offsets)
        return scores, self.pattern.narrow(scores, mask, places)

    def begin(self, need_weights: bool = False) -> Past:
        reach = self.pattern.reach
        if reach is None or not self.pattern.looks_back or self.uses_history or type(self).mix is not Attention.mix:
            return GrowingMemory()
        if self.position.reads_inputs:  # what was read between two positions counts, though it is not seen
            return GrowingMemory()
        return RollingMemory(*reach)

    def proceed(self, states: Tensor, past: Past, need_weights: bool = False) -> tuple[Tensor, Tensor | None, Past]:
        if not isinstance(past, RollingMemory):
            return super().proceed(states, past, need_weights)
        past = past.append(self.prepare(states, first_position=past.length))
        if past.is_whole:
            context, weights = self.attend(states, past.memory, None, need_weights)
            return context, weights, past
        first, keys = past.length - states.shape[-2], past.positions(states.device)
        query = self.placed(self._query_heads(states), first)
        keys_of, values_of = map(self._for_each_head, past.memory[:2])
        work = paths.Work(query, keys_of, values_of, None)
        places = Places(torch.arange(first, past.length, device=states.device), keys)
        context, weights = paths.at_places(self, work, places, need_weights, self.dropout_now)
        if weights is not None:  # over all positions; the pattern hides those that are not kept
            weights = weights.new_zeros(*weights.shape[:-1], past.length).index_copy(-1, keys, weights)
        return self._merge_heads(self.finish_heads(context, states)), weights, past

    def start(self, memory: Memory) -> History | None:
        return self._first(memory.keys, memory.values) if self.uses_history else None

    def advance(
        self, query: Tensor, memory: Memory, history: History | None, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None, History | None]:
        if history is None:
            return super().advance(query, memory, None, need_weights)
        memory = hypotheses.repeated(memory, hypotheses.per_row(query, memory))
        keys, values, mask = self._attended(query, memory, None, None)
        placed = self.placed(self._query_heads(query), 0)
        context, weights, history = self._step_by_step(placed, keys, values, mask, history)
        return self._merge_heads(self.finish_heads(context, query)), weights if need_weights else None, history

    def _first(self, keys: Tensor, values: Tensor) -> History:
        dtype = torch.promote_types(values.dtype, torch.float32)  # sums over many steps would lose small weights
        zeros = values.new_zeros(*keys.shape[:-3], self.num_heads, 1, keys.shape[-2], dtype=dtype)
        return History(self.normalizer.first_weights(zeros), zeros)

    def _step_by_step(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, history: History
    ) -> tuple[Tensor, Tensor, History]:
        keys, values = self._for_each_head(keys), self._for_each_head(values)
        weights = self._weights_of_steps(query, keys, mask, history)
        if weights is not None:
            context = paths.mixed(weights, values, self.dropout_now)
            return context, weights, history.after_all(weights)
        contexts, maps = [], []
        for index, step in enumerate(query.split(1, dim=-2)):  # (..., H, 1, d)
            weights = self.used(self.step_weights(step, keys, masks.of_query(mask, index), history))
            contexts.append(paths.mixed(weights, values, self.dropout_now))
            history = history.after(weights)
            maps.append(weights)
        return torch.cat(contexts, dim=-2), torch.cat(maps, dim=-2), history

    def _weights_of_steps(self, query: Tensor, keys: Tensor, mask: Tensor | None, history: History) -> Tensor | None:
        """The weights of all steps, where what does not follow the history can be computed before; else None."""
        if self.replacement is not None or type(self).step_weights is not Attention.step_weights:
            return None
        if not self.score.uses_history:
            vectors, _ = self.read(query)
            return as_weights(self.normalizer.steps(*noted(self, self.score(vectors, keys), mask), history), query)
        if type(self.normalizer) is not Softmax or query.shape[-2] < 2:
            return None
        weights = self.score.softmax_steps(query, keys, mask, history)
        return None if weights is None else as_weights(weights, query)

    def step_weights(self, query: Tensor, keys: Tensor, mask: Tensor | None, history: History) -> Tensor:
        """`weigh` for one query (..., H, 1, d) of a decoder, after the steps of the history."""
        query, hints = self.read(query)
        scores = self.score.step(query, keys, history)
        return as_weights(self.step_normalized(scores, mask, history, hints), query)

    def step_normalized(self, scores: Tensor, mask: Tensor | None, history: History, hints: Tensor | None) -> Tensor:
        """The normalizer on one query's scores (..., H, 1, K), by the history if it is the one that follows it."""
        scores, mask = noted(self, scores, mask)
        if self.normalizer.uses_history:
            return self.normalizer.step(scores, mask, history)
        return self.normalizer.with_hints(scores, mask, hints)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, pattern={self.pattern}, path={self.wanted_path}"
