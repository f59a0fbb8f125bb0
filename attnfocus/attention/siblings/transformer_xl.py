"""Segment-level recurrence.

Shapes: ... leading dims, H heads, G key heads, Q queries, K keys, N segments, b positions in a segment, d, dv sizes.
Masks are bool, True = may attend.
"""

from typing import Unpack

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.attention import combinations, masks, paths
from attnfocus.attention.algebra import Attention
from attnfocus.attention.keywords import AttentionKeywords
from attnfocus.attention.memory import Memory, Places
from attnfocus.attention.patterns.base import Pattern
from attnfocus.attention.patterns.dense import FullPattern
from attnfocus.limits import NumPositions


class SegmentPattern(Pattern):
    """Query i may look at key j <= i in its own segment of b positions, and at the whole segment before it."""

    same_sequence_only = True
    looks_back = True

    def __init__(self, *, length: int) -> None:
        self.block_size = length

    def segments(self, positions: Tensor) -> Tensor:
        """Number of the segment of each position."""
        assert self.block_size is not None
        return positions.div(self.block_size, rounding_mode="floor")

    def allows(self, places: Places) -> Tensor:
        of_keys, of_queries = self.segments(places.keys).unsqueeze(-2), self.segments(places.queries).unsqueeze(-1)
        return (places.offsets <= 0) & (of_keys >= of_queries - 1)

    def blocks(self, num_blocks: int) -> Tensor:
        own = torch.arange(num_blocks).unsqueeze(-1)
        return torch.cat((own - 1, own), dim=-1)


