"""The path through torch's fused kernel (flash attention: Dao et al. 2022, arXiv:2205.14135).

Shapes: ... leading dims, H heads, Q queries, K keys, d, dv sizes. Masks are bool, True = may attend.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.attention import masks
from attnfocus.attention.memory import Places
from attnfocus.attention.paths.work import Work

if TYPE_CHECKING:
    from attnfocus.attention.attention import Attention


def sdpa(attention: "Attention", work: Work, dropout: float) -> tuple[Tensor, None]:
    """Context (..., H, Q, dv), without any weights."""
    num_queries, num_keys = work.query.shape[-2], work.keys.shape[-2]
    query, bias = attention.score.prepare_query(work.query), None
    # The kernel's own causal mode counts from the first key, which is the same pattern only where Q = K.
    if (
        attention.pattern.is_causal
        and work.mask is None
        and num_queries == num_keys
        and not attention.position.has_bias
    ):
        return _call(query, work.keys, work.values, None, dropout, is_causal=True), None
    places = Places.of(num_queries, num_keys, query.device)
    if attention.position.has_bias:
        bias = attention.position.bias(work.query, places.offsets)
    allowed = attention.pattern.allows(places)
    mask = masks.both(work.mask, None if allowed is None else masks.with_head_axis(allowed))
    if mask is None:
        return _call(query, work.keys, work.values, bias, dropout), None
    # What a kernel does with a row that has nothing to attend is its own affair (some give NaN), so such a row is let
    # see everything, and its result is cleared.
    has_any = mask.any(dim=-1, keepdim=True)  # (..., H or 1, Q or 1, 1)
    seen = (mask | ~has_any).expand(*mask.shape[:-1], num_keys)
    added = seen if bias is None else bias.masked_fill(~seen, -torch.inf)
    return _call(query, work.keys, work.values, added, dropout).masked_fill(~has_any, 0.0), None


def _call(
    query: Tensor, keys: Tensor, values: Tensor, added: Tensor | None, dropout: float, is_causal: bool = False
) -> Tensor:
    """The kernel, with the leading dims of all tensors made the same; `added` is a mask, or a bias with -inf inside."""
    if added is not None and added.dtype != torch.bool:
        added = added.to(query.dtype)
    tensors = (query, keys, values) if added is None else (query, keys, values, added)
    leading = torch.broadcast_shapes(*(tensor.shape[:-2] for tensor in tensors))
    query, keys, values = (tensor.expand(*leading, *tensor.shape[-2:]) for tensor in (query, keys, values))
    return F.scaled_dot_product_attention(query, keys, values, added, dropout, is_causal, scale=1.0)
