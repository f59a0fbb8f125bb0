"""What the paths work on.

Shapes: ... leading dims, H heads, Q queries, K keys, d, dv sizes. Masks are bool, True = may attend.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from attnfocus.attention.masks import leading_dims
from attnfocus.attention.memory import Places
from attnfocus.attention.paths.derivatives import second_order
from attnfocus.attention.precision import product_dtype

PathName = Literal["auto", "plain", "sdpa", "flex", "chunked"]


class Work(NamedTuple):
    """One call: everything has its heads, and the queries stand at the end of the sequence."""

    query: Tensor  # (..., H, Q, d)
    keys: Tensor  # (..., H, K, any size), prepared
    values: Tensor  # (..., H, K, dv)
    mask: Tensor | None  # broadcastable to (..., H, Q, K), without what the pattern forbids
    clock: Tensor | None = None  # (..., H, K), of a position that reads its inputs

    @property
    def places(self) -> Places:
        return Places.of(self.query.shape[-2], self.keys.shape[-2], self.query.device, self.clock)


@dataclass(frozen=True)
class Call:
    """What a path is chosen for. Sizes of None are not known yet."""

    need_weights: bool = False
    num_queries: int | None = None
    num_keys: int | None = None
    num_rows: int = 1  # leading dims and heads in one
    device: str = "cpu"
    dtype: torch.dtype | None = None
    has_mask: bool = False  # besides what the pattern forbids
    second_order: bool = False  # gradients of gradients are asked for, as far as that is known

    @classmethod
    def of(cls, work: Work, need_weights: bool) -> "Call":
        leading = leading_dims(work.query, work.keys)
        rows = 1 if torch.compiler.is_exporting() else math.prod(leading)  # an exported graph is for any number of them
        sizes = work.query.shape[-2], work.keys.shape[-2], rows
        device, dtype = work.query.device.type, product_dtype(work.query)
        return cls(need_weights, *sizes, device, dtype, work.mask is not None, second_order())


@dataclass(frozen=True)
class PathChoice:
    """Which path runs, and why, in words that complete `path: reason`."""

    name: Literal["plain", "sdpa", "flex", "chunked", "linear"]  # linear: of siblings that sum over the keys first
    reason: str
