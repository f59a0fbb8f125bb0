"""The path through FlexAttention (Dong et al. 2024, arXiv:2412.05496): a rule over positions inside a fused kernel.

Shapes: ... leading dims, B all of them in one, H heads, Q queries, K keys, d, dv sizes. Masks are bool, True = may
attend.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from attnfocus.attention.masks import leading_dims
from attnfocus.attention.memory import Places
from attnfocus.attention.paths.derivatives import once
from attnfocus.attention.paths.factors import Algebra
from attnfocus.attention.paths.plain import plain
from attnfocus.attention.paths.protocol import Work

# (batch, head, query, key), each a tensor without dims -> whether this query may attend to this key.
Rule = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def flex(
    attention: Algebra, work: Work, dropout: float, kernel: Callable[..., Any] | None = None
) -> tuple[Tensor, None]:
    """Context (..., H, Q, dv), without any weights. Off a GPU it is not compiled, and no faster than the plain path.

    kernel: FlexAttention as torch has it or compiled; None: compiled on a GPU.

    Blocks of keys that no query of a block may attend are left out, and no bias of the size (H, Q, K) is made. What
    the pattern allows is a table (Q, K) of single bytes, shared by all items and heads: inside the kernel torch
    compiles look-ups, but not the shapes that a pattern computes with.
    """
    *leading, _ = leading_dims(*(tensor for tensor in work if tensor is not None))
    batch, num_queries, num_keys = math.prod(leading), work.query.shape[-2], work.keys.shape[-2]
    if 0 in (batch, num_queries, num_keys):
        return plain(attention, work, dropout)[0], None  # nothing to fuse, and the kernel knows no empty axis
    query = attention.score.prepare_query(work.query)
    flat = [
        tensor.to(work.values.dtype).expand(*leading, *tensor.shape[-3:]).reshape(batch, *tensor.shape[-3:])
        for tensor in (query, work.keys, work.values)
    ]
    places = work.places
    used: Callable[..., Any] = flex_attention
    make_blocks: Callable[..., Any] = create_block_mask
    if query.device.type == "cuda":
        used, make_blocks = _compiled()
    if kernel is not None:
        used = kernel
    rule, sizes = _rule(attention.pattern.allows(places), _flat_mask(work.mask, leading, num_keys))
    blocks = None if rule is None else make_blocks(rule, *sizes, num_queries, num_keys, device=query.device)
    context = used(
        *flat, score_mod=_bias(attention, work.query, places), block_mask=blocks, scale=attention.score.kernel_scale
    )
    return once(context, "flex").view(*leading, *context.shape[1:]), None


@functools.cache
def _compiled() -> tuple[Callable[..., Any], Callable[..., Any]]:
    return torch.compile(flex_attention), torch.compile(create_block_mask)


def _flat_mask(mask: Tensor | None, leading: Sequence[int], num_keys: int) -> Tensor | None:
    """(..., H or 1, Q or 1, K or 1) -> (B or 1, H or 1, Q or 1, K)."""
    if mask is None:
        return None
    mask = mask.expand(*mask.shape[:-1], num_keys)
    if math.prod(mask.shape[:-3]) > 1:
        mask = mask.expand(*leading, *mask.shape[-3:])
    return mask.reshape(-1, *mask.shape[-3:])


def _rule(allowed: Tensor | None, mask: Tensor | None) -> tuple[Rule | None, tuple[int | None, int | None]]:
    """What a pattern (Q, K) and a mask (B or 1, H or 1, Q or 1, K) let through together.

    Also the numbers of items and heads that it tells apart, None where it does not.
    """
    if mask is None and allowed is None:
        return None, (None, None)
    axes = () if mask is None else tuple(axis for axis in range(4) if axis == 3 or mask.shape[axis] > 1)
    given = None if mask is None else mask[tuple(slice(None) if axis in axes else 0 for axis in range(4))]

    def rule(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        seen = None if allowed is None else allowed[query, key]
        if given is not None:
            place = (batch, head, query, key)
            of_mask = given[tuple(place[axis] for axis in axes)]
            seen = of_mask if seen is None else seen & of_mask
        assert seen is not None
        return seen

    batches, heads = (mask.shape[axis] if mask is not None and axis in axes else None for axis in (0, 1))
    return rule, (batches, heads)


def _bias(attention: Algebra, query: Tensor, places: Places) -> Callable[..., Tensor] | None:
    """Adds the position's bias, from a table (H, K + Q - 1) over all offsets that occur."""
    if not attention.position.has_bias:
        return None
    num_queries, num_keys = len(places.queries), len(places.keys)
    offsets = torch.arange(1 - num_keys, num_queries, device=query.device).unsqueeze(0)
    bias = attention.position.bias(query[..., :1, :], offsets)  # of the offsets alone, whatever the query
    assert bias is not None
    table = bias.expand(attention.position.num_heads, 1, len(offsets[0])).squeeze(-2)
    # Tensors, not numbers: a new length then needs no new kernel. Not views: torch cannot compile how far these are in.
    columns, rows = places.keys + (num_keys - 1), places.queries.clone()

    def add(score: Tensor, batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return score + table[head, columns[key] - rows[query]]

    return add
