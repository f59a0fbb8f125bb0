"""Attention through feature maps, whose cost grows with the length and not with its square.

Shapes: ... leading dims, H heads, G key heads, Q queries, K keys, d size of one head, f features, dv size of a value,
N chunks, c positions in a chunk. Masks are bool, True = may attend.
"""

from typing import Literal, Unpack

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.attention import masks, paths
from attnfocus.attention.base import BaseAttention
from attnfocus.attention.keywords import HeadKeywords
from attnfocus.attention.memory import GrowingMemory, Past, Places, RunningSums
from attnfocus.attention.patterns.base import PatternFactory
from attnfocus.attention.patterns.dense import CausalPattern, FullPattern
from attnfocus.attention.precision import exact, no_autocast

Side = Literal["query", "key"]


class KernelAttention(BaseAttention):
    """context_i = sum_j k(query_i, key_j) value_j / sum_j k(query_i, key_j),  k(q, k) = phi(q) . phi(k)

    (Katharopoulos et al. 2020, eq. 4 to 6 and, causal, eq. 8 to 12, arXiv:2006.16236.) As phi(q) stands before both
    sums, these are made once for all queries: sum_j phi(key_j) value_j^T, of size f x dv, and sum_j phi(key_j). A
    subclass gives phi with k >= 0, so the weights k(query_i, key_j) / sum are >= 0 and sum to 1.

    Sums are made in float32 at least, of features as large as they can be where their logarithms are known: a factor of
    phi(q) that depends on the query alone, and one for each feature that passes from phi(k) to phi(q), change no
    weight. They are powers of 2, which are exact, so that no key can be noticed in the last digit by a query that may
    not see it. Only beside keys 2^96 times larger in every feature, which a query may not see, do those that it may see
    all count alike.

    Cost: O((Q + K) f dv) and memory O((Q + K) f), with causal in chunks of 64 positions also O(K (64 + f dv / 64)).
    O(Q K (f + dv)) where the weights themselves are needed: asked for, dropped in training, masked by query, or of one
    query alone, where it is less. `chosen_path` tells. A step of decoding (`proceed`) costs O(f dv), whatever came
    before it.

    Args:
        pattern: makes the pattern: full or causal.
        query_dim, key_dim, value_dim, and the rest: as in `BaseAttention`.

    Attributes:
        chunk_size: c; within a chunk all pairs are computed, before it sums are enough.

    Raises:
        ValueError: another pattern, or queries and keys of different sizes without projections.
    """

    chunk_size: int = 64

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        pattern: PatternFactory = FullPattern,
        **options: Unpack[HeadKeywords],
    ) -> None:
        super().__init__(query_dim, key_dim, value_dim, **options)
        self.pattern = pattern()
        if not isinstance(self.pattern, FullPattern | CausalPattern):
            raise ValueError(
                f"{type(self).__name__} sums over all keys, or all before the query, without a look at pairs, as "
                f"{self.pattern!r} needs: use attention/pattern=full or causal, or attention=multi_head."
            )
        if self.query_head_dim != self.key_head_dim:
            raise ValueError(
                f"{type(self).__name__} maps queries and keys of one size, got query_dim {self.query_head_dim} and "
                f"key_dim {self.key_head_dim}: use projections=true."
            )

    def features(self, vectors: Tensor, side: Side) -> Tensor:
        """Queries (..., H, N, d) or keys (..., G, N, d), in float32 at least -> log2 of phi (..., N, f).

        phi itself where `features_are_logarithms` is False, as of features that may be <= 0.
        """
        raise NotImplementedError

    @property
    def features_are_logarithms(self) -> bool:
        """True where `features` gives log2 of phi."""
        return True

    @property
    def same_sequence_only(self) -> bool:
        return self.pattern.same_sequence_only

    @property
    def sees_everything(self) -> bool:
        return not self.pattern.same_sequence_only

    def chosen_path(self, call: paths.Call | None = None, masked_by_query: bool = False) -> paths.PathChoice:
        """Which way a call runs, and why.

        Args:
            call: need_weights, and the sizes.
            masked_by_query: whether its mask differs between queries.
        """
        call = paths.Call() if call is None else call
        name = type(self).__name__
        if call.need_weights:
            return paths.PathChoice("plain", "weights were asked for, and no other path holds them")
        if self.dropout_now > 0:
            return paths.PathChoice("plain", f"dropout={self.dropout} drops weights, which {name} else never makes")
        if masked_by_query:
            return paths.PathChoice("plain", "the mask differs between queries, so that they share no sums")
        if call.num_queries == 1:
            return paths.PathChoice("plain", "one query alone costs less by its weights")
        return paths.PathChoice("linear", f"{name} sums over the keys once for all queries")

    def prepare_heads(
        self, keys: Tensor, values: Tensor, mask: Tensor | None, first_position: int = 0
    ) -> tuple[Tensor, Tensor]:
        with no_autocast(keys):  # half precision would lose small kernels in sums, and not hold large ones
            return self.features(exact(keys), "key"), values

    def mix(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        num_queries, num_keys = query.shape[-2], keys.shape[-2]
        by_query = mask is not None and mask.shape[-2] != 1
        call = paths.Call(need_weights, num_queries, num_keys, device=query.device.type)
        is_plain = self.noted(self.chosen_path(call, by_query)).name == "plain"
        with no_autocast(query):
            of_query = self.features(exact(query), "query")
            of_query, of_keys, _ = self._features(of_query, self._for_each_head(keys), mask)
            exact_values = self._for_each_head(values).to(of_keys.dtype)
            if is_plain:
                weights = self._weights(of_query, of_keys, mask)
                context = paths.mixed(weights, exact_values, self.dropout_now)
                return context.to(values.dtype), weights.to(values.dtype) if need_weights else None
            one = F.pad(exact_values, (0, 1), value=1.0)  # the last column sums the kernels themselves
            if self.pattern.is_causal:
                summed, _ = _causal_sums(of_query, of_keys, one, self.chunk_size)
            else:
                summed = of_query @ (of_keys.mT @ one)
            return (summed[..., :-1] / _divisor(summed[..., -1:])).to(values.dtype), None

    def begin(self, need_weights: bool = False) -> Past:
        if need_weights or self.dropout_now > 0 or not self.pattern.is_causal:
            return GrowingMemory()
        return RunningSums()

    def proceed(self, states: Tensor, past: Past, need_weights: bool = False) -> tuple[Tensor, Tensor | None, Past]:
        if not isinstance(past, RunningSums):
            return super().proceed(states, past, need_weights)
        past.require_enough(type(self).__name__, need_weights, self.dropout_now)
        keys, values, _ = self.prepare(states, first_position=past.length)
        with no_autocast(states):
            of_query = self.features(exact(self._query_heads(states)), "query")
            before = past.tensors or (None, None)
            of_query, of_keys, scale = self._features(of_query, self._for_each_head(keys), None, before[1])
            one = F.pad(self._for_each_head(values).to(of_keys.dtype), (0, 1), value=1.0)
            sums = before[0]
            if before[1] is not None and before[0] is not None:  # in the scale that suits the new keys as well
                sums = before[0] * F.pad(torch.exp2(before[1] - scale), (0, 1), value=1.0).mT
            summed, sums = _causal_sums(of_query, of_keys, one, self.chunk_size, sums)
            context = (summed[..., :-1] / _divisor(summed[..., -1:])).to(values.dtype)
            weights = self._weights(of_query, of_keys, None).to(values.dtype) if need_weights else None
        context = self._merge_heads(self.finish_heads(context, states))
        return context, weights, RunningSums(past.length + states.shape[-2], (sums, scale))

    def _features(
        self, of_query: Tensor, of_keys: Tensor, mask: Tensor | None, scale: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """phi of queries (..., H, Q, f) and keys (..., H, K, f), from their log2, in the scale that suits all keys.

        The scale (..., H, 1, f), log2 of what each feature of keys was divided by, is also returned; what is given as
        `scale` is that of earlier keys, and the least that is taken.
        """
        if not self.features_are_logarithms:
            padded = None if mask is None else masks.never_attended(mask).unsqueeze(-1)
            query, keys = (F.pad(features, (0, 1), value=_least(of_keys)) for features in (of_query, of_keys))
            keys = keys if padded is None else torch.where(padded, 0.0, keys)
            return query, keys, of_keys.new_zeros(*of_keys.shape[:-2], 1, of_keys.shape[-1])
        whole_query, whole_keys = of_query.detach().floor(), of_keys.detach().floor()
        query, keys = torch.exp2(of_query - whole_query), torch.exp2(of_keys - whole_keys)  # within [1, 2]
        padded = None if mask is None else masks.never_attended(mask).unsqueeze(-1)  # (..., H or 1, K or 1, 1)
        if padded is not None:
            whole_keys = whole_keys.masked_fill(padded, torch.finfo(whole_keys.dtype).min)
        has_keys = whole_keys.shape[-2] > 0
        largest = whole_keys.amax(dim=-2, keepdim=True) if has_keys else whole_keys.new_zeros(1)  # (..., H, 1, f)
        largest = largest if scale is None else torch.maximum(largest, scale)
        whole_query = whole_query + largest
        # Of the feature that counts most for a query, both factors reach 1; all others are smaller.
        query = query * torch.exp2(whole_query - whole_query.amax(dim=-1, keepdim=True))
        keys = keys * torch.exp2(whole_keys - largest)
        query, keys = (F.pad(features, (0, 1), value=_least(of_keys)) for features in (query, keys))
        return query, keys if padded is None else keys.masked_fill(padded, 0.0), largest

    def _weights(self, of_query: Tensor, of_keys: Tensor, mask: Tensor | None) -> Tensor:
        """(..., H, Q, K)."""
        kernels = of_query @ of_keys.mT
        allowed = self.pattern.allows(Places.of(kernels.shape[-2], kernels.shape[-1], kernels.device))
        mask = masks.both(mask, None if allowed is None else masks.with_head_axis(allowed))
        kernels = kernels if mask is None else kernels.masked_fill(~mask, 0.0)
        return kernels / _divisor(kernels.sum(dim=-1, keepdim=True))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, pattern={self.pattern}"


def _causal_sums(
    of_query: Tensor, of_keys: Tensor, values: Tensor, size: int, earlier: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """sum over j <= i + K - Q of phi(q_i) . phi(k_j) value_j: (..., H, Q, dv), in chunks of `size` positions.

    Also returns phi(k_j) value_j^T summed over all keys: (..., H, f, dv). `earlier` is that of keys before these.
    """
    before = of_keys.shape[-2] - of_query.shape[-2]  # < 0: so many queries stand in front of the first key
    seen, blind = max(0, before), max(0, -before)
    first = of_keys[..., :seen, :].mT @ values[..., :seen, :]  # (..., H, f, dv): what all queries see
    first = first if earlier is None else first + earlier
    seeing = of_query[..., blind:, :]
    inputs = seeing, of_keys[..., seen:, :], values[..., seen:, :]
    query, keys, those = (_chunks(vectors, size) for vectors in inputs)
    so_far = torch.cat((first.unsqueeze(-3), keys.mT @ those), dim=-3).cumsum(dim=-3)  # (..., H, N + 1, f, dv)
    sums = query @ so_far[..., :-1, :, :] + (query @ keys.mT).tril() @ those
    return F.pad(sums.flatten(-3, -2)[..., : seeing.shape[-2], :], (0, 0, blind, 0)), so_far[..., -1, :, :]


def _chunks(vectors: Tensor, size: int) -> Tensor:
    """(..., n, any size) -> (..., N, c, any size), with zeros behind the last."""
    size = min(size, max(1, vectors.shape[-2]))
    count = -(-vectors.shape[-2] // size)
    return F.pad(vectors, (0, 0, 0, count * size - vectors.shape[-2])).unflatten(-2, (count, size))


def _divisor(sums: Tensor) -> Tensor:
    """1 where there was nothing to sum."""
    return sums + (sums == 0)


def _least(features: Tensor) -> float:
    """One feature more, the same for all, beside others of up to 1.

    Its square is far below the last digit of a kernel that counts, and far above the smallest number, so that no sum
    vanishes and no gradient divided by it overflows.
    """
    return 2.0**-400 if features.dtype == torch.float64 else 2.0**-48
