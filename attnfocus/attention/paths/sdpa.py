"""The path through torch's fused kernel (flash attention: Dao et al. 2022, arXiv:2205.14135).

Shapes: ... leading dims, H heads, Q queries, K keys, d, dv sizes. Masks are bool, True = may attend.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.attention import masks
from attnfocus.attention.masks import leading_dims
from attnfocus.attention.memory import Places
from attnfocus.attention.normalizers.base import count_seen
from attnfocus.attention.normalizers.softmax import SoftmaxKind
from attnfocus.attention.paths.derivatives import once
from attnfocus.attention.paths.factors import Algebra
from attnfocus.attention.paths.items import items_of
from attnfocus.attention.paths.plain import mixed
from attnfocus.attention.paths.protocol import Work
from attnfocus.attention.patterns.dense import FullPattern
from attnfocus.attention.precision import as_scores, exact, for_kernel, in_score_precision, lowered, lowers

# Kernels on CUDA have no place for more items in one call (pytorch issue 142228); blocks of many items can be more.
MAX_BATCH = 2**16 - 1


def sdpa(attention: Algebra, work: Work, dropout: float) -> tuple[Tensor, None]:
    """Context (..., H, Q, dv), without any weights."""
    num_queries, num_keys = work.query.shape[-2], work.keys.shape[-2]
    if not attention.position.has_bias:  # then what nobody asks for, the places, need not be made
        if isinstance(attention.pattern, FullPattern):
            return masked(attention, work, None, dropout), None
        # The kernel's own causal mode counts from the first key, which is the same pattern only where Q = K. One query
        # alone is the last position, and sees everything.
        if attention.pattern.is_causal and work.mask is None and num_queries in (1, num_keys):
            if num_queries > 1:  # not handed on: under torch.compile this is a symbol, which the kernel does not take
                return _causal(attention, work, dropout), None
            return _call(attention, work, _NOTHING, dropout, num_keys), None
    return fused(attention, work, work.places, dropout), None


def fused(attention: Algebra, work: Work, places: Places, dropout: float) -> Tensor:
    """What `Attention.weigh` and the product with the values give, for queries and keys that stand anywhere."""
    bias = attention.position.bias_at(work.query, places)
    allowed = attention.pattern.allows(places)
    mask = masks.both(work.mask, None if allowed is None else masks.with_head_axis(allowed))
    return masked(attention, work._replace(mask=mask), bias, dropout)


def masked(attention: Algebra, work: Work, bias: Tensor | None, dropout: float) -> Tensor:
    """The kernel for a mask that says all, and a bias, broadcastable to (..., H, Q, K).

    What a kernel does with a row that has nothing to attend is its own affair (some give NaN), so such a row is let see
    everything, and its result is cleared; beside one more key no row is empty.
    """
    num_keys = work.keys.shape[-2]
    if work.mask is None:
        return _call(attention, work, _Added(None, bias), dropout, num_keys)
    if bias is not None:
        items = items_of(work, bias)
        if items is not None:
            parts = [_of_item(attention, item, bias, dropout) for item in items]
            return torch.cat(parts)
    seen = work.mask.expand(*work.mask.shape[:-1], num_keys)
    counts = count_seen(seen, exact(work.query).dtype) if _softmax(attention).counts_keys else num_keys
    if _softmax(attention).has_one_more:
        return _call(attention, work, _Added(seen, bias), dropout, counts)
    has_any = seen.any(dim=-1, keepdim=True)  # (..., H or 1, Q or 1, 1)
    has_empty = not masks.surely_all(has_any)
    if has_empty:
        seen = seen | ~has_any
    context = _call(attention, work, _Added(seen, bias), dropout, counts)
    # A product keeps the order of the axes in memory, `masked_fill` does not: merging the heads then copies nothing.
    return context * has_any.to(context.dtype) if has_empty else context


def _of_item(attention: Algebra, item: Work, bias: Tensor, dropout: float) -> Tensor:
    """Of one item without its padding; 0 where nothing else is there."""
    if item.keys.shape[-2] > 0:
        return masked(attention, item, bias[..., : item.keys.shape[-2]], dropout)
    return item.values.new_zeros(*item.query.shape[:-1], item.values.shape[-1])


def _causal(attention: Algebra, work: Work, dropout: float) -> Tensor:
    """The kernel in its own causal mode, for as many queries as keys and no mask."""
    length = work.keys.shape[-2]
    counts = torch.arange(1, length + 1, device=work.query.device, dtype=exact(work.query).dtype).unsqueeze(-1)
    if not _softmax(attention).has_one_more:
        return _call(attention, work, _NOTHING, dropout, counts, is_causal=True)
    # The key that is added stands before the others, and one more query before the first lets each see itself.
    padded = work._replace(query=F.pad(work.query, (0, 0, 1, 0)))
    counts = F.pad(counts, (0, 0, 1, 0), value=1.0)
    return _call(attention, padded, _NOTHING, dropout, counts, is_causal=True)[..., 1:, :]


class _Added(NamedTuple):
    """What a kernel gets besides the vectors, broadcastable to (..., H, Q, K)."""

    mask: Tensor | None
    bias: Tensor | None

    def as_one(self, factor: Tensor | None, *, one_more: bool) -> Tensor | None:
        """A mask, or a bias times the factor with -inf inside; with one more key before the others, which all see."""
        mask, bias = self
        if factor is not None and bias is not None:
            bias = bias * factor
        if one_more:
            mask, bias = (
                None if each is None else F.pad(each, (1, 0), value=each.dtype == torch.bool) for each in self
            )
        return mask if bias is None else bias if mask is None else torch.where(mask, bias, -torch.inf)


_NOTHING = _Added(None, None)


def _softmax(attention: Algebra) -> SoftmaxKind:
    assert isinstance(attention.normalizer, SoftmaxKind)  # `choose` takes no other here
    return attention.normalizer


def _call(
    attention: Algebra,
    work: Work,
    added: _Added,
    dropout: float,
    counts: Tensor | int,
    *,
    is_causal: bool = False,
) -> Tensor:
    """The kernel for any leading dims. counts: how many keys a query may attend to, (..., 1), or all of them."""
    query, scale = attention.score.prepare_query(work.query), attention.score.kernel_scale
    counts = max(1, counts) if isinstance(counts, int) else counts
    factor, has_one_more = _softmax(attention).factor(counts), _softmax(attention).has_one_more
    if factor is not None:  # the bias is multiplied, too
        query = (query * factor).to(query.dtype)
    tensors = (query, work.keys, work.values)
    if has_one_more:
        logit = _softmax(attention).extra_logit
        tensors = _with_one_more(*tensors, None if logit is None else logit / scale)
    query, keys, values = tensors
    size = values.shape[-1]
    if size < query.shape[-1]:  # fast kernels want values of the size of the keys
        tensors = query, keys, F.pad(values, (0, query.shape[-1] - size))
    together = added.as_one(factor, one_more=has_one_more)
    kernel = partial(_kernel, dropout=dropout, is_causal=is_causal, scale=scale)
    vectors = tuple(map(lowered, tensors)) if lowers(query) else tensors
    with in_score_precision(query):  # autocast would round the bias too
        context = _split(tuple(map(for_kernel, vectors)), together, kernel).to(vectors[-1].dtype)
    return context if context.shape[-1] == size else context[..., :size]


def _with_one_more(query: Tensor, keys: Tensor, values: Tensor, logit: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """One more key before the others, of value 0, whose product with every query is `logit`, (H, 1, 1); None: 0.

    A logit is one more number behind each query, beside 1 behind that key and 0 behind the others.
    """
    values = F.pad(values, (0, 0, 1, 0))
    if logit is None:
        return query, F.pad(keys, (0, 0, 1, 0)), values
    query = torch.cat((query, logit.to(query.dtype).expand(*query.shape[:-1], 1)), dim=-1)
    keys = F.pad(keys, (0, 1, 1, 0))
    keys.detach()[..., 0, -1] = 1.0  # a constant, which takes no part in any gradient
    return query, keys, values


def _split(vectors: tuple[Tensor, ...], added: Tensor | None, kernel: Callable[..., Tensor]) -> Tensor:
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
    if added is not None and added.requires_grad and query.device.type == "cpu":
        # Torch writes it out, too, and looks for empty rows, of which there are none here, in as many passes again.
        scores = torch.matmul(query * scale, keys.mT) + added
        return mixed(torch.softmax(scores, dim=-1), values, dropout)
    context = F.scaled_dot_product_attention(query, keys, values, added, dropout, is_causal, scale=scale)
    return once(context, "sdpa")


def _with_one_batch(tensor: Tensor, batch: Sequence[int]) -> Tensor:
    """(any of the batch, H or 1, N, size) -> (product of the batch, H or 1, N, size): what fast kernels know."""
    return tensor.expand(*batch, *(1, *tensor.shape)[-3:]).flatten(0, -4)
