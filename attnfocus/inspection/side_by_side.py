"""One example under several runs: where each looked, reduced to one map, so that they can be drawn beside each other.

Shapes: H heads, Q queries, K keys.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attnfocus.grid import Picture
from attnfocus.inspection.content import best_map, picture_of
from attnfocus.inspection.page.coding import coded_picture
from attnfocus.inspection.spread import NEARLY_UNIFORM, spread_of
from attnfocus.tasks import Inspected
from attnfocus.visible import visible

MAX_TOKENS = 200  # along each side of a map that is shown
MAX_CELLS = 4000  # of a map that is shown cell by cell; of a larger one the mean over its rows
_DECIMALS = 4


@dataclass(frozen=True)
class Look:
    """A run's look: the mean over the heads of one attention, (Q, K); `note` says why there is none."""

    name: str
    run: str
    answer: str = ""
    is_right: bool | None = None
    attention: str = ""
    num_heads: int = 0
    queries: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    weights: np.ndarray | None = None
    picture: Picture | None = None  # what the keys are the positions of, the last ones where there are more
    note: str = ""

    def facts(self) -> dict[str, Any]:
        """In types that JSON has; `weights` only of a small map."""
        return {
            "name": visible(self.name),
            "run": visible(self.run),
            "answer": visible(self.answer),
            "right": self.is_right,
            "attention": self.attention,
            "heads": self.num_heads,
            "queries": [visible(token) for token in self.queries],
            "keys": [visible(token) for token in self.keys],
            **self._figures(),
            "picture": None if self.picture is None else coded_picture(self.picture),
            "note": visible(self.note),
        }

    def _figures(self) -> dict[str, Any]:
        """`means` over the rows (K), the `largest` weight, and over how many positions a row is spread."""
        if self.weights is None or self.weights.size == 0:
            return {"means": None}
        weights, spread = self.weights.astype(float), spread_of(self.weights)
        return {
            "means": weights.mean(axis=0).round(_DECIMALS).tolist(),
            "largest": round(float(np.abs(weights).max()), _DECIMALS),
            "weights": weights.round(_DECIMALS).tolist() if weights.size <= MAX_CELLS else None,
            "effective_positions": None if spread is None else spread.effective_positions,
            "normalized_entropy": None if spread is None else spread.normalized_entropy,
        }


@dataclass(frozen=True)
class Looks:
    """One example, its right answer where that is known, and how each run looked at it."""

    source: str
    target: str
    looks: Sequence[Look]
    note: str = ""

    def facts(self) -> dict[str, Any]:
        """In types that JSON has."""
        return {
            "source": visible(self.source),
            "target": visible(self.target),
            "note": self.note,
            "nearly_uniform": NEARLY_UNIFORM,
            "looks": [each.facts() for each in self.looks],
        }


def look_of(name: str, run: str, found: Inspected, target: str) -> Look:
    """What of an inspected example is shown beside that of others.

    Args:
        name: of the configuration.
        run: name of the run directory.
        target: the right answer; empty where it is not known.
    """
    answer = found.prediction
    if answer.skipped is not None:
        return Look(name, run, note=f"skipped: {answer.skipped}")
    said: dict[str, Any] = {
        "answer": answer.text,
        "is_right": answer.text.strip() == target.strip() if target else None,
    }
    maps = [each for each in found.maps if each.method == "attention"]
    if not maps:
        return Look(name, run, **said, note="this attention gives no weights")
    chosen = best_map(maps)
    _, num_queries, num_keys = chosen.weights.shape
    if max(num_queries, num_keys) > MAX_TOKENS:
        return Look(name, run, **said, note=f"{num_queries} by {num_keys} positions: at most {MAX_TOKENS} are shown")
    weights = np.nan_to_num(chosen.weights.astype(np.float64)).mean(axis=0)
    if not math.isclose(float(np.abs(weights.sum(axis=1) - 1).max(initial=0.0)), 0.0, abs_tol=0.02):
        said["note"] = "rows of these weights do not sum to 1"
    tokens: dict[str, Any] = {"queries": chosen.query_tokens[:num_queries], "keys": chosen.key_tokens[:num_keys]}
    tokens["picture"] = picture_of(found, chosen)
    return Look(name, run, **said, attention=chosen.label, num_heads=len(chosen.heads), **tokens, weights=weights)
