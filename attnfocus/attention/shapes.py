"""Whether what an attention is given fits together, and what is wanted where it does not.

Shapes: ... leading dims (the batch), H heads, Q queries, K keys.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from attnfocus.attention import masks
from attnfocus.attention.memory import Memory

Shape = Sequence[int]


class Sizes(NamedTuple):
    """Of one call."""

    leading: tuple[int, ...]  # of queries and keys together
    heads: int
    queries: int
    keys: int

    def __str__(self) -> str:
        items = f" of {self.leading} items" if self.leading else ""
        return f"{self.queries} queries and {self.keys} keys{items}"


def require_pairs(keys: Tensor, values: Tensor | None) -> None:
    """Each key has its value.

    Raises:
        ValueError: other lengths.
    """
    if values is not None and values.shape[-2] != keys.shape[-2]:
        raise ValueError(
            f"there are {keys.shape[-2]} keys {tuple(keys.shape)} and {values.shape[-2]} values "
            f"{tuple(values.shape)}: each key needs a value, so give (..., {keys.shape[-2]}, size) for both."
        )


def common_leading(query: Shape, keys: Shape) -> tuple[int, ...]:
    """The leading dims that queries and keys have together, from those of each.

    Raises:
        ValueError: neither the same nor 1.
    """
    if query == keys:
        return tuple(query)
    longer, shorter = (query, keys) if len(query) >= len(keys) else (keys, query)
    front = len(longer) - len(shorter)
    together = [*longer[:front]]
    for one, other in zip(longer[front:], shorter, strict=True):
        if one != other and 1 not in (one, other):
            raise ValueError(
                f"there are queries of {tuple(query)} items and keys of {tuple(keys)}: give both the same dimensions "
                "in front, or 1, or none."
            )
        together.append(other if one == 1 else one)
    return tuple(together)


def fits(mask: Shape, leading: Shape, num_queries: int | None, num_keys: int) -> bool:
    """Whether a mask broadcasts to (*leading, Q, K) without adding to it. num_queries: None where they come later."""
    whole = (num_keys, num_queries, *reversed(leading))
    return 0 < len(mask) <= len(whole) and all(
        size == 1 or other is None or size == other for size, other in zip(reversed(mask), whole, strict=False)
    )


def require_mask(mask: Tensor, sizes: Sizes) -> None:
    """A mask for all heads.

    Raises:
        ValueError: it is not bool, does not broadcast to (..., Q, K), or may as well be meant as (..., K).
    """
    masks.check(mask)
    if mask.shape == (*sizes.leading, 1, sizes.keys):
        return  # padding, the usual case
    shape, leading = tuple(mask.shape), sizes.leading
    of_items = len(shape) == len(leading) + 1 > 1 and shape[:-1] == leading
    if fits(shape, leading, sizes.queries, sizes.keys) and not (of_items and shape[-2] > 1):
        return
    padding, by_query = (*leading, 1, sizes.keys), (*(1 for _ in leading), sizes.queries, sizes.keys)
    if of_items and shape[-1] in (1, sizes.keys):
        raise ValueError(
            f"mask {shape} reads as (..., K), one for each item, and a mask is (..., Q, K): give {padding} for "
            f"padding, or {by_query} for a mask of each query that is the same for all items."
        )
    raise ValueError(
        f"mask {shape} does not fit {sizes}: give {(*leading, sizes.queries, sizes.keys)}, with 1 for a dimension that "
        f"plays no part, such as {padding} for padding. A mask for each head has a name of its own: head_mask."
    )


def require_mask_of_keys(mask: Tensor, keys: Tensor) -> None:
    """A mask that comes with the keys (..., K, size), before any query.

    Raises:
        ValueError: it is not bool, or does not broadcast to (..., any Q, K).
    """
    masks.check(mask)
    if mask.shape != (*keys.shape[:-2], 1, keys.shape[-2]) and not fits(
        mask.shape, keys.shape[:-2], None, keys.shape[-2]
    ):
        raise ValueError(
            f"mask {tuple(mask.shape)} does not fit keys {tuple(keys.shape)}: give "
            f"{(*keys.shape[:-2], 1, keys.shape[-2])} for padding, or (..., Q, K) with as many dimensions as the keys."
        )


def require_head_mask(mask: Tensor, sizes: Sizes) -> None:
    """A mask for each head.

    Raises:
        ValueError: it is not bool, does not broadcast to (..., H, Q, K), or has no axis for the heads.
    """
    masks.check(mask)
    whole = (sizes.heads, sizes.queries, sizes.keys)
    if mask.dim() < 3 or not fits(mask.shape, (*sizes.leading, sizes.heads), sizes.queries, sizes.keys):
        raise ValueError(
            f"head_mask {tuple(mask.shape)} does not fit {sizes.heads} heads with {sizes}: give "
            f"{(*sizes.leading, *whole)}, with 1 for a dimension that plays no part, such as {whole} for all items. "
            "A mask for all heads is mask."
        )


def with_heads(mask: Tensor | None, head_mask: Tensor | None, sizes: Sizes) -> Tensor | None:
    """A mask for all heads and one for each as one, broadcastable to (..., H, Q, K).

    Raises:
        ValueError: one of them does not fit.
    """
    if mask is not None:
        require_mask(mask, sizes)
        mask = masks.with_head_axis(mask)
    if head_mask is not None:
        require_head_mask(head_mask, sizes)
    return masks.both(mask, head_mask)


def masked_memory(memory: Memory, given: Tensor | None, sizes: Sizes) -> tuple[Tensor, Tensor, Tensor | None]:
    """Keys, values, and the mask of a memory and the one given with the queries in one, with the axis of the heads.

    Raises:
        ValueError: the memory's mask does not fit.
    """
    keys, values, known = memory
    if known is not None:
        require_mask(known, sizes)
        return keys, values, masks.both(masks.with_head_axis(known), given)
    if given is not None:
        seen = given.any(dim=-3, keepdim=True) if given.shape[-3] > 1 else given
        keys, values = masks.cleared(keys, seen), masks.cleared(values, seen)
    return keys, values, given
