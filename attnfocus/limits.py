"""Limits of options, written once, in the signature of what they configure.

A constructor says `dropout: Probability = 0.1`; the configuration check reads the same annotation, so that a value
out of range is refused, by name, before any data is read.
"""

import math
from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Range:
    """Bounds of a number. NaN and infinity are outside every range."""

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None

    def accepts(self, value: float) -> bool:
        if isinstance(value, float) and not math.isfinite(value):  # an int is finite, however large
            return False
        return (
            (self.gt is None or value > self.gt)
            and (self.ge is None or value >= self.ge)
            and (self.lt is None or value < self.lt)
            and (self.le is None or value <= self.le)
        )

    def __str__(self) -> str:
        bounds = (("> ", self.gt), (">= ", self.ge), ("< ", self.lt), ("<= ", self.le))
        return " and ".join(f"{sign}{bound:g}" for sign, bound in bounds if bound is not None)


@dataclass(frozen=True)
class Choice:
    """Marks an option that a choice of a group of the configuration fills: `group@key=choice`."""

    group: str


PositiveInt = Annotated[int, Range(gt=0)]
NonNegativeInt = Annotated[int, Range(ge=0)]
PositiveFloat = Annotated[float, Range(gt=0)]
NonNegativeFloat = Annotated[float, Range(ge=0)]
Probability = Annotated[float, Range(ge=0, lt=1)]  # a rate of dropping: 1 would drop everything
UnitFraction = Annotated[float, Range(ge=0, le=1)]
