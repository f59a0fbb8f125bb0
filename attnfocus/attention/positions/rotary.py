"""Rotary positions. Shapes: ... leading dims, H heads, N positions, d size of one head, F frequencies."""

import math
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from attnfocus.attention.plane import NO_PLANE
from attnfocus.attention.positions.base import Position
from attnfocus.attention.positions.sinusoids import FrequencyBase, angles, span
from attnfocus.limits import NumPositions, Range

Scaling = Literal["none", "linear", "ntk", "yarn"]
Pairing = Literal["interleaved", "half"]

# Of YaRN: pairs that turn less often than SLOW times within the original length are interpolated, those that turn more
# often than FAST times stay as they are.
SLOW, FAST = 1.0, 32.0


class RotaryPosition(Position):
    """R_i query_i and R_j key_j: numbers 2f and 2f + 1 at position t turn by the angle t w_f,  w_f = base^(-2f/r)

        x_2f   -> x_2f cos(angle) - x_2f+1 sin(angle)
        x_2f+1 -> x_2f sin(angle) + x_2f+1 cos(angle)   (RoFormer, Su et al. 2021, eq. 15 and 34, arXiv:2104.09864)

    Since (R_i q) . (R_j k) = q . R_(j-i) k, scores know the offset of the key, and nothing else of the positions.
    Values do not turn.

    Only the first r = `fraction` d numbers of a head turn, an even number (GPT-NeoX turns a quarter: Black et al. 2022,
    sec. 2, arXiv:2204.06745). pairing=half turns numbers f and f + r/2 together, as Llama and most published weights
    have it: the same after a permutation of the projections' rows.

    `scaling` stretches what was learned on `original_length` positions over s = `factor` times as many:

        linear   w_f / s                                                 (Chen et al. 2023, arXiv:2306.15595)
        ntk      base s^(r / (r - 2)) in the place of base               (Peng et al. 2023, sec. 3.1, arXiv:2309.00071)
        yarn     w_f (g_f / s + 1 - g_f), and queries and keys times 0.1 ln s + 1         (the same, sec. 3.2 and 3.4)

    where g_f rises from 0 to 1 between the pair that turns 32 times within the original length and the one that turns
    once; as in the authors' code it rises evenly with f, between whole pairs.

    With axes=2, for patches of an image, the first half of the r numbers turns by the row and the second half by the
    column, each with the frequencies of its own r/2 numbers (axial frequencies: Heo et al. 2024, sec. 3.1,
    arXiv:2403.13298, who take a base of 100). Positions that the model puts in front stand at 0, 0.

    No parameters, any length. Cost: O(N d). Computed in float32 at least.

    Args:
        base: the slowest pair turns once in 2 pi base positions; larger for longer sequences.
        fraction: the part of a head that turns.
        pairing: which numbers turn together: neighbors, or those of the two halves.
        scaling: how it is stretched beyond the length that it was trained on.
        factor: s.
        original_length: positions that it was trained on; yarn alone needs it.
        axes: 1: the place in the sequence; 2: row and column.

    Raises:
        ValueError: an odd number of numbers that turn, or options of a scaling that do not go together.
    """

    goes_by_distance: ClassVar[bool] = True
    needs_rotation_invariance: ClassVar[bool] = True

    def __init__(
        self,
        *,
        num_heads: int,
        head_dim: int,
        base: FrequencyBase = 10000.0,
        fraction: Annotated[float, Range(gt=0, le=1)] = 1.0,
        pairing: Pairing = "interleaved",
        scaling: Scaling = "none",
        factor: Annotated[float, Range(ge=1)] = 1.0,
        original_length: NumPositions | None = None,
        axes: Literal[1, 2] = 1,
    ) -> None:
        if fraction == 1 and head_dim % 2:
            raise ValueError(
                f"rotary positions turn pairs of numbers, and a head of size {head_dim} leaves one over: choose sizes "
                f"so that the query size is an even multiple of num_heads={num_heads}, or attention/position=t5."
            )
        super().__init__(num_heads=num_heads, head_dim=head_dim)
        self.size = 2 * int(head_dim * fraction / 2)  # r
        if self.size == 0:
            raise ValueError(
                f"fraction={fraction:g} of a head of size {head_dim} is less than a pair of numbers: use "
                f"attention.position.fraction={min(1.0, math.ceil(200 / head_dim) / 100):g} or more."
            )
        _check_scaling(scaling, factor, original_length, self.size)
        _check_axes(axes, scaling, self.size)
        self.axes = axes
        self.base, self.fraction, self.pairing = base, fraction, pairing
        self.scaling, self.factor, self.original_length = scaling, factor, original_length

    @property
    def needs_plane(self) -> bool:
        return self.axes == 2

    def place_keys(self, keys: Tensor, first_position: int) -> Tensor:
        return self._turned(keys, first_position)

    def place_queries(self, queries: Tensor, first_position: int) -> Tensor:
        return self._turned(queries, first_position)

    @property
    def magnitude(self) -> float:
        """What queries and keys are multiplied by: of yarn alone."""
        return 0.1 * math.log(self.factor) + 1 if self.scaling == "yarn" else 1.0

    def _turned(self, vectors: Tensor, first_position: int) -> Tensor:
        turns = self._angles(span(first_position, vectors), vectors.dtype)  # (N, r / 2)
        cosine, sine = turns.cos() * self.magnitude, turns.sin() * self.magnitude
        turning, rest = vectors.split((self.size, vectors.shape[-1] - self.size), dim=-1)
        pairs = (-1, 2) if self.pairing == "interleaved" else (2, -1)
        axis = pairs.index(2) - 2
        one, other = turning.to(turns.dtype).unflatten(-1, pairs).unbind(axis)
        turned = torch.stack((one * cosine - other * sine, one * sine + other * cosine), dim=axis).flatten(-2)
        turned = turned.to(vectors.dtype)
        return turned if rest.shape[-1] == 0 else torch.cat((turned, rest), dim=-1)

    def _angles(self, positions: Tensor, dtype: torch.dtype) -> Tensor:
        """positions (N) -> (N, r / 2)."""
        if self.axes == 2:
            if self.plane is None:
                raise ValueError(NO_PLANE.format(key="attention.position"))
            places = self.plane.places(positions)
            return torch.cat([angles(place, self.size // 2, self.base, dtype) for place in places], dim=-1)
        base = self.base * self.factor ** (self.size / (self.size - 2)) if self.scaling == "ntk" else self.base
        turns = angles(positions, self.size, base, dtype)
        if self.scaling == "linear":
            return turns / self.factor
        return turns if self.scaling != "yarn" else turns * self._slowed(turns)

    def _slowed(self, like: Tensor) -> Tensor:
        """g_f / s + 1 - g_f of each pair: (F)."""
        assert self.original_length is not None
        fast, slow = (
            self.size * math.log(self.original_length / (turns * 2 * math.pi)) / (2 * math.log(self.base))
            for turns in (FAST, SLOW)
        )
        first, last = max(math.floor(fast), 0), min(math.ceil(slow), self.size - 1)
        pairs = torch.arange(self.size // 2, device=like.device, dtype=like.dtype)
        share = ((pairs - first) / max(last - first, 1e-3)).clamp(0, 1)
        return share / self.factor + 1 - share

    def extra_repr(self) -> str:
        scaled = "" if self.scaling == "none" else f", scaling={self.scaling}, factor={self.factor:g}"
        part = "" if self.fraction == 1 else f", fraction={self.fraction:g}"
        axes = "" if self.axes == 1 else f", axes={self.axes}"
        return f"base={self.base:g}{part}, pairing={self.pairing}{scaled}{axes}"


def _check_axes(axes: int, scaling: Scaling, size: int) -> None:
    """Refuses numbers that cannot be shared by two axes, and scalings of one.

    Raises:
        ValueError: what, and what works.
    """
    if axes == 1:
        return
    if size % 4:
        raise ValueError(
            f"axes=2 shares the numbers of a head that turn by row and column, in pairs, and {size} turn: use a "
            "multiple of 4, such as by another attention.num_heads, or attention.position.axes=1."
        )
    if scaling != "none":
        raise ValueError(
            f"scaling={scaling} is for positions in one row: use attention.position.scaling=none, or "
            "attention.position.axes=1."
        )


def _check_scaling(scaling: Scaling, factor: float, original_length: int | None, size: int) -> None:
    """Refuses options that do not go together.

    Raises:
        ValueError: what, and what works.
    """
    if scaling == "none" and factor != 1:
        raise ValueError(
            f"factor={factor:g} has no effect without a scaling: use attention.position.scaling=linear, ntk or yarn, "
            "or attention.position.factor=1."
        )
    if scaling == "yarn" and original_length is None:
        raise ValueError(
            "scaling=yarn tells pairs apart by how often they turn within the length of training: use "
            "attention.position.original_length=N with the longest sequence of training, or "
            "attention.position.scaling=ntk."
        )
    if scaling == "ntk" and size < 4:
        raise ValueError(
            f"scaling=ntk keeps the fastest pair and slows the others, and only {size} numbers turn: use "
            "attention.position.scaling=linear."
        )
