"""Configurations side by side as a figure: for each section a row of panels, one for each metric."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from rich.cells import cell_len

from attnfocus.commands.compare.sections import (
    COSTS,
    FAITHFULNESS,
    FOCUS,
    TRUST,
    Row,
    Section,
    direction_of,
    name_of,
    shown_metrics,
)
from attnfocus.display import fonts
from attnfocus.display.canvas import GRID, HEADING, SCREEN, SERIES, Style, axes_figure
from attnfocus.display.drawings import Drawing
from attnfocus.display.text import metric_name

# fonts comes first: it keeps matplotlib quiet while it looks for its fonts.
from matplotlib.axes import Axes  # isort: skip
from matplotlib.figure import Figure  # isort: skip

MAX_PANELS = 3  # metrics of a section
MAX_ROWS = 40  # configurations of a section
MAX_LABEL_CELLS = 44
PAPER_CELLS = {True: 18, False: 26}  # of labels in a column, in a page
MAX_LABEL_LINES = 6  # what is longer than these is cut
BETTER = {"max": ", more is better", "min": ", less is better", "": ""}
# Blue and vermillion are told apart with any color vision; their shapes differ too.
COLOR, BASELINE_COLOR = SERIES[:2]
SEED_COLOR = "#999999"

# All lengths below are in inches.
_PANEL_WIDTH, _ROW_HEIGHT, _AROUND = 3.1, 0.3, 0.95
_CELL, _LINE = 0.085, 0.17  # of a label


def drawings_of(sections: Sequence[Section]) -> list[Drawing]:
    """The comparison, and quality over trust where that was measured."""
    is_wide = any(len(_panels(section)) > 1 for section in sections)
    found = [Drawing("compare", partial(draw_comparison, sections), _caption(sections), is_wide)]
    if any(_is_trusted(section) for section in sections):
        found.append(Drawing("faithfulness", partial(draw_trust, sections), _trust_caption(sections), is_wide=True))
    return found


def _caption(sections: Sequence[Section]) -> str:
    lines = [
        "Mean over the seeds of each configuration, with a bar of one sample standard deviation; each run is a gray "
        "circle. The first configuration, the baseline, is a diamond."
    ]
    for section in sections:
        runs = sum(len(row.seeds) for row in section.rows)
        metrics = "; ".join(name_of(metric) + BETTER[direction_of(section, metric)] for metric in _panels(section))
        lines.append(f"{section.title}: {runs} runs of {len(section.rows)} configurations. {metrics}.")
        lines.append(f"Baseline: {section.rows[0].name}.")
    return "\n".join(lines)


def draw_comparison(sections: Sequence[Section], style: Style = SCREEN) -> Figure:
    """Means with error bars of one sample standard deviation over the seeds, and each run as a small gray circle.

    In a column the panels of a section are below one another.
    """
    labels = [_labels_of(section, style) for section in sections]
    lines = [max((label.count("\n") + 1 for label in each), default=1) for each in labels]
    rows = [max(_ROW_HEIGHT, _LINE * count) * len(each) for count, each in zip(lines, labels, strict=True)]
    across = 1 if style.is_column else max(1, *(len(_panels(section)) for section in sections))
    down = [max(1, len(_panels(section))) if style.is_column else 1 for section in sections]
    heights = [_AROUND + row for row, count in zip(rows, down, strict=True) for _ in range(count)]
    longest = max(cell_len(line) for each in labels for label in each for line in label.split("\n"))
    figure = axes_figure(_CELL * longest + 0.2 + _PANEL_WIDTH * across, sum(heights) + 0.3, style)
    if style.is_screen:
        figure.suptitle("mean ± standard deviation over seeds", fontsize=style.points, color=HEADING)
    grid = figure.add_gridspec(len(heights), across, height_ratios=heights)
    for index, section in enumerate(sections):
        first: Axes | None = None
        for place, metric in enumerate(_panels(section)):
            row, column = sum(down[:index]) + place // across, place % across
            axes = figure.add_subplot(grid[row, column], sharey=first)
            _draw_panel(axes, section, metric, style)
            if column == 0:
                _label(axes, section, labels[index], style, with_title=place == 0)
            else:
                axes.tick_params(labelleft=False)
            first = first or axes
    return figure


def _labels_of(section: Section, style: Style) -> list[str]:
    cells = MAX_LABEL_CELLS if style.is_screen else PAPER_CELLS[style.is_column]
    return [wrapped(row.name, cells) for row in section.rows[:MAX_ROWS]]


def wrapped(name: str, cells: int = MAX_LABEL_CELLS) -> str:
    """The whole name in lines of at most so many cells, broken between keys where that is possible."""
    lines = [""]
    for part in name.replace("\n", " ").split(", "):
        joined = f"{lines[-1]}, {part}" if lines[-1] else part
        if cell_len(joined) <= cells:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines[-1] += ","
            lines.append("")
        for character in part:
            if cell_len(lines[-1] + character) > cells:
                lines.append("")
            lines[-1] += character
    cut = [*lines[: MAX_LABEL_LINES - 1], "…"] if len(lines) > MAX_LABEL_LINES else lines
    return "\n".join(cut)


def _panels(section: Section) -> list[str]:
    left_out = {*TRUST, *COSTS}
    return [metric for metric in shown_metrics(section) if metric not in left_out][:MAX_PANELS]


def _draw_panel(axes: Axes, section: Section, metric: str, style: Style) -> None:
    rows: Sequence[Row] = section.rows[:MAX_ROWS]
    spreads = {place: spread for place, row in enumerate(rows) if (spread := row.spread(metric)) is not None}
    runs = [(value, place) for place in spreads for value in rows[place].values[metric]]
    if runs:
        axes.plot(*zip(*runs, strict=True), "o", color=SEED_COLOR, ms=4, fillstyle="none", clip_on=False)
    is_share = section.is_share(metric)
    groups: dict[tuple[bool, bool], list[tuple[float, int, float]]] = {}  # a call for each row would take seconds
    for place, spread in spreads.items():
        is_clipped = not is_share or bool(spread.deviation)
        deviation = math.nan if spread.deviation is None else spread.deviation
        groups.setdefault((place == 0, is_clipped), []).append((spread.mean, place, deviation))
    for (is_baseline, is_clipped), points in groups.items():
        means, places, deviations = zip(*points, strict=True)
        axes.errorbar(
            means,
            places,
            xerr=deviations,
            fmt="D" if is_baseline else "o",
            color=BASELINE_COLOR if is_baseline else COLOR,
            markersize=5,
            capsize=3,
            linewidth=1.2,
            clip_on=is_clipped,
        )
    axes.set_ylim(len(rows) - 0.5, -0.5)  # the first row is at the top
    if section.is_share(metric):
        low, high = axes.get_xlim()
        axes.set_xlim(max(low, 0.0), min(high, 1.0))
    axes.set_xlabel(
        metric_name(metric.replace("/", " ")) + BETTER[direction_of(section, metric)], fontsize=style.points
    )
    axes.tick_params(labelsize=style.points)
    axes.grid(True, axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def _label(axes: Axes, section: Section, labels: Sequence[str], style: Style, with_title: bool) -> None:
    """The names of the rows and the section's title, in fonts that have their characters; the first is the baseline."""
    families = fonts.families_for([*labels, section.title])
    shown = ["\n".join(fonts.written(line, families) for line in label.split("\n")) for label in labels]
    axes.set_yticks(range(len(labels)), shown, fontfamily=families, parse_math=False)
    if not with_title:
        return
    left_out = len(section.rows) - len(labels)
    title = section.title + (f" (first {len(labels)} of {len(section.rows)})" if left_out else "")
    text: dict[str, Any] = {"fontfamily": families, "parse_math": False, "fontsize": style.title}
    axes.set_title(fonts.written(title, families), loc="left", **text)


