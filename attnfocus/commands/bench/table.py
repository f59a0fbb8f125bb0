"""What attentions cost, side by side: a CSV, a table, and curves over the length in logarithmic axes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from attnfocus.display import fonts
from attnfocus.display.console import say
from attnfocus.display.figures import DPI
from attnfocus.display.tables import aligned
from attnfocus.display.text import number
from attnfocus.files import csv_text
from attnfocus.regular_files import replace_file

# fonts comes first: it keeps matplotlib quiet while it looks for its fonts.
from matplotlib.axes import Axes  # isort: skip
from matplotlib.figure import Figure  # isort: skip

MIB = 2**20
COLUMNS = ("attention", "path", "length", "forward_seconds", "backward_seconds", "peak_bytes", "problem")
_MARKERS = "osv^D<>PX*"


@dataclass(frozen=True)
class Cost:
    """One attention at one length; `problem` says why there are no numbers."""

    attention: str
    length: int
    path: str = ""
    forward_seconds: float | None = None
    backward_seconds: float | None = None
    peak_bytes: int | None = None
    problem: str | None = None

    @property
    def seconds(self) -> float | None:
        if self.forward_seconds is None or self.backward_seconds is None:
            return None
        return self.forward_seconds + self.backward_seconds


def growth(values: Mapping[int, float]) -> float | None:
    """The exponent p of value = c length^p, by least squares in the logarithms; None for fewer than two lengths."""
    points = [(math.log(length), math.log(value)) for length, value in values.items() if value > 0]
    if len(points) < 2:
        return None
    mean_x, mean_y = (sum(axis) / len(points) for axis in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def times_of(costs: Sequence[Cost], attention: str) -> dict[int, float]:
    """Length -> seconds, forward and backward together."""
    return {cost.length: cost.seconds for cost in costs if cost.attention == attention and cost.seconds is not None}


def peaks_of(costs: Sequence[Cost], attention: str) -> dict[int, float]:
    """Length -> bytes."""
    return {
        cost.length: float(cost.peak_bytes)
        for cost in costs
        if cost.attention == attention and cost.peak_bytes is not None
    }


def write_costs_csv(path: Path, costs: Sequence[Cost], facts: Mapping[str, object]) -> None:
    """A row for each attention and length; `facts` (batch size, heads, device, ...) are alike in all rows."""
    rows: list[list[object]] = [[*COLUMNS[:-1], *facts, COLUMNS[-1]]]
    for cost in costs:
        row = asdict(cost)
        rows.append([*(row[name] for name in COLUMNS[:-1]), *facts.values(), cost.problem])
    replace_file(path, csv_text(rows).encode("utf-8", "backslashreplace"))


def print_costs(console: Console, costs: Sequence[Cost]) -> None:
    """Milliseconds, then MiB, each with how they grow; then what could not be measured, and why."""
    for title, unit, values_of in (
        ("milliseconds, forward and backward", 1e-3, times_of),
        ("peak MiB, beyond parameters and inputs", MIB, peaks_of),
    ):
        rows = _rows(costs, unit, values_of)
        if len(rows) > 1:
            say(console, f"\n{title}", style="bold")
            for index, line in enumerate(aligned(rows, num_left=2)):
                say(console, line, style="dim" if index == 0 else "", wrap=False)
    missing = [cost for cost in costs if cost.problem is not None]
    if missing:
        say(console, "\nnot measured", style="bold")
    for cost in missing:
        say(console, f"{cost.attention} at {cost.length}: {cost.problem}", style="yellow")


def _rows(costs: Sequence[Cost], unit: float, values_of: object) -> list[list[str]]:
    lengths = sorted({cost.length for cost in costs})
    rows = [["", "path", *map(str, lengths), "grows as"]]
    for attention in dict.fromkeys(cost.attention for cost in costs):
        values: dict[int, float] = values_of(costs, attention)  # type: ignore[operator]
        if not values:
            continue
        paths = dict.fromkeys(cost.path for cost in costs if cost.attention == attention and cost.length in values)
        exponent = growth(values)
        cells = [number(values[length] / unit) if length in values else "-" for length in lengths]
        rows.append([attention, ", ".join(paths), *cells, "" if exponent is None else f"length^{exponent:.2f}"])
    return rows


def draw_costs(costs: Sequence[Cost], title: str) -> Figure:
    """Two panels over the length, both axes logarithmic: seconds, and bytes where they are known."""
    panels = [("seconds, forward and backward", times_of), ("peak MiB", peaks_of)]
    if not any(cost.peak_bytes for cost in costs):
        panels = panels[:1]
    attentions = list(dict.fromkeys(cost.attention for cost in costs))
    figure = Figure(figsize=(5.2 * len(panels), 4.4), dpi=DPI, facecolor="white", layout="constrained")
    figure.suptitle(title, fontsize=9, color="#333333", parse_math=False, fontfamily=fonts.families_for([title]))
    for index, (label, values_of) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), index + 1)
        for place, attention in enumerate(attentions):
            values = values_of(costs, attention)
            scale = 1.0 if index == 0 else MIB
            _draw_line(axes, attention, place, {length: value / scale for length, value in values.items()})
        lengths = sorted({cost.length for cost in costs})
        axes.set(xscale="log", yscale="log", xlabel="length", ylabel=label)
        axes.set_xticks(lengths, [str(length) for length in lengths])
        axes.set_xticks([], minor=True)
        axes.grid(True, which="major", color="#dddddd", linewidth=0.6)
        axes.legend(fontsize=7, frameon=False)
    return figure


def _draw_line(axes: Axes, attention: str, place: int, values: Mapping[int, float]) -> None:
    if not values:
        return
    exponent = growth(values)
    label = attention if exponent is None else f"{attention}  {exponent:.2f}"
    is_bare = place == 0 and attention == "baseline"
    axes.plot(
        list(values),
        list(values.values()),
        label=label,
        color="#777777" if is_bare else f"C{(place + 9) % 10}",
        linestyle="--" if is_bare else "-",
        marker=_MARKERS[place % len(_MARKERS)],
        markersize=4,
        linewidth=1.2,
    )
