"""What attentions cost, side by side: curves over the length in logarithmic axes."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from attnfocus.commands.bench.costs import MIB, Cost, are_of_decoding, peaks_of, times_of
from attnfocus.commands.bench.growth import growth_of
from attnfocus.display import fonts
from attnfocus.display.canvas import GRID, HEADING, NOTE, SCREEN, SERIES, Style, axes_figure
from attnfocus.display.drawings import Drawing

# fonts comes first: it keeps matplotlib quiet while it looks for its fonts.
from matplotlib.axes import Axes  # isort: skip
from matplotlib.figure import Figure  # isort: skip

Panel = tuple[str, str, Callable[[Sequence[Cost], str], dict[int, float]], float]  # name, of growth, values, unit
PANELS: tuple[Panel, ...] = (
    ("seconds, forward and backward; bars: quartiles", "seconds", times_of, 1.0),
    ("peak MiB", "bytes", peaks_of, MIB),
)
PANELS_OF_DECODING: tuple[Panel, ...] = (
    ("seconds, one step of decoding; bars: quartiles", "seconds", times_of, 1.0),
    ("MiB kept", "bytes", peaks_of, MIB),
)
_MARKERS = "osv^D<>PX*"
_PANEL, _HEIGHT, _PAPER_HEIGHT, _LEGEND_LINE = 5.2, 4.4, 2.7, 0.17  # inches


def costs_drawing(costs: Sequence[Cost], facts: Mapping[str, object]) -> Drawing:
    """As `draw_costs`, with its caption."""
    title = "  ".join(f"{name} {value}" for name, value in facts.items())
    is_decoding = are_of_decoding(costs)
    what = "one step of decoding after so many positions" if is_decoding else "forward and backward together"
    memory = "what is kept of the positions so far" if is_decoding else "the most beyond parameters and inputs"
    lines = [
        f"Medians of {what} over the length, in logarithmic axes; bars go from the lower to the upper quartile. "
        f"MiB: {memory}.",
        f"{', '.join(f'{name} {value}' for name, value in facts.items())}.",
    ]
    for name, what, _, _ in _panels(costs):
        found = {each: text for each in _attentions(costs) if (text := _growth_text(costs, each, what))}
        if found:
            grows = "; ".join(f"{each}: {text}" for each, text in found.items())
            lines.append(f"{name.partition(',')[0]} grow as {grows} (exponent, 95 % interval).")
    return Drawing("bench", partial(draw_costs, costs, title), "\n".join(lines), is_wide=len(_panels(costs)) > 1)


def _panels(costs: Sequence[Cost]) -> tuple[Panel, ...]:
    """Seconds, and bytes where they are known."""
    panels = PANELS_OF_DECODING if are_of_decoding(costs) else PANELS
    return panels if any(cost.bytes for cost in costs) else panels[:1]


def _attentions(costs: Sequence[Cost]) -> list[str]:
    return list(dict.fromkeys(cost.attention for cost in costs))


def _growth_text(costs: Sequence[Cost], attention: str, what: str) -> str:
    found = growth_of(costs, attention, what)
    return "" if found is None else found.text()


def draw_costs(costs: Sequence[Cost], title: str, style: Style = SCREEN) -> Figure:
    """Panels over the length, both axes logarithmic. On paper the caption has the title, and how costs grow."""
    panels = _panels(costs)
    down, across = (len(panels), 1) if style.is_column else (1, len(panels))
    height = _HEIGHT + _LEGEND_LINE * len(_attentions(costs)) if style.is_screen else _PAPER_HEIGHT
    figure = axes_figure(_PANEL * across, height * down, style)
    if style.is_screen:
        families = fonts.families_for([title])
        figure.suptitle(title, fontsize=style.title, color=HEADING, parse_math=False, fontfamily=families)
    for index, panel in enumerate(panels):
        axes = figure.add_subplot(down, across, index + 1)
        _draw_panel(axes, costs, panel, style)
        if style.is_screen:
            below = (0.5, -0.1)  # the axes, as many attentions leave no room among their lines
            axes.legend(fontsize=style.small, frameon=False, loc="upper center", bbox_to_anchor=below)
    if not style.is_screen:
        handles, labels = figure.axes[0].get_legend_handles_labels()
        across = 2 if style.is_column else 4
        figure.legend(handles, labels, fontsize=style.small, frameon=False, ncols=across, loc="outside lower center")
    return figure


def _draw_panel(axes: Axes, costs: Sequence[Cost], panel: Panel, style: Style) -> None:
    quantity, what, values_of, unit = panel
    for place, attention in enumerate(_attentions(costs)):
        text = _growth_text(costs, attention, what) if style.is_screen else ""
        label = f"{attention}: grows as {text}" if text else attention
        values = values_of(costs, attention)
        _draw_line(axes, label, place, {length: value / unit for length, value in values.items()})
        if what == "seconds":
            _draw_quartiles(axes, [cost for cost in costs if cost.attention == attention], place)
    lengths = sorted({cost.length for cost in costs})
    axes.set(xscale="log", yscale="log")
    axes.set_xlabel("length", fontsize=style.points)
    axes.set_ylabel(quantity if style.is_screen else quantity.partition(",")[0], fontsize=style.points)
    axes.set_xticks(lengths, [str(length) for length in lengths])
    axes.set_xticks([], minor=True)
    axes.tick_params(labelsize=style.points, which="both")
    axes.grid(True, which="major", color=GRID, linewidth=0.6)


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
    """Bars from the lower to the upper quartile."""
    known = [(cost.length, *cost.quartiles) for cost in costs if cost.quartiles is not None]
    if known:
        lengths, low, high = zip(*known, strict=True)
        color, _ = _style(costs[0].attention, place)
        axes.vlines(lengths, low, high, color=color, alpha=0.5, linewidth=3)
