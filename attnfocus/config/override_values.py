"""The values that one override of the command line gives."""

import math
from typing import Any

from hydra.core.override_parser.types import Override


def values_of(override: Override) -> list[str]:
    """Its value, or the values that a sweep goes over or a list holds, as texts."""
    if override.is_sweep_override() and override.is_discrete_sweep():
        return [str(value) for value in override.sweep_string_iterator()]
    value = override.value()
    return ["null"] if value is None else [str(item) for item in value] if isinstance(value, list) else [str(value)]


def num_values(override: Override) -> int:
    """How many values a sweep goes over; 1 for what is no sweep."""
    if not override.is_sweep_override():
        return 1
    if override.is_range_sweep():
        sweep: Any = override.value()
        return max(0, math.ceil((float(sweep.stop) - float(sweep.start)) / float(sweep.step)))
    return len(values_of(override)) if override.is_discrete_sweep() else 1
