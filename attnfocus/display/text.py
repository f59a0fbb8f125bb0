"""What is shown: texts that fit, and numbers in a form that people read."""

import math
from collections.abc import Mapping, Sequence

from attnfocus.visible import visible


def shorten(text: str, max_cells: int) -> str:
    """The text, or its beginning and `…`, in at most `max_cells` columns of a terminal."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= max_cells else set_cell_size(text, max_cells - 1).rstrip(" ") + "…"


def number(value: float) -> str:
    """About four significant digits: `0.4321`, `31.24`, `12,345`, `3.00e-06`; an int as it is: `5,000`."""
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return str(float(value))
    size = abs(value)
    if size != 0 and (size < 0.001 or size >= 1e9):
        return f"{value:.2e}"
    digits = 4 if size < 1 else 3 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0
    return f"{value:,.{digits}f}"


def duration(seconds: float | None) -> str:
    """`8 s`, `2 min 5 s`, `3 h 20 min`, `2 d 4 h`; a dash where it is unknown."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return "-"
    total = round(seconds)
    for size, unit, part_size, part_unit in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if total >= size:
            rest = total % size // part_size
            return f"{total // size} {unit}" + (f" {rest} {part_unit}" if rest else "")
    return f"{total} s" if total or seconds == 0 else "< 1 s"


def metric_name(name: str) -> str:
    """`exact_match` as people read it: `exact match`."""
    return visible(name).replace("_", " ")


def short_key(key: str, keys: Sequence[str]) -> str:
    """The last part of a dotted key where that is unambiguous among the keys."""
    last = key.rsplit(".", 1)[-1]
    return key if sum(other.rsplit(".", 1)[-1] == last for other in keys) > 1 else last


def focus_phrase(metrics: Mapping[str, float], unit: str = " positions") -> str | None:
    """`3.1 of 14.0 positions` from the metrics of an evaluation, None when they do not hold it."""
    used = metrics.get("focus/effective_positions")
    if used is None or not math.isfinite(used):
        return None
    available = metrics.get("focus/positions")
    return f"{used:.1f}{unit}" if available is None else f"{used:.1f} of {available:.1f}{unit}"
