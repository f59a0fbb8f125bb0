"""One meaning of a mask: bool, True = may attend, broadcastable to (..., Q, K).

Nothing here looks at the values of an accelerator, so no call waits for one.
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


def of_query(mask: Tensor | None, index: int) -> Tensor | None:
    """What a mask (..., Q or 1, K) says of one query: (..., 1, K)."""
    return mask if mask is None or mask.dim() < 2 or mask.shape[-2] == 1 else mask[..., index : index + 1, :]


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
    return torch.where(never_attended(mask).unsqueeze(-1), 0.0, vectors)  # one pass; `masked_fill` copies first


def harmless(query: Tensor, mask: Tensor) -> Tensor:
    """Queries (..., Q, D), positions of the sequence that they look at, with 0 for what would spoil a gradient.

    That is NaN, infinity and numbers whose products overflow, at positions which no query may attend, such as padding:
    nobody asks what these see, but 0 * NaN is NaN in the gradient of what made the queries. All else stays as it is:
    a position may be hidden from all and look nevertheless. mask (..., H or 1, Q or 1, K or 1).
    """
    largest = max(2.0**12, torch.finfo(query.dtype).max ** 0.25)
    if surely_within(query, largest):
        return query
    num_queries, hidden = query.shape[-2], never_attended(mask.any(dim=-3))
    if hidden.shape[-1] > 1:
        first = hidden.shape[-1] - num_queries
        if first < 0:  # queries before the first position are no part of the sequence
            return query
        hidden = hidden[..., first:]
    is_small = query.detach().abs() <= largest
    return torch.where(hidden.unsqueeze(-1) & ~is_small, 0.0, query)


def surely_within(vectors: Tensor, largest: float) -> bool:
    """Whether all numbers are within +-largest, where a look at them costs one pass: on a CPU. Elsewhere False."""
    if vectors.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    if vectors.numel() == 0:
        return True
    low, high = torch.aminmax(vectors.detach())
    try:
        return -largest <= low.item() and high.item() <= largest  # False of NaN
    except RuntimeError:  # under `torch.vmap` nobody can look
        return False


def surely_all(flags: Tensor) -> bool:
    """Whether all are True, where a look at them costs next to nothing: on a CPU. Elsewhere False, whatever they are.

    For work that is only worth leaving out if nobody has to wait for the answer.
    """
    if flags.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    try:
        return bool(flags.all())
    except RuntimeError:  # under `torch.vmap`, and for tensors without numbers, nobody can look
        return False


def unless_idle(mask: Tensor | None) -> Tensor | None:
    """The mask; None where it is one of keys alone, hides none of them, and a look at it costs next to nothing."""
    return None if mask is not None and mask.shape[-2:-1] in ((), (1,)) and surely_all(mask) else mask


def leading_dims(*tensors: Tensor) -> tuple[int, ...]:
    """The dims before the last two that the tensors have together; those that differ are 1.

    `torch.broadcast_shapes` says the same, and takes as long as a small attention. What does not fit together is left
    for the tensors' own operations to refuse.
    """
    shapes = [tensor.shape[:-2] for tensor in tensors]
    dims = [1] * max(map(len, shapes))
    for shape in shapes:
        for place, size in enumerate(reversed(shape), 1):
            if size != 1:
                dims[-place] = size
    return tuple(dims)
