"""Limits of options, written once, in the signature of what they configure.

A constructor says `dropout: Probability = 0.1`; the configuration check reads the same annotation, so that a value
out of range is refused, by name, before any data is read.
"""

import math
from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Range:
    """Bounds of a number. NaN and infinity are outside every range.

    Attributes:
        why: the reason of an upper bound that is not plain, to be shown with it.
    """

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    why: str = ""

    def accepts(self, value: float) -> bool:
        if isinstance(value, float) and not math.isfinite(value):  # an int is finite, however large
            return False
        return (
            (self.gt is None or value > self.gt)
            and (self.ge is None or value >= self.ge)
            and (self.lt is None or value < self.lt)
            and (self.le is None or value <= self.le)
        )

    def is_below_end(self, value: float) -> bool:
        """Whether it is not too large, whatever else is wrong with it."""
        return self.le is None or value <= self.le

    def __repr__(self) -> str:
        return f"Range({self})"  # as signatures show it

    def __str__(self) -> str:
        bounds = (("> ", self.gt), (">= ", self.ge), ("< ", self.lt), ("<= ", self.le))
        return " and ".join(f"{sign}{_text(bound)}" for sign, bound in bounds if bound is not None) or "finite"


def _text(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) and bound < 10**15 else f"{bound:g}"


DEVICES = ("auto", "cpu", "cuda", "mps")  # and `cuda:1`, ...


@dataclass(frozen=True)
class Choice:
    """Marks an option that a choice of a group of the configuration fills: `group@key=choice`."""

    group: str


# What decides how much memory is taken or how long something is built has an end, far beyond what is in use: a saved
# configuration may come from somebody else.
NumLayers = Annotated[int, Range(gt=0, le=1000, why="each layer is built one by one")]
Size = Annotated[int, Range(gt=0, le=2**16, why="tables and layers have its square of numbers, 16 GiB at the end")]
NumPositions = Annotated[int, Range(gt=0, le=2**20, why="tables have a row for each position")]
BeamSize = Annotated[int, Range(gt=0, le=1000, why="so many copies of an input are decoded at once")]
NumOutputs = Annotated[int, Range(gt=0, le=10_000, why="all are kept in memory")]
NumTokens = Annotated[int, Range(gt=0, le=10**6, why="each token of an output is a pass through the model")]
NumContext = Annotated[int, Range(ge=0, le=10**6, why="each window reads them")]
NumProcesses = Annotated[int, Range(gt=0, le=1024, why="each is a process of this machine")]
NumRows = Annotated[int, Range(gt=0, le=10**8, why="all rows are made in memory")]
PositiveInt = Annotated[int, Range(gt=0)]
NonNegativeInt = Annotated[int, Range(ge=0)]
PositiveFloat = Annotated[float, Range(gt=0)]
NonNegativeFloat = Annotated[float, Range(ge=0)]
Probability = Annotated[float, Range(ge=0, lt=1)]  # a rate of dropping: 1 would drop everything
Finite = Annotated[float, Range()]
UnitFraction = Annotated[float, Range(ge=0, le=1)]
