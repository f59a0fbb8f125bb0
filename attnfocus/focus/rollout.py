"""How much of each input reaches an output through layers of self-attention: rollout and flow.

Shapes: L positions, R readings (rows that read the top layer), S source and T target positions.

Both take a layer as half its weights, half what the residual connection carries past them:
A = 0.5 W + 0.5 I   (Abnar & Zuidema 2020, sec. 3, arXiv:2005.00928), W the mean over heads, each row divided by its
sum. Weights below 0 count by their size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from attnfocus.focus.measures import shares

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

MAX_FLOW_WORK = 40_000_000  # edges, times the flows that are asked for: some ten seconds
_UNIT = 2**24  # capacities are whole numbers of this part of 1


def rollout(reading: Tensor, layers: Sequence[Tensor]) -> Tensor:
    """reading A_n ... A_1   (Abnar & Zuidema 2020, eq. 1)

    Args:
        reading: how the output reads the top layer, (..., R, L); a row of the identity for one position.
        layers: weights (..., L, L) of the mean over heads, the lowest first.

    Returns:
        (..., R, L), >= 0; rows sum to those of the reading. With no layers, the reading.
    """
    for weights in reversed(layers):
        reading = reading @ with_residual(weights)
    return reading


def decoder_rollout(encoder: Tensor, own: Sequence[Tensor], cross: Sequence[Tensor]) -> Tensor:
    """Rollout through a decoder: what each target position holds of the source positions.

    A layer takes half of what it had and half of what its self-attention reads, then half of that and half of what its
    cross-attention reads of the encoder: the same rule as above for each of its two residual connections.

    Args:
        encoder: rollout of the encoder, (..., S, S).
        own, cross: weights (..., T, T) and (..., T, S) of the decoder's layers, means over heads, the lowest first.

    Returns:
        (..., T, S); rows sum to less than 1, as a part is held of the target's earlier tokens.
    """
    held = torch.zeros_like(cross[0])
    for of_self, of_cross in zip(own, cross, strict=True):
        held = with_residual(of_self) @ held
        held = 0.5 * held + 0.5 * shares(of_cross) @ encoder
    return held


def with_residual(weights: Tensor) -> Tensor:
    """0.5 W + 0.5 I: weights (..., L, L), rows divided by their sum; a row of zeros keeps to itself alone."""
    identity = torch.eye(weights.shape[-1], dtype=weights.dtype, device=weights.device)
    return 0.5 * torch.where((weights != 0).any(dim=-1, keepdim=True), shares(weights), identity) + 0.5 * identity


def flow(reading: Tensor, layers: Sequence[Tensor]) -> Tensor:
    """sum_i reading_i f_ij, f_ij the most that can flow from position i of the top layer to position j of the input
    through edges that carry no more than A says   (Abnar & Zuidema 2020, sec. 3, attention flow)

    Capacities are rounded to 2^-24, else each maximum flow is exact.

    Args:
        reading: (R, L), as in `rollout`.
        layers: weights (L, L), as in `rollout`; of one example, as a maximum flow is not batched.

    Returns:
        (R, L), each between 0 and its reading's sum. With no layers, the reading.

    Raises:
        ValueError: it would take too long (see `MAX_FLOW_WORK`).
    """
    size, depth = reading.shape[-1], len(layers)
    read = (reading != 0).any(dim=0).nonzero().flatten().tolist()
    work = len(read) * size * depth * size * size
    if work > MAX_FLOW_WORK:
        raise ValueError(
            f"attention_flow through {depth} layers from {len(read)} to {size} positions is too much: {work} edges "
            f"in all its flows, and {MAX_FLOW_WORK} are allowed. Use a shorter input, or attention_rollout."
        )
    if depth == 0:
        return reading.clone()
    from scipy.sparse.csgraph import maximum_flow

    graph = _graph([with_residual(weights.double()).cpu().numpy() for weights in layers])
    flows = torch.zeros(size, size, dtype=torch.float64)
    for top in read:
        for position in range(size):
            flows[top, position] = maximum_flow(graph, top, depth * size + position).flow_value / _UNIT
    return reading @ flows.to(reading)


def _graph(layers: Sequence[NDArray[np.float64]]) -> csr_array:
    """Capacities between nodes: level l from the top has the nodes l size to (l + 1) size - 1."""
    from scipy.sparse import csr_array

    size, depth = len(layers[0]), len(layers)
    rows, columns = np.indices((size, size)).reshape(2, -1)
    starts = np.concatenate([rows + level * size for level in range(depth)])
    ends = np.concatenate([columns + (level + 1) * size for level in range(depth)])
    capacities = np.concatenate([np.rint(weights * _UNIT).astype(np.int32).ravel() for weights in reversed(layers)])
    return csr_array((capacities, (starts, ends)), shape=((depth + 1) * size,) * 2)
