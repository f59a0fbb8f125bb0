"""Configurations side by side as a figure: for each section a row of panels, one for each metric."""

import math
from collections.abc import Sequence
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
    shown_metrics,
)
from attnfocus.display import fonts
from attnfocus.display.canvas import DPI, GRID, HEADING, SERIES
from attnfocus.display.text import metric_name

# fonts comes first: it keeps matplotlib quiet while it looks for its fonts.
from matplotlib.axes import Axes  # isort: skip
from matplotlib.figure import Figure  # isort: skip

MAX_PANELS = 3  # metrics of a section
MAX_ROWS = 40  # configurations of a section
MAX_LABEL_CELLS = 44
MAX_LABEL_LINES = 6  # what is longer than these is cut
BETTER = {"max": ", more is better", "min": ", less is better", "": ""}
# Blue and vermillion are told apart with any color vision; their shapes differ too.
COLOR, BASELINE_COLOR = SERIES[:2]
SEED_COLOR = "#999999"

# All lengths below are in inches.
_PANEL_WIDTH, _ROW_HEIGHT, _AROUND = 3.1, 0.3, 0.95
_CELL, _LINE = 0.085, 0.17  # of a label


def draw_comparison(sections: Sequence[Section]) -> Figure:
    """Means with error bars of one sample standard deviation over the seeds, and each run as a small gray circle."""
    labels = [_labels_of(section) for section in sections]
    lines = [max((label.count("\n") + 1 for label in each), default=1) for each in labels]
    rows = [max(_ROW_HEIGHT, _LINE * count) * len(each) for count, each in zip(lines, labels, strict=True)]
    heights = [_AROUND + row for row in rows]
    across = max(1, *(len(_panels(section)) for section in sections))
    longest = max(cell_len(line) for each in labels for label in each for line in label.split("\n"))
    size = (_CELL * longest + 0.2 + _PANEL_WIDTH * across, sum(heights) + 0.3)
    figure = Figure(figsize=size, dpi=DPI, facecolor="white", layout="constrained")
    figure.suptitle("mean ± standard deviation over seeds", fontsize=8, color=HEADING)
    grid = figure.add_gridspec(len(sections), across, height_ratios=heights)
    for index, section in enumerate(sections):
        first: Axes | None = None
        for column, metric in enumerate(_panels(section)):
            axes = figure.add_subplot(grid[index, column], sharey=first)
            _draw_panel(axes, section, metric)
            if first is None:
                first = axes
                _label(axes, section, labels[index])
            else:
                axes.tick_params(labelleft=False)
    return figure


def _labels_of(section: Section) -> list[str]:
    return [wrapped(row.name) for row in section.rows[:MAX_ROWS]]


def wrapped(name: str) -> str:
    """The whole name in lines of at most `MAX_LABEL_CELLS`, broken between keys where that is possible."""
    lines = [""]
    for part in name.replace("\n", " ").split(", "):
        joined = f"{lines[-1]}, {part}" if lines[-1] else part
        if cell_len(joined) <= MAX_LABEL_CELLS:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines[-1] += ","
            lines.append("")
        for character in part:
            if cell_len(lines[-1] + character) > MAX_LABEL_CELLS:
                lines.append("")
            lines[-1] += character
    cut = [*lines[: MAX_LABEL_LINES - 1], "…"] if len(lines) > MAX_LABEL_LINES else lines
    return "\n".join(cut)


def _panels(section: Section) -> list[str]:
    left_out = {*TRUST, *COSTS}
    return [metric for metric in shown_metrics(section) if metric not in left_out][:MAX_PANELS]


