"""The path through torch's fused kernel (flash attention: Dao et al. 2022, arXiv:2205.14135).

Shapes: ... leading dims, H heads, Q queries, K keys, d, dv sizes. Masks are bool, True = may attend.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.attention import masks
from attnfocus.attention.memory import Places
from attnfocus.attention.paths.work import Work, leading_dims

if TYPE_CHECKING:
    from attnfocus.attention.attention import Attention

# Kernels on CUDA have no place for more items in one call (pytorch issue 142228); blocks of many items can be more.
MAX_BATCH = 2**16 - 1


def sdpa(attention: "Attention", work: Work, dropout: float) -> tuple[Tensor, None]:
    """Context (..., H, Q, dv), without any weights."""
    num_queries, num_keys = work.query.shape[-2], work.keys.shape[-2]
    # The kernel's own causal mode counts from the first key, which is the same pattern only where Q = K.
    if (
        attention.pattern.is_causal
        and work.mask is None
        and num_queries == num_keys
        and not attention.position.has_bias
    ):
        query = attention.score.prepare_query(work.query)
        return _call(query, work.keys, work.values, None, dropout, is_causal=True), None
    return fused(attention, work, Places.of(num_queries, num_keys, work.query.device), dropout), None


def fused(attention: "Attention", work: Work, places: Places, dropout: float) -> Tensor:
    """What `Attention.weigh` and the product with the values give, for queries and keys that stand anywhere."""
    _, keys, values, mask = work
    bias = attention.position.bias(work.query, places.offsets) if attention.position.has_bias else None
    query = attention.score.prepare_query(work.query)
    allowed = attention.pattern.allows(places)
    mask = masks.both(mask, None if allowed is None else masks.with_head_axis(allowed))
    if mask is None:
        return _call(query, keys, values, bias, dropout)
    # What a kernel does with a row that has nothing to attend is its own affair (some give NaN), so such a row is let
    # see everything, and its result is cleared.
    has_any = mask.any(dim=-1, keepdim=True)  # (..., H or 1, Q or 1, 1)
    seen = (mask | ~has_any).expand(*mask.shape[:-1], keys.shape[-2])
    added = seen if bias is None else bias.masked_fill(~seen, -torch.inf)
    # A product keeps the order of the axes in memory, `masked_fill` does not: merging the heads then copies nothing.
    context = _call(query, keys, values, added, dropout)
    return context * has_any.to(context.dtype)


def _call(
    query: Tensor, keys: Tensor, values: Tensor, added: Tensor | None, dropout: float, is_causal: bool = False
) -> Tensor:
    """The kernel for any leading dims; `added` is a mask, or a bias with -inf inside."""
    if added is not None and added.dtype != torch.bool:
        added = added.to(query.dtype)
    tensors = (query, keys, values) if added is None else (query, keys, values, added)
    batch = leading_dims(*tensors)[:-1]
    if len(batch) <= 1:
        return _kernel(*tensors, dropout=dropout, is_causal=is_causal)
    parts = zip(*(_with_one_batch(tensor, batch).split(MAX_BATCH) for tensor in tensors), strict=True)
    contexts = [_kernel(*part, dropout=dropout, is_causal=is_causal) for part in parts]
    return (contexts[0] if len(contexts) == 1 else torch.cat(contexts)).unflatten(0, batch)


def _kernel(
    query: Tensor, keys: Tensor, values: Tensor, added: Tensor | None = None, *, dropout: float, is_causal: bool
) -> Tensor:
    """The kernel for (batch, H, N, size) or (H, N, size), with the leading dims of all tensors made the same."""
    tensors = (query, keys, values) if added is None else (query, keys, values, added)
    leading = leading_dims(*tensors)
    query, keys, values = (tensor.expand(*leading, *tensor.shape[-2:]) for tensor in (query, keys, values))
    return F.scaled_dot_product_attention(query, keys, values, added, dropout, is_causal, scale=1.0)


def _with_one_batch(tensor: Tensor, batch: Sequence[int]) -> Tensor:
    """(any of the batch, H or 1, N, size) -> (product of the batch, H or 1, N, size): what fast kernels know."""
    return tensor.expand(*batch, *(1, *tensor.shape)[-3:]).flatten(0, -4)
