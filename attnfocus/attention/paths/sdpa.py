"""The path through torch's fused kernel (flash attention: Dao et al. 2022, arXiv:2205.14135).

Shapes: ... leading dims, H heads, Q queries, K keys, d, dv sizes. Masks are bool, True = may attend.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.attention import masks
from attnfocus.attention.masks import leading_dims
from attnfocus.attention.memory import Places
from attnfocus.attention.paths.derivatives import once
from attnfocus.attention.paths.factors import Algebra
from attnfocus.attention.paths.protocol import Work
from attnfocus.attention.patterns.dense import FullPattern
from attnfocus.attention.precision import as_scores, in_score_precision, lowered, lowers

# Kernels on CUDA have no place for more items in one call (pytorch issue 142228); blocks of many items can be more.
MAX_BATCH = 2**16 - 1


def sdpa(attention: Algebra, work: Work, dropout: float) -> tuple[Tensor, None]:
    """Context (..., H, Q, dv), without any weights."""
    num_queries, num_keys = work.query.shape[-2], work.keys.shape[-2]
    if not attention.position.has_bias:  # then what nobody asks for, the places, need not be made
        if isinstance(attention.pattern, FullPattern):
            return _masked(attention, work, None, dropout), None
        # The kernel's own causal mode counts from the first key, which is the same pattern only where Q = K. One query
        # alone is the last position, and sees everything.
        if attention.pattern.is_causal and work.mask is None and num_queries in (1, num_keys):
            if num_queries > 1:  # not handed on: under torch.compile this is a symbol, which the kernel does not take
                return _call(attention, work, None, dropout, is_causal=True), None
            return _call(attention, work, None, dropout), None
    return fused(attention, work, work.places, dropout), None


def fused(attention: Algebra, work: Work, places: Places, dropout: float) -> Tensor:
    """What `Attention.weigh` and the product with the values give, for queries and keys that stand anywhere."""
    bias = attention.position.bias_at(work.query, places)
    allowed = attention.pattern.allows(places)
    mask = masks.both(work.mask, None if allowed is None else masks.with_head_axis(allowed))
    return _masked(attention, work._replace(mask=mask), bias, dropout)


def _masked(attention: Algebra, work: Work, bias: Tensor | None, dropout: float) -> Tensor:
    """The kernel for a mask that says all, and a bias, broadcastable to (..., H, Q, K).

    What a kernel does with a row that has nothing to attend is its own affair (some give NaN), so such a row is let see
    everything, and its result is cleared.
    """
    if work.mask is None:
        return _call(attention, work, bias, dropout)
    seen = work.mask.expand(*work.mask.shape[:-1], work.keys.shape[-2])
    has_any = seen.any(dim=-1, keepdim=True)  # (..., H or 1, Q or 1, 1)
    has_empty = not masks.surely_all(has_any)
    if has_empty:
        seen = seen | ~has_any
    added = seen if bias is None else bias.masked_fill(~seen, -torch.inf)
    context = _call(attention, work, added, dropout)
    # A product keeps the order of the axes in memory, `masked_fill` does not: merging the heads then copies nothing.
    return context * has_any.to(context.dtype) if has_empty else context


def _call(attention: Algebra, work: Work, added: Tensor | None, dropout: float, *, is_causal: bool = False) -> Tensor:
    """The kernel for any leading dims; `added` is a mask, or a bias with -inf inside."""
    query, scale = attention.score.prepare_query(work.query), attention.score.kernel_scale
    if lowers(query):  # autocast would round the bias too
        lower = (lowered(query), lowered(work.keys), lowered(work.values))
        with in_score_precision(query):
            return _split(lower, added, partial(_kernel, dropout=dropout, is_causal=is_causal, scale=scale))
    tensors = (query, work.keys, work.values)
    return _split(tensors, added, partial(_kernel, dropout=dropout, is_causal=is_causal, scale=scale))


def _split(vectors: tuple[Tensor, Tensor, Tensor], added: Tensor | None, kernel: Callable[..., Tensor]) -> Tensor:
    """The kernel for as many calls as the device needs."""
    query = vectors[0]
    if added is not None and added.dtype != torch.bool:
        # A bias is not rounded to half precision, save on devices whose kernels want it so.
        wide = torch.promote_types(query.dtype, torch.float32) if query.device.type == "cpu" else query.dtype
        added = as_scores(added.to(wide), query)
    tensors = vectors if added is None else (*vectors, added)
    batch = leading_dims(*tensors)[:-1]
    if len(batch) <= 1:
        return kernel(*tensors)
    parts = zip(*(_with_one_batch(tensor, batch).split(MAX_BATCH) for tensor in tensors), strict=True)
    contexts = [kernel(*part) for part in parts]
    return (contexts[0] if len(contexts) == 1 else torch.cat(contexts)).unflatten(0, batch)


def _kernel(
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    added: Tensor | None = None,
    *,
    dropout: float,
    is_causal: bool,
    scale: float,
) -> Tensor:
    """The kernel for (batch, H, N, size) or (H, N, size), with the leading dims of all tensors made the same."""
    tensors = (query, keys, values) if added is None else (query, keys, values, added)
    leading = leading_dims(*tensors)
    query, keys, values = (
        tensor if tensor.shape[:-2] == leading else tensor.expand(*leading, *tensor.shape[-2:])
        for tensor in (query, keys, values)
    )
    context = F.scaled_dot_product_attention(query, keys, values, added, dropout, is_causal, scale=scale)
    return once(context, "sdpa")


def _with_one_batch(tensor: Tensor, batch: Sequence[int]) -> Tensor:
    """(any of the batch, H or 1, N, size) -> (product of the batch, H or 1, N, size): what fast kernels know."""
    return tensor.expand(*batch, *(1, *tensor.shape)[-3:]).flatten(0, -4)
