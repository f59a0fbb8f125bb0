"""What attentions cost, side by side: a table, and curves over the length in logarithmic axes."""

from collections.abc import Mapping, Sequence

from rich.console import Console

from attnfocus.commands.bench.costs import Cost, peaks_of, times_of
from attnfocus.commands.bench.growth import growth, growth_of
from attnfocus.display import fonts
from attnfocus.display.canvas import DPI, GRID, HEADING, NOTE, SERIES
from attnfocus.display.console import say
from attnfocus.display.tables import aligned
from attnfocus.display.text import number

# fonts comes first: it keeps matplotlib quiet while it looks for its fonts.
from matplotlib.axes import Axes  # isort: skip
from matplotlib.figure import Figure  # isort: skip

MIB = 2**20
LEGEND = (
    "medians of forward and backward together, with their quartiles in parentheses. Grows as: the exponent by least "
    "squares in the logarithms and its 95 % interval; left out where that is wider than 0.5 to a side, or there are "
    "fewer than three lengths"
)
_MARKERS = "osv^D<>PX*"


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
    if any(cost.seconds is not None for cost in costs):
        say(console, f"\n{LEGEND}.", style="dim")
    missing = [cost for cost in costs if cost.problem is not None]
    if missing:
        say(console, "\nnot measured", style="bold")
    for cost in missing:
        say(console, f"{cost.attention} at {cost.length}: {cost.problem}", style="yellow")


def _rows(costs: Sequence[Cost], unit: float, values_of: object) -> list[list[str]]:
    lengths = sorted({cost.length for cost in costs})
    rows = [["", "path", *map(str, lengths), "grows as"]]
    spreads = {(cost.attention, cost.length): cost.quartiles for cost in costs} if values_of is times_of else {}
    for attention in dict.fromkeys(cost.attention for cost in costs):
        values: dict[int, float] = values_of(costs, attention)  # type: ignore[operator]
        if not values:
            continue
        paths = dict.fromkeys(cost.path for cost in costs if cost.attention == attention and cost.length in values)
        found = growth(values)
        cells = [_cell(values.get(length), spreads.get((attention, length)), unit) for length in lengths]
        rows.append([attention, ", ".join(paths), *cells, "" if found is None else found.text()])
    return rows


def _cell(value: float | None, quartiles: tuple[float, float] | None, unit: float) -> str:
    if value is None:
        return "-"
    spread = "" if quartiles is None else f" ({number(quartiles[0] / unit)} to {number(quartiles[1] / unit)})"
    return f"{number(value / unit)}{spread}"


def draw_costs(costs: Sequence[Cost], title: str) -> Figure:
    """Two panels over the length, both axes logarithmic: seconds, and bytes where they are known."""
    panels = [("seconds, forward and backward; band: quartiles", times_of), ("peak MiB", peaks_of)]
    if not any(cost.peak_bytes for cost in costs):
        panels = panels[:1]
    attentions = list(dict.fromkeys(cost.attention for cost in costs))
    figure = Figure(figsize=(5.2 * len(panels), 4.4), dpi=DPI, facecolor="white", layout="constrained")
    figure.suptitle(title, fontsize=9, color=HEADING, parse_math=False, fontfamily=fonts.families_for([title]))
    for index, (quantity, values_of) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), index + 1)
        for place, attention in enumerate(attentions):
            values = values_of(costs, attention)
            scale = 1.0 if index == 0 else MIB
            found = growth_of(costs, attention, "seconds" if index == 0 else "bytes")
            label = attention if found is None or not found.is_sure else f"{attention}: grows as {found.text()}"
            _draw_line(axes, label, place, {length: value / scale for length, value in values.items()})
            if index == 0:
                _draw_quartiles(axes, [cost for cost in costs if cost.attention == attention], place)
        lengths = sorted({cost.length for cost in costs})
        axes.set(xscale="log", yscale="log", xlabel="length", ylabel=quantity)
        axes.set_xticks(lengths, [str(length) for length in lengths])
        axes.set_xticks([], minor=True)
        axes.grid(True, which="major", color=GRID, linewidth=0.6)
        axes.legend(fontsize=7, frameon=False)
    return figure


def _style(label: str, place: int) -> tuple[str, str]:
    """Color and dashes; the bare baseline, which comes first, is gray."""
    if place == 0 and label.startswith("baseline"):
        return NOTE, "--"
    return SERIES[(place - 1) % len(SERIES)], "-"


def _draw_line(axes: Axes, label: str, place: int, values: Mapping[int, float]) -> None:
    if not values:
        return
    color, dashes = _style(label, place)
    axes.plot(
        list(values),
        list(values.values()),
        label=label,
        color=color,
        linestyle=dashes,
        marker=_MARKERS[place % len(_MARKERS)],
        markersize=4,
        linewidth=1.2,
    )


def _draw_quartiles(axes: Axes, costs: Sequence[Cost], place: int) -> None:
    """A band from the lower to the upper quartile."""
    known = [(cost.length, *cost.quartiles) for cost in costs if cost.quartiles is not None]
    if known:
        lengths, low, high = zip(*known, strict=True)
        color, _ = _style(costs[0].attention, place)
        axes.fill_between(lengths, low, high, color=color, alpha=0.2, linewidth=0)
