"""How focused a model's attentions are, by attention and head: over a whole split, or for one example.

Shapes: B examples, H heads, Q queries, K keys.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from attnfocus.attention.plane import Plane
from attnfocus.attention.role import Kind
from attnfocus.events import Heads
from attnfocus.tasks.looks import Look
from attnfocus.tasks.measures.focus_sums import COUNTS, DIVISORS, focus_sums, largest_logits

MAX_LOGIT = "max_logit"  # the one measure that is no mean: the largest logit of all queries measured
OF_ALL_HEADS = ("head_disagreement", "measured_queries")
_ONE = 0.01  # as near to 1 as the sums of weights that are distributions come, rounded ones included


@dataclass(frozen=True)
class FocusRow:
    """Measures of one head of an attention; `head=None`: of all its heads together."""

    attention: str
    head: int | None
    measures: Mapping[str, float]


@dataclass(frozen=True)
class FocusTable:
    """A row for each attention, and after it one for each of its heads. docs/focus.md says what the measures are."""

    rows: tuple[FocusRow, ...]

    def metrics(self) -> dict[str, float]:
        """`focus/<measure>`: the mean over the attentions that have it, of `max_logit` the largest. Empty if no query
        looked anywhere."""
        found: dict[str, list[float]] = defaultdict(list)
        for row in self.rows:
            if row.head is None:
                for name, value in row.measures.items():
                    found[name].append(value)
        hidden = ("peak_coverage", "last_mass")  # say that something is wrong, and little besides
        shown = {name: values for name, values in found.items() if name not in hidden}
        means = {f"focus/{name}": math.fsum(values) / len(values) for name, values in shown.items()}
        return means | ({f"focus/{MAX_LOGIT}": max(found[MAX_LOGIT])} if MAX_LOGIT in found else {})

    def heads(self) -> Heads:
        """Attention -> measure -> a value for each head."""
        found: dict[str, dict[str, tuple[float, ...]]] = {}
        for row in self.rows:
            measures = found.setdefault(row.attention, {})
            if row.head is not None:
                for name, value in row.measures.items():
                    measures[name] = (*measures.get(name, ()), value)
        return found


class FocusMeans:
    """Means of the focus measures: over all real queries (see `focus_sums`) or maps, for each head, and over the heads.

    All but `total_weight` are of weights divided by their sum, and that one is there where they do not sum to 1.

    A position counts as one that may be attended when the input is long enough to have it; what an attention's own
    pattern forbids is not subtracted. Numbers stay on the device until `table`.
    """

    def __init__(self, parts: dict[str, dict[str, list[Tensor]]] | None = None) -> None:
        self.parts = {} if parts is None else parts  # attention -> sum -> parts (B, H) or (B, 1)

    def add(
        self,
        name: str,
        kind: Kind | None,
        weights: Tensor,
        num_keys: Tensor,
        num_queries: Tensor | None,
        special: Tensor | None = None,
        plane: Plane | None = None,
        places: Tensor | None = None,
    ) -> None:
        """Weights (B, H, Q, K) of one attention.

        Args:
            kind: what it is for; None: nobody says, and only what every attention has is measured.
            num_keys, num_queries: (B,) how many are real; `num_queries=None`: all of them.
            special: bool (B, K), True at special tokens.
            plane: how the positions of self-attention lie; None: in a row.
            places: (B, Q) of self-attention, where these are the queries of `attention.observation.spread_places`
                alone; `num_queries` stays the number of all. None: all are there.
        """
        if weights.shape[2] == 0 or weights.shape[3] == 0:
            return
        sums = focus_sums(weights, num_keys, num_queries, kind, special, plane, places)
        kept = self.parts.setdefault(name, {})
        for measure, value in sums.items():
            kept.setdefault(measure, []).append(value if value.is_floating_point() else value.float())

    def add_looks(self, looks: Iterable[Look], special: Mapping[str, Tensor]) -> None:
        """Where the attentions of a model looked.

        Args:
            special: of each sequence that has any, bool (B, K), True at special tokens.
        """
        for look in looks:
            place, sizes = look.place, (look.num_keys, look.num_queries)
            self.add(place.name, place.kind, look.weights, *sizes, special.get(place.keys), place.plane, look.places)
            if look.logits is not None and place.name in self.parts:
                largest = largest_logits(look.logits, look.num_queries, place.kind, are_spread=look.places is not None)
                self.parts[place.name].setdefault(MAX_LOGIT, []).append(largest.float())

    def table(self) -> FocusTable:
        """The means so far; attentions of which no query looked anywhere are left out."""
        rows: list[FocusRow] = []
        for attention, kept in self.parts.items():
            sums = {measure: _column_sums(parts) for measure, parts in kept.items() if measure != MAX_LOGIT}
            largest = _column_maxima(kept.get(MAX_LOGIT, []))
            together = _means({measure: [math.fsum(columns)] for measure, columns in sums.items()}, 0)
            if "effective_positions" not in together:  # no query looked anywhere
                continue
            if sums.get("measured_queries") == sums.get("all_queries"):  # then it goes without saying
                together.pop("measured_queries", None)
            if abs(together["total_weight"] - 1) < _ONE:
                del sums["total_weight"], together["total_weight"]
            finite = [value for value in largest if value > -math.inf]
            rows.append(FocusRow(attention, None, together | ({MAX_LOGIT: max(finite)} if finite else {})))
            of_heads = {measure: columns for measure, columns in sums.items() if measure not in OF_ALL_HEADS}
            for head in range(len(sums["queries"])):
                of_head = {MAX_LOGIT: largest[head]} if len(finite) == len(largest) > head else {}
                rows.append(FocusRow(attention, head, _means(of_heads, head) | of_head))
        return FocusTable(tuple(rows))

    def metrics(self) -> dict[str, float]:
        """`focus/<measure>`; nothing if no query looked anywhere."""
        return self.table().metrics()


def focus_table(
    weights: Mapping[str, Tensor | np.ndarray],
    kinds: Mapping[str, Kind] | None = None,
    planes: Mapping[str, Plane | None] | None = None,
) -> FocusTable:
    """The table of one example, such as `focus_table(prediction.weights, prediction.kinds)`.

    Args:
        weights: (H, Q, K) of real positions alone, by attention.
        kinds: what each attention is for. Of one that is not named here only what every attention has is measured: no
            distance, monotonicity, diagonality or coverage.
        planes: how the positions of each lie that have rows and columns.
    """
    means = FocusMeans()
    for name, each in weights.items():
        batch = torch.as_tensor(each).unsqueeze(0)
        num_keys = torch.tensor([batch.shape[3]], device=batch.device)
        means.add(name, (kinds or {}).get(name), batch, num_keys, None, plane=(planes or {}).get(name))
    return means.table()


def _means(sums: Mapping[str, list[float]], head: int) -> dict[str, float]:
    """Sums divided by their counts; what has no count is left out."""

    def count(name: str) -> float:
        columns = sums.get(name, [0.0])
        return columns[head if len(columns) > 1 else 0]

    means = {}
    for measure, columns in sums.items():
        divisor = count(DIVISORS.get(measure, "queries"))
        unseen = measure == "special_mass" and not count("special")
        if measure not in COUNTS and divisor and not unseen:
            means[measure] = columns[head] / divisor
    return means


def _column_maxima(parts: list[Tensor]) -> list[float]:
    """The largest of each column of (B, H) tensors; none of no tensor."""
    return torch.cat(parts).amax(dim=0).tolist() if parts else []


def _column_sums(parts: list[Tensor]) -> list[float]:
    """Exactly rounded sums of the columns of (B, H) tensors, so that no order of the batches can change them."""
    return [math.fsum(column) for column in torch.cat(parts).T.tolist()]
