"""One meaning of a mask: bool, True = may attend, broadcastable to (..., Q, K).

Nothing here looks at the values on the host, so no call waits for an accelerator.
"""

from typing import Any

import torch
from torch import Tensor


def check(mask: Tensor) -> None:
    """A mask of 0 and -inf, or of 0 and 1 for padding, means something else.

    Raises:
        ValueError: the mask is not bool.
    """
    if mask.dtype != torch.bool:
        raise ValueError(f"mask must be bool (True = may attend), got {str(mask.dtype).removeprefix('torch.')}.")


def both(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    """May attend by both masks; None lets everything through."""
    if first is None or second is None or first is second:
        return second if first is None else first
    return first & second


def with_head_axis(mask: Tensor) -> Tensor:
    """(..., Q, K) -> (..., 1, Q, K)."""
    return mask.unsqueeze(-3) if mask.dim() > 1 else mask[None, None]


def of_blocks(mask: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
    """What N blocks of b queries and m keys need of a mask for all: rows (N, b), columns (N, m).

    mask (..., H or 1, Q or 1, K or 1) -> (..., N, H or 1, b or 1, m or 1). A place where there is no row or column
    gets that of the nearest.
    """
    queries, keys = (
        places.clamp(0, length - 1) if length > 1 else torch.zeros_like(places[:, :1])
        for places, length in ((queries, mask.shape[-2]), (keys, mask.shape[-1]))
    )
    return mask[..., queries.unsqueeze(-1), keys.unsqueeze(-2)].transpose(-3, -4)


def never_attended(mask: Tensor) -> Tensor:
    """(..., Q, K) -> (..., K): True for keys which no query may attend, such as padding."""
    if mask.dim() == 1:
        return ~mask
    return ~(mask.squeeze(-2) if mask.shape[-2] == 1 else mask.any(dim=-2))


def cleared(vectors: Tensor, mask: Tensor) -> Tensor:
    """Keys or values (..., K, d) with zeros where no query may attend.

    A weight of 0 is not enough: 0 * NaN is NaN, forward, and again in the gradient of what made the vectors.
    """
    cleared: Tensor = _Cleared.apply(vectors, never_attended(mask).unsqueeze(-1))
    return cleared


class _Cleared(torch.autograd.Function):
    """vectors (..., K, d), blocked (..., K, 1) -> 0 where blocked. One pass forward and one backward.

    `masked_fill` copies first, and the backward pass of `where` makes zeros first, which is some per cent of a small
    attention. The gradient needs no care for NaN, as no query has attended to what is blocked.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(vectors: Tensor, blocked: Tensor) -> Tensor:
        return torch.where(blocked, 0.0, vectors)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(~inputs[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.saved_tensors[0].to(gradient.dtype), None
