"""The frequencies that sinusoidal, rotary and Transformer-XL positions share. Shapes: F frequencies."""

import math
from typing import Annotated

import torch
from torch import Tensor

from attnfocus.limits import Range

# Base of the geometric sequence of frequencies.
FrequencyBase = Annotated[float, Range(gt=1)]


def angles(positions: Tensor, size: int, base: float, dtype: torch.dtype) -> Tensor:
    """positions (...) -> positions / base^(2 f / size), (..., F) with F = ceil(size / 2).

    In float32 at least: half precision cannot count to 3000.
    """
    dtype = torch.promote_types(dtype, torch.float32)
    pairs = torch.arange(0, size, 2, device=positions.device, dtype=dtype)
    return positions.to(dtype).unsqueeze(-1) * torch.exp(pairs * (-math.log(base) / size))


def span(first: int, vectors: Tensor) -> Tensor:
    """Positions of vectors (..., N, d) of which the first stands at `first`: (N,)."""
    return torch.arange(first, first + vectors.shape[-2], device=vectors.device)
