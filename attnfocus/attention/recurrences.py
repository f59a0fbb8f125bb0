"""Sums that fade from position to position, a chunk of positions at a time.

Shapes: ... leading dims and heads, K positions, f size of a key, v of a value, g 1 or f, N chunks, c positions in a
chunk. Every position has a query, a key, a value, and the logarithm of what it leaves of the sums before it (<= 0).

Exponentials of sums of logarithms are made of those between two positions alone: they are <= 1, and nothing large is
subtracted from something large.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Positions(NamedTuple):
    """What the positions of a sequence bring along."""

    query: Tensor  # (..., K, f)
    keys: Tensor  # (..., K, f)
    values: Tensor  # (..., K, v)
    log_decay: Tensor  # (..., K, g)


def decayed_sums(positions: Positions, size: int, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """S_i = diag(a_i) S_(i-1) + key_i value_i^T,  output_i = S_i^T query_i

    Args:
        positions: log_decay is log a_i: a number for the whole of S (f, v), or for each of its rows.
        size: c.
        state: (..., f, v): S before the first position; None: 0.

    Returns:
        outputs (..., K, v), and S after the last position.
    """
    length = positions.query.shape[-2]
    query, keys, values, log_decay = (_chunks(each, size) for each in positions)
    since = log_decay.cumsum(dim=-2)  # from before the chunk to each position
    kept = since[..., -1:, :].exp().mT  # (..., N, g, 1)
    added = (keys * _until_the_end(log_decay).exp()).mT @ values  # (..., N, f, v)
    states = [added.new_zeros(added[..., 0, :, :].shape) if state is None else state.expand_as(added[..., 0, :, :])]
    for number in range(added.shape[-3]):
        states.append(kept[..., number, :, :] * states[-1] + added[..., number, :, :])
    outputs = _inside(query, keys, log_decay) @ values
    outputs = outputs + (query * since.exp()) @ torch.stack(states[:-1], dim=-3)
    return outputs.flatten(-3, -2)[..., :length, :], states[-1]


def delta_sums(positions: Positions, strength: Tensor, size: int, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """S_i = a_i S_(i-1) + strength_i key_i (value_i - a_i S_(i-1)^T key_i)^T,  output_i = S_i^T query_i

    With u_i = strength_i (value_i - a_i S_(i-1)^T key_i), S_i is a decayed sum of key_i u_i^T. In a chunk that begins
    with S, u solves a triangular system: (I + A) u = strength (value - D S^T key), where D_i = a_1 ... a_i and A_ij =
    strength_i a_(j+1) ... a_i key_i . key_j for j < i.

    Args:
        positions: log_decay (..., K, 1) is log a_i.
        strength: (..., K, 1).
        size, state: as in `decayed_sums`.

    Returns:
        outputs (..., K, v), and S after the last position.
    """
    length = positions.query.shape[-2]
    query, keys, values, log_decay = (_chunks(each, size) for each in positions)
    strength = _chunks(strength, size)
    since = log_decay.cumsum(dim=-2)
    overlap = strength * _inside(keys, keys, log_decay).tril(-1)  # A, (..., N, c, c)
    identity = torch.eye(overlap.shape[-1], dtype=overlap.dtype, device=overlap.device)
    solved = torch.linalg.solve_triangular(
        identity + overlap, identity * strength, upper=False, unitriangular=True
    )  # (I + A)^-1 diag(strength)
    written, erased = solved @ values, solved @ (keys * since.exp())
    inside, reading = _inside(query, keys, log_decay), query * since.exp()
    kept, storing = since[..., -1:, :].exp(), (keys * _until_the_end(log_decay).exp()).mT
    leading = torch.broadcast_shapes(written.shape[:-3], erased.shape[:-3])
    if state is None:
        state = written.new_zeros(*leading, keys.shape[-1], values.shape[-1])
    outputs = []
    for number in range(keys.shape[-3]):
        brought = written[..., number, :, :] - erased[..., number, :, :] @ state  # u
        outputs.append(reading[..., number, :, :] @ state + inside[..., number, :, :] @ brought)
        state = kept[..., number, :, :] * state + storing[..., number, :, :] @ brought
    return torch.cat(outputs, dim=-2)[..., :length, :], state


def _inside(query: Tensor, keys: Tensor, log_decay: Tensor) -> Tensor:
    """sum_f query_if key_jf a_(j+1)f ... a_if for j <= i in one chunk, 0 for others: (..., c, c)."""
    between = log_decay.unsqueeze(-2).expand(*log_decay.shape[:-1], log_decay.shape[-2], -1)  # (..., c of i, c of j, g)
    ones = torch.ones(between.shape[-3:-1], dtype=torch.bool, device=between.device)
    between = between.masked_fill(~ones.tril(-1).unsqueeze(-1), 0.0).cumsum(dim=-3)
    decay = between.masked_fill(~ones.tril().unsqueeze(-1), -torch.inf).exp()
    if decay.shape[-1] == 1:
        return (query @ keys.mT) * decay.squeeze(-1)
    return ((keys.unsqueeze(-3) * decay) @ query.unsqueeze(-1)).squeeze(-1)


def _until_the_end(log_decay: Tensor) -> Tensor:
    """For each position of a chunk the sum of those behind it: (..., c, g)."""
    behind = F.pad(log_decay[..., 1:, :], (0, 0, 0, 1))
    return behind.flip(-2).cumsum(dim=-2).flip(-2)


def _chunks(vectors: Tensor, size: int) -> Tensor:
    """(..., K, any size) -> (..., N, c, any size), with zeros behind the last; c is at most K."""
    length = vectors.shape[-2]
    size = min(size, length)
    return F.pad(vectors, (0, 0, 0, -length % size)).unflatten(-2, (-1, size))
