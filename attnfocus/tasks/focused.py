"""How focused a model's attentions are over a whole split.

Shapes: B examples, H heads, Q queries, K keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from attnfocus.focus.measures import attends, effective_positions, normalized_entropy, num_positions
from attnfocus.models.lengths import length_mask
from attnfocus.tasks.gather import ExactSums

_MEASURES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "effective_positions": effective_positions,
    "positions": num_positions,
    "normalized_entropy": normalized_entropy,
}


class FocusMeans:
    """Means of the focus measures over all real queries, then over the attentions (`cross`, `layers.0`, ...).

    A position counts as one that may be attended when the input is long enough to have it; what an attention's own
    pattern forbids is not subtracted.
    """

    def __init__(self) -> None:
        self._sums = ExactSums()
        self._names: dict[str, None] = {}

    def add(self, name: str, weights: Tensor, num_keys: Tensor, num_queries: Tensor | None) -> None:
        """Weights (B, H, Q, K) of one attention.

        Args:
            num_keys, num_queries: (B,) how many are real; `num_queries=None`: all of them.
        """
        self._names[name] = None
        mask = length_mask(num_keys, weights.shape[3])[:, None, None]  # (B, 1, 1, K)
        real = attends(weights, mask)  # (B, H, Q)
        if num_queries is not None:
            real = real & length_mask(num_queries, weights.shape[2]).unsqueeze(1)
        self._sums.add(f"{name}/count", real.sum(dim=(1, 2), dtype=torch.float32))
        for measure, function in _MEASURES.items():
            values = torch.where(real, function(weights, mask), 0.0)
            self._sums.add(f"{name}/{measure}", values.sum(dim=(1, 2)))

    def metrics(self) -> dict[str, float]:
        """`focus/<measure>`; nothing if no query looked anywhere."""
        counts = {name: self._sums.total(f"{name}/count") for name in self._names}
        names = [name for name, count in counts.items() if count > 0]
        if not names:
            return {}
        means = {
            measure: [self._sums.total(f"{name}/{measure}") / counts[name] for name in names] for measure in _MEASURES
        }
        return {f"focus/{measure}": sum(values) / len(values) for measure, values in means.items()}
