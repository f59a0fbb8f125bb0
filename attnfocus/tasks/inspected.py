"""One example with everything that there is to see of where the model looked.

Shapes: H heads, Q queries, K keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from attnfocus.tasks.base import Prediction


@dataclass(frozen=True)
class FocusMap:
    """How much each key counts for each query, by one method.

    Attributes:
        method: `attention`, or the name of an attribution.
        name: the attention's name (`cross`, `layers.0`); empty for a method that is about the whole model.
        weights: (H, Q, K) float32; below 0 where a method, or an attention, can subtract.
        query_tokens, key_tokens: Q and K labels of the axes.
        heads: H numbers, those of the model's own heads.
    """

    method: str
    name: str
    weights: np.ndarray
    query_tokens: tuple[str, ...]
    key_tokens: tuple[str, ...]
    heads: tuple[int, ...]


@dataclass(frozen=True)
class Inspected:
    """A prediction, and the maps that belong to it; none for an input that was skipped."""

    prediction: Prediction
    maps: tuple[FocusMap, ...] = ()


def attention_map(
    name: str,
    weights: np.ndarray,
    query_tokens: tuple[str, ...],
    key_tokens: tuple[str, ...],
) -> FocusMap:
    """The weights (H, Q, K) of one attention with all of its heads."""
    return FocusMap("attention", name, weights, query_tokens, key_tokens, tuple(range(len(weights))))
