"""Quality against focus against faithfulness: for each section that has the three a row of two panels."""

from collections.abc import Sequence
from typing import Any

from attnfocus.report import fonts
from attnfocus.report.comparison import FAITHFULNESS, FOCUS, Section
from attnfocus.report.comparison_figure import BASELINE_COLOR, COLOR, MAX_LABEL_CELLS
from attnfocus.report.figures import DPI
from attnfocus.report.text import metric_name, shorten

# fonts comes first: it keeps matplotlib quiet while it looks for its fonts.
from matplotlib.axes import Axes  # isort: skip
from matplotlib.figure import Figure  # isort: skip

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