MAX_POINTS = 40  # configurations of a section
LEGEND_CELLS = 120  # of a line below the panels, on a screen
PANELS = {  # x axes
    FAITHFULNESS: "faithfulness: skill of the weights, more is better",
    FOCUS: "focus: effective positions",
}
_WIDTH, _HEIGHT = 4.2, 3.2  # of a panel, in inches


def _is_trusted(section: Section) -> bool:
    """Whether two configurations or more can be placed."""
    return len(_points(section, FAITHFULNESS)) > 1


def _trust_caption(sections: Sequence[Section]) -> str:
    lines = [
        "The monitored test metric over faithfulness and over focus; a point is the mean of a configuration's runs."
    ]
    lines += [f"{each.title}:\n{_legend_of(each, LEGEND_CELLS)}" for each in sections if _is_trusted(each)]
    return "\n".join(lines)


def draw_trust(sections: Sequence[Section], style: Style = SCREEN) -> Figure:
    """The monitored test metric (up) over faithfulness and over focus; a point is the mean of a configuration's runs.

    Of those sections where two configurations or more can be placed. In a column the two are below one another.
    """
    shown = [section for section in sections if _is_trusted(section)]
    cells = LEGEND_CELLS if style.is_screen else style.cells
    names = [_legend_of(section, cells) for section in shown]
    across = 1 if style.is_column else 2
    panels = [_HEIGHT] * (2 // across)
    heights = [part for text in names for part in (*panels, _LINE * (text.count("\n") + 1))]
    figure = axes_figure(_WIDTH * 2, sum(heights), style)
    grid = figure.add_gridspec(len(heights), across, height_ratios=heights)
    for index, section in enumerate(shown):
        row = index * (len(panels) + 1)
        first = figure.add_subplot(grid[row, 0])
        _draw(first, section, FAITHFULNESS, style)
        families = fonts.families_for([section.title])
        title = fonts.written(section.title, families)
        first.set_title(title, loc="left", fontsize=style.title, fontfamily=families, parse_math=False)
        second = grid[row, 1] if across > 1 else grid[row + 1, 0]
        _draw(figure.add_subplot(second, sharey=first), section, FOCUS, style)
        below = figure.add_subplot(grid[row + len(panels), :])
        below.set_axis_off()
        families = fonts.families_for([names[index]])
        lines = "\n".join(fonts.written(line, families) for line in names[index].split("\n"))
        text: dict[str, Any] = {"fontfamily": families, "parse_math": False, "fontsize": style.points}
        below.text(0.0, 1.0, lines, va="top", transform=below.transAxes, **text)
    return figure


def _legend_of(section: Section, cells: int) -> str:
    """What the numbers at the points mean: the whole names, in lines of so many cells."""
    points = {number: (name, count) for number, name, _, _, count in _points(section, FAITHFULNESS)}
    lines = [
        f"{number + 1}{' (baseline)' if number == 0 else ''}  {wrapped(name).replace(chr(10), ' ')}  ({count})"
        for number, (name, count) in points.items()
    ]
    return "\n".join(wrapped(line, cells) for line in lines)


def _points(section: Section, metric: str) -> list[tuple[int, str, float, float, str]]:
    """Number of the row, name, x and y of the configurations that have both, and how many runs x comes from."""
    found = []
    for number, row in enumerate(section.rows[:MAX_POINTS]):
        across, up = row.spread(metric), row.spread(f"test/{section.monitor}")
        if across is not None and up is not None:
            of_all = f"{across.count} of {len(row.seeds)} runs tested for faithfulness"
            found.append((number, row.name, across.mean, up.mean, of_all))
    return found


def _draw(axes: Axes, section: Section, metric: str, style: Style) -> None:
    for number, _, across, up, _ in _points(section, metric):
        marker, color = ("D", BASELINE_COLOR) if number == 0 else ("o", COLOR)
        axes.plot([across], [up], marker, color=color, markersize=6)
        axes.annotate(f"{number + 1}", (across, up), xytext=(6, 3), textcoords="offset points", fontsize=style.points)
    axes.set_xlabel(PANELS[metric], fontsize=style.points)
    label = metric_name(f"test {section.monitor}") + BETTER[direction_of(section, f"test/{section.monitor}")]
    axes.set_ylabel(label, fontsize=style.points)
    axes.margins(0.25)
    if section.is_share(f"test/{section.monitor}"):
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, 0.0), min(high, 1.0))
    axes.tick_params(labelsize=style.points)
    axes.grid(True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
