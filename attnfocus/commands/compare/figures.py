"""Configurations side by side as a figure: for each section a row of panels, one for each metric."""

from collections.abc import Sequence
from typing import Any

from attnfocus.commands.compare.table import TRUST, Row, Section, shown_metrics
from attnfocus.display import fonts
from attnfocus.display.figures import DPI
from attnfocus.display.text import metric_name, shorten

# fonts comes first: it keeps matplotlib quiet while it looks for its fonts.
from matplotlib.axes import Axes  # isort: skip
from matplotlib.figure import Figure  # isort: skip
from attnfocus.commands.compare.table import FAITHFULNESS, FOCUS

MAX_PANELS = 3  # metrics of a section
MAX_ROWS = 40  # configurations of a section
MAX_LABEL_CELLS = 44
# Blue and vermillion are told apart with any color vision (Okabe & Ito 2008); their shapes differ too.
BASELINE_COLOR, COLOR, SEED_COLOR = "#d55e00", "#0072b2", "#999999"

# All lengths below are in inches.
_PANEL_WIDTH, _ROW_HEIGHT, _AROUND = 3.1, 0.3, 0.95
_CELL = 0.085  # of a label


def draw_comparison(sections: Sequence[Section]) -> Figure:
    """Means with error bars of one sample standard deviation over the seeds, and each run as a small gray circle."""
    heights = [_AROUND + _ROW_HEIGHT * min(len(section.rows), MAX_ROWS) for section in sections]
    across = max(1, *(len(_panels(section)) for section in sections))
    labels = [row.name for section in sections for row in section.rows]
    left = _CELL * min(MAX_LABEL_CELLS, max(map(len, labels))) + 0.2
    size = (left + _PANEL_WIDTH * across, sum(heights) + 0.3)
    figure = Figure(figsize=size, dpi=DPI, facecolor="white", layout="constrained")
    figure.suptitle("mean ± standard deviation over seeds", fontsize=8, color="#333333")
    grid = figure.add_gridspec(len(sections), across, height_ratios=heights)
    for index, section in enumerate(sections):
        first: Axes | None = None
        for column, metric in enumerate(_panels(section)):
            axes = figure.add_subplot(grid[index, column], sharey=first)
            _draw_panel(axes, section.rows[:MAX_ROWS], metric)
            if first is None:
                first = axes
                _label(axes, section)
            else:
                axes.tick_params(labelleft=False)
    return figure


def _panels(section: Section) -> list[str]:
    return [metric for metric in shown_metrics(section) if metric not in TRUST][:MAX_PANELS]


def _draw_panel(axes: Axes, rows: Sequence[Row], metric: str) -> None:
    for place, row in enumerate(rows):
        spread = row.spread(metric)
        if spread is None:
            continue
        axes.plot(row.values[metric], [place] * spread.count, "o", color=SEED_COLOR, markersize=4, fillstyle="none")
        axes.errorbar(
            spread.mean,
            place,
            xerr=spread.deviation,
            fmt="D" if place == 0 else "o",
            color=BASELINE_COLOR if place == 0 else COLOR,
            markersize=5,
            capsize=3,
            linewidth=1.2,
        )
    axes.set_ylim(len(rows) - 0.5, -0.5)  # the first row is at the top
    axes.set_xlabel(metric_name(metric.replace("/", " ")), fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(True, axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def _label(axes: Axes, section: Section) -> None:
    """The names of the rows and the section's title, in fonts that have their characters; the first is the baseline."""
    names = [row.name for row in section.rows[:MAX_ROWS]]
    families = fonts.families_for([*names, section.title])
    shown = [shorten(fonts.written(name, families), MAX_LABEL_CELLS) for name in names]
    axes.set_yticks(range(len(names)), shown, fontfamily=families, parse_math=False)
    left_out = len(section.rows) - len(names)
    title = section.title + (f" (first {len(names)} of {len(section.rows)})" if left_out else "")
    text: dict[str, Any] = {"fontfamily": families, "parse_math": False, "fontsize": 9}
    axes.set_title(fonts.written(title, families), loc="left", **text)


MAX_POINTS = 40  # configurations of a section
PANELS = {FAITHFULNESS: "faithfulness: gain over chance", FOCUS: "focus: effective positions"}  # x axes
_WIDTH, _HEIGHT = 4.2, 3.2  # of a panel, in inches


def draw_trust(sections: Sequence[Section]) -> Figure | None:
    """The monitored test metric (up) over faithfulness and over focus; a point is the mean of a configuration's runs.

    None if no section has two configurations that can be placed.
    """
    shown = [section for section in sections if len(_points(section, FAITHFULNESS)) > 1]
    if not shown:
        return None
    figure = Figure(figsize=(_WIDTH * 2, _HEIGHT * len(shown)), dpi=DPI, facecolor="white", layout="constrained")
    for index, section in enumerate(shown):
        first = figure.add_subplot(len(shown), 2, 2 * index + 1)
        _draw(first, section, FAITHFULNESS)
        families = fonts.families_for([section.title])
        title = fonts.written(section.title, families)
        first.set_title(title, loc="left", fontsize=9, fontfamily=families, parse_math=False)
        _draw(figure.add_subplot(len(shown), 2, 2 * index + 2, sharey=first), section, FOCUS)
    return figure


def _points(section: Section, metric: str) -> list[tuple[int, str, float, float]]:
    """Number of the row, name, x and y of the configurations that have both."""
    found = []
    for number, row in enumerate(section.rows[:MAX_POINTS]):
        across, up = row.spread(metric), row.spread(f"test/{section.monitor}")
        if across is not None and up is not None:
            found.append((number, row.name, across.mean, up.mean))
    return found


def _draw(axes: Axes, section: Section, metric: str) -> None:
    for number, name, across, up in _points(section, metric):
        marker, color = ("D", BASELINE_COLOR) if number == 0 else ("o", COLOR)
        axes.plot([across], [up], marker, color=color, markersize=6)
        families = fonts.families_for([name])
        label = shorten(fonts.written(name, families), MAX_LABEL_CELLS)
        place: dict[str, Any] = {"xytext": (6, 3), "textcoords": "offset points"}
        axes.annotate(label, (across, up), **place, fontsize=7, fontfamily=families, parse_math=False)
    axes.set_xlabel(PANELS[metric], fontsize=8)
    axes.set_ylabel(metric_name(f"test {section.monitor}"), fontsize=8)
    axes.margins(0.25)
    axes.tick_params(labelsize=8)
    axes.grid(True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