def _draw_panel(axes: Axes, section: Section, metric: str) -> None:
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
    axes.set_xlabel(metric_name(metric.replace("/", " ")) + BETTER[direction_of(section, metric)], fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(True, axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def _label(axes: Axes, section: Section, labels: Sequence[str]) -> None:
    """The names of the rows and the section's title, in fonts that have their characters; the first is the baseline."""
    families = fonts.families_for([*labels, section.title])
    shown = ["\n".join(fonts.written(line, families) for line in label.split("\n")) for label in labels]
    axes.set_yticks(range(len(labels)), shown, fontfamily=families, parse_math=False)
    left_out = len(section.rows) - len(labels)
    title = section.title + (f" (first {len(labels)} of {len(section.rows)})" if left_out else "")
    text: dict[str, Any] = {"fontfamily": families, "parse_math": False, "fontsize": 9}
    axes.set_title(fonts.written(title, families), loc="left", **text)


MAX_POINTS = 40  # configurations of a section
PANELS = {  # x axes
    FAITHFULNESS: "faithfulness: gain over chance, more is better",
    FOCUS: "focus: effective positions",
}
_WIDTH, _HEIGHT = 4.2, 3.2  # of a panel, in inches


def draw_trust(sections: Sequence[Section]) -> Figure | None:
    """The monitored test metric (up) over faithfulness and over focus; a point is the mean of a configuration's runs.

    None if no section has two configurations that can be placed.
    """
    shown = [section for section in sections if len(_points(section, FAITHFULNESS)) > 1]
    if not shown:
        return None
    names = [_legend_of(section) for section in shown]
    heights = [_HEIGHT + _LINE * (text.count("\n") + 1) for text in names]
    figure = Figure(figsize=(_WIDTH * 2, sum(heights)), dpi=DPI, facecolor="white", layout="constrained")
    grid = figure.add_gridspec(2 * len(shown), 2, height_ratios=_alternating(heights))
    for index, section in enumerate(shown):
        first = figure.add_subplot(grid[2 * index, 0])
        _draw(first, section, FAITHFULNESS)
        families = fonts.families_for([section.title])
        title = fonts.written(section.title, families)
        first.set_title(title, loc="left", fontsize=9, fontfamily=families, parse_math=False)
        _draw(figure.add_subplot(grid[2 * index, 1], sharey=first), section, FOCUS)
        below = figure.add_subplot(grid[2 * index + 1, :])
        below.set_axis_off()
        families = fonts.families_for([names[index]])
        lines = "\n".join(fonts.written(line, families) for line in names[index].split("\n"))
        style: dict[str, Any] = {"fontfamily": families, "parse_math": False, "fontsize": 8}
        below.text(0.0, 1.0, lines, va="top", transform=below.transAxes, **style)
    return figure


def _legend_of(section: Section) -> str:
    """What the numbers at the points mean: the whole names, a line for each."""
    points = {number: (name, count) for number, name, _, _, count in _points(section, FAITHFULNESS)}
    return "\n".join(
        f"{number + 1}{' (baseline)' if number == 0 else ''}  {wrapped(name).replace(chr(10), ' ')}  ({count})"
        for number, (name, count) in points.items()
    )


def _alternating(heights: Sequence[float]) -> list[float]:
    """Of each section the height of its panels, and of the names below."""
    return [part for height in heights for part in (_HEIGHT, height - _HEIGHT)]


def _points(section: Section, metric: str) -> list[tuple[int, str, float, float, str]]:
    """Number of the row, name, x and y of the configurations that have both, and how many runs x comes from."""
    found = []
    for number, row in enumerate(section.rows[:MAX_POINTS]):
        across, up = row.spread(metric), row.spread(f"test/{section.monitor}")
        if across is not None and up is not None:
            of_all = f"{across.count} of {len(row.seeds)} runs tested for faithfulness"
            found.append((number, row.name, across.mean, up.mean, of_all))
    return found


def _draw(axes: Axes, section: Section, metric: str) -> None:
    for number, _, across, up, _ in _points(section, metric):
        marker, color = ("D", BASELINE_COLOR) if number == 0 else ("o", COLOR)
        axes.plot([across], [up], marker, color=color, markersize=6)
        axes.annotate(f"{number + 1}", (across, up), xytext=(6, 3), textcoords="offset points", fontsize=8)
    axes.set_xlabel(PANELS[metric], fontsize=8)
    label = metric_name(f"test {section.monitor}") + BETTER[direction_of(section, f"test/{section.monitor}")]
    axes.set_ylabel(label, fontsize=8)
    axes.margins(0.25)
    if section.is_share(f"test/{section.monitor}"):
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, 0.0), min(high, 1.0))
    axes.tick_params(labelsize=8)
    axes.grid(True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
