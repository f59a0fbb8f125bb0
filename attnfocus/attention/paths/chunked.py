"""The path by blocks of queries, for what would be too much at once.

Shapes: ... leading dims, H heads, Q queries, K keys, N blocks, b positions in a block, m keys of a block's queries,
d, dv sizes. Masks are bool, True = may attend.
"""

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from attnfocus.attention import masks
from attnfocus.attention.memory import Places
from attnfocus.attention.paths.choose import why_not
from attnfocus.attention.paths.factors import Algebra
from attnfocus.attention.paths.plain import read
from attnfocus.attention.paths.protocol import Work
from attnfocus.attention.paths.sdpa import fused


def chunked(attention: Algebra, work: Work, dropout: float) -> tuple[Tensor, None]:
    """Context (..., H, Q, dv), without any weights."""
    size, num_keys = attention.pattern.block_size, work.keys.shape[-2]
    if size is not None and 0 < work.query.shape[-2] == num_keys:
        table = attention.pattern.blocks(-(-num_keys // size))
        if table is not None:
            return _by_blocks(attention, work, table.to(work.query.device), dropout), None
    return _in_turn(attention, work, dropout), None


def _in_turn(attention: Algebra, work: Work, dropout: float) -> Tensor:
    """Some queries after the others over all keys; the backward pass makes their weights again."""
    query, keys, values, mask, places = *work[:4], work.places
    size = max(1, attention.chunk_weights // max(1, keys.shape[-2] * query[..., 0, 0].numel()))

    def part(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, places: Places) -> Tensor:
        return read(attention.position, attention.weigh(query, keys, mask, places), values, places, dropout)

    contexts = []
    for first in range(0, query.shape[-2], size):
        rows = slice(first, first + size)
        of_part = mask if mask is None or mask.shape[-2] == 1 else mask[..., rows, :]
        inputs = query[..., rows, :], keys, values, of_part, places.at(rows)
        contexts.append(checkpoint(part, *inputs, use_reentrant=False))
    return torch.cat(contexts, dim=-2)


def _by_blocks(attention: Algebra, work: Work, table: Tensor, dropout: float) -> Tensor:
    """Every block of queries over the blocks of keys in its row of the table (N, blocks), all at once.

    The global keys stand before the blocks, once, and the global queries look at all keys by themselves.
    """
    query, keys, values, mask, clock = work
    length, size = query.shape[-2], attention.pattern.block_size
    assert size is not None
    extra, num_global = -length % size, min(attention.pattern.num_global, length)
    positions = torch.arange(length + extra, device=query.device)
    queries = positions.unflatten(0, (-1, size))  # (N, b)
    reach = (table.unsqueeze(-1) * size + positions[:size]).flatten(1)  # (N, m)
    exists = (reach >= num_global) & (reach < length)  # no block, a global key, or behind the last key
    reach, exists = reach.clamp(0, length - 1), exists.unsqueeze(-2)  # (N, 1, m)
    if num_global > 0:
        reach = torch.cat((positions[:num_global].expand(len(reach), -1), reach), dim=-1)
        exists = F.pad(exists, (num_global, 0), value=True)
    seen = masks.with_head_axis(exists)  # (N, 1, 1, m)
    if mask is not None:
        seen = seen & masks.of_blocks(mask, queries, reach)
    blocks = F.pad(query, (0, 0, 0, extra)).unflatten(-2, (-1, size)).transpose(-3, -4)  # (..., N, H, b, d)
    of_blocks = Work(blocks, _gathered(keys, reach), _gathered(values, reach), seen)
    places = Places(queries, reach, *_clocks_of_blocks(clock, extra, reach))
    context = _attended(attention, of_blocks, places, dropout)
    context = context.transpose(-3, -4).flatten(-3, -2)[..., :length, :]  # (..., H, Q, dv)
    if num_global == 0:
        return context
    of_global = mask if mask is None or mask.shape[-2] == 1 else mask[..., :num_global, :]
    places = Work(query, keys, values, mask, clock).places.at(slice(num_global))
    first = _attended(attention, Work(query[..., :num_global, :], keys, values, of_global), places, dropout)
    return torch.cat((first, context[..., num_global:, :]), dim=-2)


def _attended(attention: Algebra, work: Work, places: Places, dropout: float) -> Tensor:
    """Context (..., H, Q, dv), by the fused kernel where it can."""
    if why_not(attention, "sdpa") is None:
        return fused(attention, work, places, dropout)
    weights = attention.weigh(work.query, work.keys, work.mask, places)
    return read(attention.position, weights, work.values, places, dropout)


def _clocks_of_blocks(clock: Tensor | None, extra: int, reach: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """(..., H, K), (N, m) -> (..., N, H, b) of the queries and `extra` behind them, and (..., N, H, m)."""
    if clock is None:
        return None, None
    of_queries = F.pad(clock, (0, extra)).unflatten(-1, (len(reach), -1))  # (..., H, N, b)
    of_keys = clock.index_select(-1, reach.flatten()).unflatten(-1, reach.shape)  # (..., H, N, m)
    return of_queries.transpose(-2, -3), of_keys.transpose(-2, -3)


def _gathered(vectors: Tensor, reach: Tensor) -> Tensor:
    """(..., H, K, d), (N, m) -> (..., N, H, m, d)."""
    return vectors.index_select(-2, reach.flatten()).unflatten(-2, reach.shape).transpose(-3, -4)
