"""How far numbers are from those of the data."""

from __future__ import annotations

import math
from collections.abc import Sequence


def errors_of(answers: Sequence[float], targets: Sequence[float]) -> dict[str, list[float]]:
    """Metric -> its part of each example: (answer - target)^2 and |answer - target|."""
    errors = [answer - target for answer, target in zip(answers, targets, strict=True)]
    return {"mse": [error * error for error in errors], "mae": [abs(error) for error in errors]}


def number_metrics(answers: Sequence[float], targets: Sequence[float]) -> dict[str, float]:
    """mse, mae, and r2 = 1 - sum of squared errors / sum of squared distances of the targets from their own mean.

    Without r2 where all targets are the same. At least one example; sums are exactly rounded, whatever the order.
    """
    count = len(targets)
    found = {name: math.fsum(values) / count for name, values in errors_of(answers, targets).items()}
    mean = math.fsum(targets) / count
    variance = math.fsum((target - mean) ** 2 for target in targets) / count
    return found if variance == 0 else {**found, "r2": 1 - found["mse"] / variance}
