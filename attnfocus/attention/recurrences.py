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

SMALLEST = 4  # positions whose pairs are looked at one by one


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
    length, is_vector = positions.query.shape[-2], positions.log_decay.shape[-1] > 1
    size = min(size, length)
    if is_vector:  # `_by_halves` wants a power of 2
        size = 1 << (size - 1).bit_length()
    query, keys, values, log_decay = (_chunks(each, size) for each in positions)
    since = _up_to_each(log_decay)  # from before the chunk
    kept = since[..., -1:, :].exp().mT  # (..., N, g, 1)
    added = (keys * _until_the_end(log_decay).exp()).mT @ values  # (..., N, f, v)
    states = [added.new_zeros(added[..., 0, :, :].shape) if state is None else state.expand_as(added[..., 0, :, :])]
    for share, new in zip(kept.unbind(-3), added.unbind(-3), strict=True):
        states.append(share * states[-1] + new)
    inside = _by_halves if is_vector else _at_once
    outputs = inside(query, keys, values, log_decay)
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
    size = min(size, length)
    query, keys, values, log_decay = (_chunks(each, size) for each in positions)
    strength = _chunks(strength, size)
    since = _up_to_each(log_decay)
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
    # Not by their index, whose gradient has the size of all chunks for each of them.
    chunks = (each.unbind(-3) for each in (written, erased, reading, inside, kept, storing))
    for new, old, read, between, share, stored in zip(*chunks, strict=True):
        brought = new - old @ state  # u
        outputs.append(read @ state + between @ brought)
        state = share * state + stored @ brought
    return torch.cat(outputs, dim=-2)[..., :length, :], state


def _at_once(query: Tensor, keys: Tensor, values: Tensor, log_decay: Tensor) -> Tensor:
    """What the positions of a chunk see in it, (..., c, v); log_decay (..., c, 1)."""
    return _inside(query, keys, log_decay) @ values


def _inside(query: Tensor, keys: Tensor, log_decay: Tensor) -> Tensor:
    """sum_f query_if key_jf a_(j+1) ... a_i for j <= i in one chunk, 0 for others: (..., c, c)."""
    between = log_decay.mT.expand(*log_decay.shape[:-2], log_decay.shape[-2], -1).mT  # (..., c of i, c of j)
    ones = torch.ones(between.shape[-2:], dtype=torch.bool, device=between.device)
    between = torch.where(ones.tril(-1), between, 0.0).cumsum(dim=-2)
    return (query @ keys.mT) * torch.where(ones.tril(), between, -torch.inf).exp()


def _by_halves(query: Tensor, keys: Tensor, values: Tensor, log_decay: Tensor) -> Tensor:
    """As `_at_once`, for log_decay (..., c, f) and c a power of 2.

    What the second half sees of the first fades to the end of that, and on from there: two factors <= 1, so that it is
    a product of matrices. The halves themselves go the same way.
    """
    if query.shape[-2] <= SMALLEST:
        return _pair_by_pair(query, keys, log_decay) @ values
    halves = tuple(
        each.unflatten(-2, (2, -1)) for each in (query, keys, values, log_decay)
    )  # (..., 2, c / 2, any size)
    first, second = _by_halves(*halves).unbind(-3)
    (_, query), (keys, _), (values, _), (before, behind) = (each.unbind(-3) for each in halves)
    fading = (query * _up_to_each(behind).exp()) @ (keys * _until_the_end(before).exp()).mT  # (..., c / 2, c / 2)
    return torch.cat((first, second + fading @ values), dim=-2)


def _pair_by_pair(query: Tensor, keys: Tensor, log_decay: Tensor) -> Tensor:
    """sum_f query_if key_jf a_(j+1)f ... a_if for j <= i, 0 for others: (..., c, c); for a few positions."""
    length, device = query.shape[-2], query.device
    rows, columns = torch.tril_indices(length, length, device=device)
    place = torch.arange(length, device=device)
    between = ((columns.unsqueeze(-1) < place) & (place <= rows.unsqueeze(-1))).to(query.dtype)  # (pairs, c)
    pairs = query[..., rows, :] * keys[..., columns, :] * (between @ log_decay).exp()  # (..., pairs, f)
    at = F.one_hot(rows * length + columns, length * length).to(query.dtype)
    return (pairs.sum(dim=-1) @ at).unflatten(-1, (length, length))


def _up_to_each(log_decay: Tensor) -> Tensor:
    """For each position of a chunk the sum from its start on, its own among them: (..., c, g)."""
    return _triangle(log_decay).tril() @ log_decay


def _until_the_end(log_decay: Tensor) -> Tensor:
    """For each position of a chunk the sum of those behind it: (..., c, g)."""
    return _triangle(log_decay).triu(1) @ log_decay


def _triangle(log_decay: Tensor) -> Tensor:
    """A matrix (c, c) to cut sums out of: products take less than `cumsum` along columns, forward and backward."""
    length = log_decay.shape[-2]
    return log_decay.new_ones(length, length)


def _chunks(vectors: Tensor, size: int) -> Tensor:
    """(..., K, any size) -> (..., N, c, any size), with zeros behind the last."""
    return F.pad(vectors, (0, 0, 0, -vectors.shape[-2] % size)).unflatten(-2, (-1, size))
