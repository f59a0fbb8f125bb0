"""A bias that all items share, beside padding of each: item by item, so that it is not copied for each of them.

Shapes: B items, H heads, Q queries, K keys. Masks are bool, True = may attend.
"""

import torch
from torch import Tensor

from attnfocus.attention.masks import surely_all
from attnfocus.attention.paths.protocol import Work

# Numbers of the bias from which a copy of it for each item costs more than a call for each.
WORTH_IT = 2**15


def items_of(work: Work, bias: Tensor) -> list[Work] | None:
    """The items (1, H, Q or K, any size), each with the keys that it has and no mask.

    None where that would not pay, where the bias differs between them, where the mask is more than padding behind each
    item, and where a look at it would wait for a device.
    """
    query, keys, values, mask, _ = work
    if mask is None or query.device.type != "cpu" or query.dim() != 4 or bias.shape[-3:].numel() < WORTH_IT:
        return None
    if not len(query) == len(keys) == len(values) == len(mask) or bias.shape[:-3].numel() != 1:
        return None
    if mask.shape[1:-1] != (1, 1) or mask.shape[-1] != keys.shape[-2]:
        return None
    if torch._C._are_functorch_transforms_active() or not surely_all(mask[..., :-1] | ~mask[..., 1:]):
        return None
    lengths = mask.sum(dim=(1, 2, 3)).tolist()
    parts = zip(query.split(1), keys.split(1), values.split(1), lengths, strict=True)
    return [Work(queries, those[..., :end, :], found[..., :end, :], None) for queries, those, found, end in parts]
