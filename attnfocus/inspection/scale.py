"""What share of a color scale a weight is. Three scales, each with a legend of its own.

- `one`: 0 to 1. A weight is its share.
- `largest`: 0 to the largest of all heads of a map; both sides of 0 where weights have signs.
- `uniform`: how many times more than 1/K, K keys: 1/8 to 8 in octaves, white where all keys get the same.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from attnfocus.inspection.content import ScaleName, best_map
from attnfocus.tasks import FocusMap

OCTAVES = 3  # to both sides of uniform
BELOW_UNIFORM = 0.12  # how far the color of less than uniform goes: few positions in use are no alarm
SHARP = 0.5  # a map with such a weight is shown from 0 to 1, others against uniform


@dataclass(frozen=True)
class Scale:
    """A scale for one map.

    Attributes:
        largest: the largest size of a weight over all heads.
        num_keys: K.
        is_signed: weights may be below 0.
    """

    name: ScaleName
    largest: float
    num_keys: int
    is_signed: bool = False

    def share(self, weight: float) -> float:
        """-1 to 1, or NaN: see `display.palette.color`."""
        if self.name == "one":
            return weight
        if self.name == "largest":
            return weight / self.largest if self.largest > 0 else 0.0
        if math.isnan(weight):
            return weight
        octaves = math.log2(weight * self.num_keys) / OCTAVES if weight > 0 else -1.0
        return octaves if octaves > 0 else BELOW_UNIFORM * max(octaves, -1.0)

    def weight(self, part: float) -> float:
        """The weight at a part of the legend, 0 at its left end to 1 at its right; signs are left out."""
        if self.name == "uniform":
            return float(2.0 ** ((2 * part - 1) * OCTAVES) / self.num_keys)
        return part * (1.0 if self.name == "one" else self.largest)


def scale_of(each: FocusMap, name: ScaleName | None = None) -> Scale:
    """The scale of a map; that of a difference, an attribution, or weights with signs always goes to the largest."""
    weights = each.difference
    largest = float(np.nan_to_num(np.abs(weights)).max(initial=0.0))
    is_signed = each.minus is not None or bool((weights < 0).any())
    if each.method != "attention" or is_signed:
        name = "largest"
    return Scale(name or default_scale([each]), largest, len(each.key_tokens), is_signed)


def default_scale(maps: Iterable[FocusMap]) -> ScaleName:
    """`one` where the map that is shown first has a large weight, as alignments have; else `uniform`."""
    shown = [each for each in maps if each.method == "attention"]
    if not shown:
        return "one"
    weights = best_map(shown).weights.mean(axis=0)
    return "one" if float(np.nan_to_num(weights).max(initial=0.0)) >= SHARP else "uniform"