class TransformerXLAttention(Attention):
    """keys and values of segment n = [W stop_gradient(x of segment n - 1); W x of segment n], attended causally

    Segment-level recurrence (Dai et al. 2019, sec. 3.2, arXiv:1901.02860) over a whole sequence in one call: exactly
    what a Transformer-XL layer computes that reads the segments one after the other with a memory of one segment.
    Query i sees its own segment up to itself, and the whole segment before it. No gradient flows into the states x of
    that earlier segment, while the projections W learn from them too. With the position `TransformerXLPosition` and
    the scaled dot score this is the paper's attention (sec. 3.3).

    In a sequence of more than one segment, gradients are by design not those of the function: they stop between
    segments. The weights are those of all keys of the sequence.

    Cost: O(K b) score and memory by segments (path chunked, which auto takes beyond two segments); O(Q K) on the plain
    path, which returns weights. In training, keys and values are projected twice: with and without a gradient.

    Args:
        segment_length: b, in positions.
        score, normalizer, position, and the rest: as in `Attention`.

    Raises:
        ValueError: a pattern besides the segments, a score or normalizer that follows a decoder's steps, or as in
            `Attention`.
    """

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        segment_length: NumPositions = 64,
        **options: Unpack[AttentionKeywords],
    ) -> None:
        super().__init__(query_dim, key_dim, value_dim, **options)
        if not isinstance(self.pattern, FullPattern):
            raise ValueError(
                f"TransformerXLAttention has its segments for a pattern, which {type(self.pattern).__name__} would cut "
                "again: use attention/pattern=full, and attention.segment_length for their size."
            )
        if self.uses_history:
            raise ValueError(
                f"{self.history_factor} follows where a decoder looked step by step in another sequence, and "
                "segments are parts of one: use attention/score=scaled_dot with attention/normalizer=softmax."
            )
        if self.position.reads_inputs:
            raise ValueError(
                f"{type(self.position).__name__} sums over all inputs between query and key, and "
                "TransformerXLAttention lets no gradient into those of an earlier segment: use "
                "attention/position=transformer_xl or alibi."
            )
        self.segment_length: int = segment_length
        self.pattern: SegmentPattern = SegmentPattern(length=segment_length)
        combinations.check(self)

    @property
    def has_own_weights(self) -> bool:
        return True  # no fused kernel stops gradients on the way

    def prepare(
        self, keys: Tensor, values: Tensor | None = None, mask: Tensor | None = None, first_position: int = 0
    ) -> Memory:
        """As in `BaseAttention`; keys and values of the memory are doubled, [with gradient; without]."""
        own = super().prepare(keys, values, mask, first_position)
        before = own
        has_graph = torch.is_grad_enabled() and (keys.requires_grad or (values is not None and values.requires_grad))
        if has_graph and first_position % self.segment_length + keys.shape[-2] > self.segment_length:
            old_values = None if values is None else values.detach()
            before = super().prepare(keys.detach(), old_values, mask, first_position)
        return Memory(torch.cat((own.keys, before.keys), -1), torch.cat((own.values, before.values), -1), mask)

    def mix(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        query = self.placed(query, keys.shape[-2] - query.shape[-2])
        own_keys, old_keys = self._for_each_head(keys).chunk(2, dim=-1)
        own_values, old_values = self._for_each_head(values).chunk(2, dim=-1)
        own, old = (paths.Work(query, *both, mask) for both in ((own_keys, own_values), (old_keys, old_values)))
        by_segments = self.noted(self.chosen_path(paths.Call.of(own, need_weights))).name == "chunked"
        if by_segments and min(query.shape[-2], keys.shape[-2]) > 0:  # else there is nothing to compute
            return self._by_segments(own, old), None
        context, weights = self._at_once(own, old)
        return context, weights if need_weights else None

    def _at_once(self, own: paths.Work, old: paths.Work) -> tuple[Tensor, Tensor]:
        """All queries over all keys twice, as those of an earlier segment and as those of the query's own."""
        num_keys = own.keys.shape[-2]
        places = Places.of(own.query.shape[-2], num_keys, own.query.device)
        same = self.pattern.segments(places.queries).unsqueeze(-1) == self.pattern.segments(places.keys)
        seen = masks.with_head_axis(torch.cat((~same, same), dim=-1))  # (1, Q, 2K)
        if own.mask is not None:
            seen = seen & (own.mask if own.mask.shape[-1] == 1 else torch.cat((own.mask, own.mask), dim=-1))
        twice = Places(places.queries, torch.cat((places.keys, places.keys)))
        weights = self.weigh(own.query, torch.cat((old.keys, own.keys), dim=-2), seen, twice)
        values = torch.cat((old.values, own.values), dim=-2)
        context = paths.read(self.position, weights, values, twice, self.dropout_now)
        return context, weights[..., :num_keys] + weights[..., num_keys:]  # one of the two is 0

    def _by_segments(self, own: paths.Work, old: paths.Work) -> Tensor:
        """The queries of each segment over the keys of the segment before it and over their own."""
        size, num_queries, num_keys = self.segment_length, own.query.shape[-2], own.keys.shape[-2]
        first = num_keys - num_queries
        start = first - first % size  # where the segment of the first query begins
        count = max(1, -((start - num_keys) // size))
        positions = torch.arange(start, start + count * size, device=own.query.device).unflatten(0, (count, size))
        reach = torch.cat((positions - size, positions), dim=-1)  # (N, 2b)
        seen = masks.with_head_axis(((reach >= 0) & (reach < num_keys)).unsqueeze(-2))  # (N, 1, 1, 2b)
        if own.mask is not None:
            seen = seen & masks.of_blocks(own.mask, positions - first, reach)
        query = _segments(own.query, start - first, size, count)  # (..., N, H, b, d)
        keys, values = (
            torch.cat((_segments(before, start - size, size, count), _segments(now, start, size, count)), dim=-2)
            for before, now in ((old.keys, own.keys), (old.values, own.values))
        )
        places = Places(positions, reach)
        weights = self.weigh(query, keys, seen, places)  # (..., N, H, b, 2b)
        context = paths.read(self.position, weights, values, places, self.dropout_now)
        return context.transpose(-3, -4).flatten(-3, -2)[..., first - start : num_keys - start, :]


def _segments(vectors: Tensor, start: int, size: int, count: int) -> Tensor:
    """Rows start ... start + count size of vectors (..., H, L, d), 0 where there are none -> (..., N, H, b, d)."""
    end = start + count * size
    rows = vectors[..., max(start, 0) : max(end, 0), :]
    front = min(max(-start, 0), count * size)
    padded = F.pad(rows, (0, 0, front, count * size - front - rows.shape[-2]))
    return padded.unflatten(-2, (count, size)).transpose(-3, -4)
