"""Lengths of padded sequences as masks and indices, without asking the device for a number.

Shapes: B batch, L positions, D width. Masks are bool, True = a real position. Padding stands at the end.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def length_mask(lengths: Tensor, num_positions: int) -> Tensor:
    """True at the first `lengths[b]` positions: (B,) -> (B, L)."""
    return torch.arange(num_positions, device=lengths.device) < lengths.unsqueeze(1)


def with_a_position(inputs: Tensor) -> Tensor:
    """Inputs (B, L) or (B, L, D) with L >= 1: a batch of empty sequences gets one position of padding."""
    if inputs.shape[1] > 0:
        return inputs
    after = (0, 1) if inputs.dim() == 2 else (0, 0, 0, 1)
    return F.pad(inputs, after)


def reversal(lengths: Tensor, num_positions: int) -> Tensor:
    """Index (B, L) that reverses each sequence within its own length and leaves the padding at the end."""
    positions = torch.arange(num_positions, device=lengths.device).unsqueeze(0)
    mirrored = lengths.unsqueeze(1) - 1 - positions
    return torch.where(mirrored >= 0, mirrored, positions)


def take_positions(sequences: Tensor, index: Tensor) -> Tensor:
    """sequences[b, index[b, i]]: (B, L, D) and (B, I) -> (B, I, D)."""
    return sequences.gather(1, index.unsqueeze(-1).expand(-1, -1, sequences.shape[-1]))
