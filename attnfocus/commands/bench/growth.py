"""How a cost grows with the length: the exponent of a power law, with the interval that the measurements allow."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from attnfocus.commands.bench.costs import Cost, peaks_of, times_of

CONFIDENCE = 0.95
WIDEST = 0.5  # of the interval, to each side: beyond it, noise decides


@dataclass(frozen=True)
class Growth:
    """The exponent p of cost = c length^p, and its 95 % interval; `is_sure`: narrow enough to be shown."""

    exponent: float
    low: float | None
    high: float | None

    @property
    def is_sure(self) -> bool:
        return self.low is not None and self.high is not None and self.high - self.low <= 2 * WIDEST

    def text(self, name: str = "length") -> str:
        """`length^1.95 (1.80 to 2.10)`; empty where noise decides, or nothing says how much there is."""
        return f"{name}^{self.exponent:.2f} ({self.low:.2f} to {self.high:.2f})" if self.is_sure else ""


def growth(values: Mapping[int, float]) -> Growth | None:
    """By least squares in the logarithms over lengths -> costs; None for fewer than two lengths.

    The interval is Student's t over the residuals: it is wide where the points lie on no line (noise, or the overhead
    of each call at short lengths). Of two lengths there are no residuals, and no interval.
    """
    points = [(math.log(length), math.log(value)) for length, value in values.items() if value > 0]
    if len(points) < 2:
        return None
    mean_x, mean_y = (sum(axis) / len(points) for axis in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    free = len(points) - 2
    if not free:
        return Growth(slope, None, None)
    from scipy.stats import t

    left = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in points)
    reach = float(t.ppf((1 + CONFIDENCE) / 2, free)) * math.sqrt(left / free / spread)
    return Growth(slope, slope - reach, slope + reach)


def growth_of(costs: Sequence[Cost], attention: str, what: str) -> Growth | None:
    """Of `seconds` or `bytes` of an attention."""
    return growth((times_of if what == "seconds" else peaks_of)(costs, attention))
