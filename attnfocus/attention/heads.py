"""How vectors are split into heads, and which numbers of heads there can be.

Shapes: ... leading dims, N queries or keys, d size of one head.
"""

import torch
from torch import Tensor

from attnfocus.errors import Problem


def split(vectors: Tensor, heads: int) -> Tensor:
    """(..., N, heads d) -> (..., heads, N, d)."""
    if heads == 1:
        return vectors.unsqueeze(-3)
    return vectors.unflatten(-1, (heads, -1)).transpose(-2, -3)


def shared(vectors: Tensor, heads: int) -> Tensor:
    """(..., G, N, d) -> (..., heads, N, d): query heads that follow each other share one of G key heads."""
    if vectors.shape[-3] == heads:
        return vectors
    return vectors.repeat_interleave(heads // vectors.shape[-3], dim=-3)


def with_readings(keys: Tensor, readings: Tensor) -> Tensor:
    """Keys (..., G, K, d) with columns for what was read of them, (..., H, K): head g has those of its query heads."""
    columns = readings.unflatten(-2, (keys.shape[-3], -1)).transpose(-1, -2)  # (..., G, K, H / G)
    return torch.cat((keys, columns.to(keys.dtype)), dim=-1)


def does_not_divide(name: str, given: int, whole_name: str, whole: int) -> Problem:
    """What is said of a number of heads that leaves a rest; `name` is the option, whose section is not known here."""
    works = [number for number in range(1, whole + 1) if whole % number == 0]
    distance = min(abs(number - given) for number in works)
    near = [number for number in works if abs(number - given) == distance]
    nearest = f"The nearest {'is' if len(near) == 1 else 'are'} {' and '.join(map(str, near))}."
    shown = ", ".join(map(str, works))
    text = f"{name} {given} does not divide {whole_name} {whole}; these do: {shown}. {nearest}"
    return Problem(text, name, [f"{name}={near[0]}"])


def require_one_plain_head(num_heads: int, value_dim: int, output_dim: int | None) -> None:
    if num_heads != 1:
        raise ValueError(
            f"projections=false leaves no way to split vectors into num_heads {num_heads}: "
            "use num_heads=1, or projections=true."
        )
    if output_dim not in (None, value_dim):
        raise ValueError(
            f"projections=false returns contexts of the values' size {value_dim}, not {output_dim}: "
            "use projections=true."
        )
