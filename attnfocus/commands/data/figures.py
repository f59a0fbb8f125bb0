"""The lengths of rows as histograms, and the classes as bars."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from attnfocus.commands.data.table import Look
from attnfocus.data.statistics import Lengths
from attnfocus.display import fonts
from attnfocus.display.canvas import HEADING, NOTE, SCREEN, SERIES, Style, axes_figure
from attnfocus.display.drawings import Drawing
from attnfocus.display.text import shorten
from attnfocus.runs.data_summary import by_size

# fonts comes first: it keeps matplotlib quiet while it looks for its fonts.
from matplotlib.axes import Axes  # isort: skip
from matplotlib.figure import Figure  # isort: skip
from matplotlib.ticker import MaxNLocator  # isort: skip

MAX_BARS = 40
MAX_BINS = 40
MAX_LABEL_CELLS, PAPER_LABEL_CELLS = 40, 22
FAR = 10  # times the length that 99 % have: then the axis is logarithmic
# Told apart with any color vision (Okabe & Ito 2008); the styles differ too.
STYLES: dict[str, dict[str, Any]] = {
    "train": {"color": SERIES[0]},
    "valid": {"color": SERIES[1], "linestyle": "--", "marker": "D"},
    "test": {"color": HEADING, "linestyle": ":", "marker": "o"},
}

# All lengths below are in inches.
_WIDTH, _PANEL, _PAPER_PANEL, _ROW, _AROUND = 6.4, 2.6, 1.9, 0.24, 1.0


def drawings_of(look: Look) -> list[Drawing]:
    """The lengths, and the classes where there are some."""
    train = look.statistics["train"]
    rows = ", ".join(f"{name} {split.num_rows:,}" for name, split in look.statistics.items())
    facts = "\n".join(f"{side}: {_facts_of(lengths)}." for side, lengths in train.lengths.items())
    caption = f"{look.name}: {look.unit} a row, as shares of the rows of each split ({rows}).\n{facts}"
    found = [Drawing("lengths", partial(draw_lengths, look), caption)]
    if train.classes:
        caption = f"{look.name}: classes, as shares of the rows of each split ({rows}).{_left_out(look)}"
        found.append(Drawing("classes", partial(draw_classes, look), caption.strip()))
    return found


def _facts_of(train: Lengths) -> str:
    usual = train.quantile(0.95)
    return f"train: median {train.median:,} (line), 95 % at most {usual:,} (dashes), longest {train.longest:,}"


def draw_lengths(look: Look, style: Style = SCREEN) -> Figure:
    """A panel for each side: the share of rows by length, train as bars, valid and test as lines."""
    sides = list(look.statistics["train"].lengths)
    panel = _PANEL if style.is_screen else _PAPER_PANEL
    figure = axes_figure(_WIDTH, panel * len(sides) + 0.3, style)
    _title(figure, f"{look.name}: {look.unit} a row", style)
    for number, side in enumerate(sides, 1):
        axes = figure.add_subplot(len(sides), 1, number)
        _draw_side(axes, {name: split.lengths[side] for name, split in look.statistics.items()}, style)
        axes.set_xlabel(f"{side} {look.unit}" if len(sides) > 1 else look.unit, fontsize=style.points)
    return figure


def _draw_side(axes: Axes, splits: dict[str, Lengths], style: Style) -> None:
    train = splits["train"]
    edges, is_far = bin_edges([lengths.values for lengths in splits.values()], train.quantile(0.99))
    for name, lengths in splits.items():
        counts, _ = np.histogram(np.maximum(lengths.values, edges[0]), edges)  # no 0 on a logarithmic axis
        heights, color = counts / len(lengths.values), STYLES[name]["color"]
        if name == "train":
            axes.stairs(heights, edges, fill=True, color=color, alpha=0.45, label=name)
        else:
            axes.stairs(heights, edges, color=color, linestyle=STYLES[name]["linestyle"], linewidth=1.3, label=name)
    for value, dashes in ((train.median, "-"), (train.quantile(0.95), "--")):
        axes.axvline(value, color=NOTE, linewidth=0.8, linestyle=dashes)
    if style.is_screen:  # on paper the caption says it
        axes.set_title(_facts_of(train), loc="left", fontsize=7.5, color=HEADING)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if is_far:
        axes.set_xscale("log")
    axes.set_ylabel("share of rows", fontsize=style.points)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=style.points)
    axes.legend(fontsize=style.small, frameon=False, loc="upper right")


def bin_edges(values: Sequence[np.ndarray], usual: int) -> tuple[np.ndarray, bool]:
    """Edges between whole numbers, and whether they grow by a factor: where some row is far longer than all others.

    Args:
        usual: the length that nearly all rows have at most.
    """
    low, high = min(int(of.min()) for of in values), max(int(of.max()) for of in values)
    if high > FAR * max(usual, 1):
        edges = np.geomspace(max(low, 1), high + 1, MAX_BINS + 1)
        return np.unique(np.floor(edges)) - 0.5, True
    width = max(1, -(-(high - low + 1) // MAX_BINS))
    return np.arange(low, high + width + 1, width) - 0.5, False


def _left_out(look: Look) -> str:
    number = len(look.statistics["train"].classes)
    return f" (largest {MAX_BARS} of {number})" if number > MAX_BARS else ""


def draw_classes(look: Look, style: Style = SCREEN) -> Figure:
    """A bar for each class, the share of train; beside it the shares of valid and test. The largest is at the top."""
    ordered = by_size(look.statistics["train"].classes)
    shown = [label for label, _ in ordered[:MAX_BARS]]
    figure = axes_figure(_WIDTH, _AROUND + _ROW * len(shown), style)
    _title(figure, f"{look.name}: classes{_left_out(look)}", style)
    axes = figure.add_subplot()
    places = range(len(shown))
    for name, split in look.statistics.items():
        shares = [split.classes[label] / split.num_rows for label in shown]
        marks = STYLES[name]
        if name == "train":
            axes.barh(places, shares, color=marks["color"], alpha=0.45, label=name)
        else:
            axes.plot(
                shares, places, marks["marker"], color=marks["color"], markersize=3.5, fillstyle="none", label=name
            )
    families, cells = fonts.families_for(shown), PAPER_LABEL_CELLS if style.is_column else MAX_LABEL_CELLS
    labels = [shorten(fonts.written(label, families), cells) for label in shown]
    axes.set_yticks(places, labels, fontfamily=families, parse_math=False, fontsize=style.points)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlabel("share of rows", fontsize=style.points)
    axes.tick_params(labelsize=style.points)
    figure.legend(fontsize=style.small, frameon=False, loc="outside right upper")  # inside it would hide points
    return figure


def _title(figure: Figure, text: str, style: Style) -> None:
    families = fonts.families_for([text])
    figure.suptitle(fonts.written(text, families), fontsize=style.title, fontfamily=families, parse_math=False)
