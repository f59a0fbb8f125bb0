"""One meaning of a mask: bool, True = may attend, broadcastable to (..., Q, K).

Nothing here looks at the values on the host, so no call waits for an accelerator.
"""

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


def never_attended(mask: Tensor) -> Tensor:
    """(..., Q, K) -> (..., K): True for keys which no query may attend, such as padding."""
    if mask.dim() == 1:
        return ~mask
    return ~(mask.squeeze(-2) if mask.shape[-2] == 1 else mask.any(dim=-2))


def cleared(vectors: Tensor, mask: Tensor) -> Tensor:
    """Keys or values (..., K, d) with zeros where no query may attend.

    A weight of 0 is not enough: 0 * NaN is NaN, forward, and again in the gradient of what made the vectors.
    """
    return vectors.masked_fill(never_attended(mask).unsqueeze(-1), 0.0)
