"""Heat maps of attention weights, drawn without pyplot and without any global state.

Shapes: H heads, Q queries, K keys.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.cells import cell_len

from attnfocus.display import fonts
from attnfocus.display.canvas import COLORS, POINT, SCREEN, Box, Canvas, Style, colors_of
from attnfocus.display.palette import text_color
from attnfocus.display.text import shorten

from matplotlib.figure import Figure  # isort: skip

MAX_POSITIONS = 400  # of an axis; what comes after is cut, and the title says so
MAX_HEADS = 16
MAX_LABEL_CELLS = 14
MAX_COUNTED = 20  # classes of a confusion map whose counts are written into it
AXES = ("looks from", "looks at")  # names of the axes of a map: queries, keys

# All lengths below are in inches.
_POSITION = 0.2  # a row or column of the map, where there is room
_CELL = 0.42  # of a confusion map, with room for a count
_MAP_WIDTH, _MAP_HEIGHT = 9.6, 7.2  # room for all panels together
_GAP = 0.15
_SCALE = 0.75  # room for the color scale


class _AxisLabels:
    """The tick labels of one axis: where they are, what they say and how much room they take.

    Where labels would touch, every second (third, ...) is shown, and the name of the axis says so.
    """

    def __init__(
        self, tokens: Sequence[str], num_positions: int, step: float, families: Sequence[str], style: Style
    ) -> None:
        every = math.ceil(style.label_step / step)
        self.ticks = list(range(0, num_positions, every))
        self.texts = [
            fonts.label(tokens[tick], families, MAX_LABEL_CELLS, tick) if tick < len(tokens) else f"[{tick}]"
            for tick in self.ticks
        ]
        self.are_characters = all(cell_len(text) <= 2 for text in self.texts)  # they need not be turned
        self.length = max(fonts.width(text, families, style.points) for text in self.texts) + 0.08
        self.note = "" if every == 1 else f" (every {_ordinal(every)} is named)"


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 not in (11, 12, 13) else 0, "th")
    return f"{number}{ending}"


@dataclass(frozen=True)
class _Grid:
    """Panels in `down` rows of `across`, with the size of a position of the map."""

    across: int
    down: int
    step_x: float
    step_y: float

    @classmethod
    def best(cls, shape: tuple[int, int, int], room: float) -> "_Grid":
        """The grid with the largest positions; among equals the one with fewest holes, then the widest.

        Args:
            shape: panels, rows, columns.
            room: width of all panels together.
        """
        num_panels, num_rows, num_columns = shape
        grids = []
        for across in range(1, num_panels + 1):
            down = math.ceil(num_panels / across)
            step_x = min(_POSITION, (room - _GAP * (across - 1)) / across / max(num_columns, 1))
            step_y = min(_POSITION, (_MAP_HEIGHT - 2 * _GAP * (down - 1)) / down / max(num_rows, 1))
            if step_x > 0 and step_y > 0:
                grids.append(cls(across, down, step_x, step_y))
        return max(grids, key=lambda grid: (round(grid.step_x * grid.step_y, 5), -grid.across * grid.down, grid.across))


def heat_map(
    weights: np.ndarray,
    query_tokens: Sequence[str],
    key_tokens: Sequence[str],
    title: str | None = None,
    heads: Sequence[int] | None = None,
    *,
    axes: tuple[str, str] = AXES,
    ends: tuple[float, float] | None = None,
    style: Style = SCREEN,
) -> Figure:
    """One panel for each head and before them one for their mean: keys from left to right, queries from top to bottom.

    All are on one scale, from 0 to the largest weight, or as far to both sides of 0 where there are weights below 0.
    With a single query (pooling) the heads are the rows of one panel. NaN is drawn gray. Where labels would touch,
    every second (third, ...) is shown.

    Args:
        weights: (H, Q, K).
        query_tokens, key_tokens: labels; missing ones are replaced by their index, those past Q or K are ignored.
        heads: numbers of the heads, from 0 where left out.
        axes: what the queries and the keys are.
        ends: of the scale; None: of these weights.
    """
    weights = np.asarray(weights, dtype=np.float32)
    if weights.ndim != 3 or 0 in weights.shape:
        raise ValueError(f"weights must be (heads, queries, keys), none of them 0, got the shape {weights.shape}.")
    numbers, mean = range(len(weights)) if heads is None else heads, weights.mean(axis=0, keepdims=True)
    notes = [title] if title else []
    for axis, name, limit in ((0, "heads", MAX_HEADS), (1, "queries", MAX_POSITIONS), (2, "keys", MAX_POSITIONS)):
        if weights.shape[axis] > limit:
            notes.append(f"first {limit} of {weights.shape[axis]:,} {name}")
            weights = weights.take(range(limit), axis=axis)
    names = [f"head {head}" for head in numbers[: len(weights)]]
    if len(names) > 1:
        names, weights = ["mean", *names], np.concatenate([mean[:, : weights.shape[1], : weights.shape[2]], weights])
    else:
        names = [""]
    if weights.shape[1] == 1:
        query_tokens = [name or (query_tokens[0] if query_tokens else "[0]") for name in names]
        axes = ("head" if len(names) > 1 else axes[0], axes[1])
        weights, names = weights.transpose(1, 0, 2), [""]  # (1, H, K)
    tokens = query_tokens[:MAX_POSITIONS], key_tokens[:MAX_POSITIONS]
    return panel_map(weights, tokens, Words("   ".join(notes), axes, names, ends=ends), style)


@dataclass(frozen=True)
class Words:
    """What a figure of panels says besides its labels: heading, names of both axes, of the panels and of the scale."""

    heading: str
    axes: tuple[str, str]
    panels: Sequence[str]
    scale: str = "weight"
    ends: tuple[float, float] | None = None


def panel_map(
    panels: np.ndarray, labels: tuple[Sequence[str], Sequence[str]], words: Words, style: Style = SCREEN
) -> Figure:
    """Panels (P, R, C) with the same rows and columns on one scale; `labels` are those of rows and columns."""
    families = fonts.families_for([*labels[0], *labels[1], words.heading, *words.panels])
    grid, rows, columns = _fitted(panels.shape, labels, families, style)
    axes = words.axes[0] + rows.note, words.axes[1] + columns.note
    heading = shorten(fonts.written(words.heading, families), style.cells)
    names = [fonts.written(name, families) for name in words.panels]
    return _draw(
        panels, grid, (rows, columns), replace(words, heading=heading, axes=axes, panels=names), families, style
    )


def _fitted(
    shape: tuple[int, int, int], tokens: tuple[Sequence[str], Sequence[str]], families: Sequence[str], style: Style
) -> tuple[_Grid, _AxisLabels, _AxisLabels]:
    """The grid of panels and the labels of both axes, in the width of the style: labels take room from the maps."""
    room = _MAP_WIDTH
    for _ in range(2):  # which labels there are depends on the steps, and these on the room that labels leave
        grid = _Grid.best(shape, room)
        rows = _AxisLabels(tokens[0], shape[1], grid.step_y, families, style)
        if style.width is not None:
            room = style.width - rows.length - style.line - 0.06 - _SCALE
    columns = _AxisLabels(tokens[1], shape[2], grid.step_x, families, style)
    return grid, rows, columns


def confusion_map(matrix: Sequence[Sequence[int]], labels: Sequence[str]) -> Figure:
    """True classes from top to bottom, answers from left to right: the share of a class's rows that got each answer.

    The scale goes from 0 to 1 in every figure. A class without rows is gray. Up to 20 classes the counts are written.
    """
    whole = np.asarray(matrix, dtype=np.float64)
    counts, totals = whole[:MAX_POSITIONS, :MAX_POSITIONS], whole.sum(axis=1, keepdims=True)[:MAX_POSITIONS]
    shares = np.ma.masked_invalid(np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0))
    notes = ["answers by true class"]
    notes += [f"first {MAX_POSITIONS} of {len(labels):,} classes"] if len(labels) > MAX_POSITIONS else []
    size = len(counts)
    step = _CELL if size <= MAX_COUNTED else min(_POSITION, _MAP_HEIGHT / size)
    families = fonts.families_for([*labels[:MAX_POSITIONS], *notes])
    style = SCREEN
    axis, heading = _AxisLabels(labels, size, step, families, style), "   ".join(notes)
    left = axis.length + style.line + 0.06
    below = 0.1 + style.line + (style.line if axis.are_characters else axis.length)
    width = max(left + size * step + _SCALE, fonts.width(heading, families, style.points) + 0.2)
    canvas = Canvas(width, below + size * step + 0.32, families)
    box = Box(left, below, size * step, size * step)
    canvas.image(COLORS(shares, bytes=True), box, "panel 0")
    _label_rows(canvas, axis, box, size, "true class" + axis.note)
    _label_columns(canvas, axis, box, size, "answer" + axis.note)
    for row, column in np.ndindex(size, size) if size <= MAX_COUNTED else ():
        x, y = box.x + (column + 0.5) * step, box.y + (size - row - 0.5) * step
        color = _letters_on(float(shares.filled(0.0)[row, column]))
        canvas.text(x, y, f"{int(counts[row, column])}", "count", ha="center", va="center", color=color)
    canvas.scale(Box(box.x + box.width + 0.12, box.y, 0.1, min(box.height, 1.6)), (0.0, 1.0), "share")
    canvas.text(0.08, below + size * step + 0.22, heading, "title", va="top")
    return canvas.figure


def _letters_on(share: float) -> str:
    red, green, blue, _ = (int(part) for part in COLORS(share, bytes=True))
    return "#" + "".join(f"{part:02x}" for part in text_color((red, green, blue)))


def _draw(
    panels: np.ndarray,  # (panels, rows, columns)
    grid: _Grid,
    labels: tuple[_AxisLabels, _AxisLabels],
    words: Words,
    families: Sequence[str],
    style: Style,
) -> Figure:
    """Places everything by hand: a layout engine would measure each text, and axes make five objects for each tick."""
    rows, columns = labels
    num_panels, num_rows, num_columns = panels.shape
    panel_width, panel_height = max(num_columns * grid.step_x, 0.3), max(num_rows * grid.step_y, 0.2)
    head = 0.24 if any(words.panels) else 0.0
    left, top = rows.length + style.line + 0.06, (0.32 if words.heading else 0.1) + head
    bottom = 0.1 + style.line + (style.line if columns.are_characters else columns.length)
    width = left + grid.across * panel_width + (grid.across - 1) * _GAP + _SCALE
    down, across, heading = (fonts.width(name, families, style.points) for name in (*words.axes, words.heading))
    width = style.width or max(width, left + across + 0.1, heading + 0.2)
    height = top + grid.down * panel_height + (grid.down - 1) * (_GAP + head) + bottom
    height = max(height, top + down, 0.9)
    canvas = Canvas(width, height, families, style)
    lowest, largest = words.ends or _ends(panels)
    shares = np.ma.masked_invalid((panels - lowest) / (largest - lowest))
    colors = colors_of(lowest)(shares, bytes=True)  # (panels, rows, columns, 4)
    for panel in range(num_panels):
        row, column = divmod(panel, grid.across)
        x = left + column * (panel_width + _GAP)
        y = height - top - panel_height - row * (panel_height + _GAP + head)
        box = Box(x, y, panel_width, panel_height)
        canvas.image(colors[panel], box, f"panel {panel}")
        if column == 0:
            _label_rows(canvas, rows, box, num_rows, words.axes[0] if row == 0 else "")
        if panel + grid.across >= num_panels:
            _label_columns(canvas, columns, box, num_columns, words.axes[1] if column == 0 else "")
        canvas.text(x + panel_width / 2, y + panel_height + 3 * POINT, words.panels[panel], "head", ha="center")
    scale_x = left + grid.across * panel_width + (grid.across - 1) * _GAP + 0.12
    scale_height = min(max(panel_height, 0.6), 1.6)
    scale_y = max(height - top - scale_height, 0.12)
    canvas.scale(Box(scale_x, scale_y, 0.1, scale_height), (lowest, largest), words.scale)
    canvas.text(0.08, height - 0.1, words.heading, "title", va="top")
    return canvas.figure


def _ends(panels: np.ndarray) -> tuple[float, float]:
    """The ends of the one scale of all panels."""
    finite = panels[np.isfinite(panels)]
    largest = float(np.abs(finite).max(initial=0.0)) or 1.0
    return (-largest if finite.min(initial=0.0) < 0 else 0.0), largest


def _label_rows(canvas: Canvas, labels: _AxisLabels, box: Box, num_rows: int, name: str) -> None:
    for tick, label in zip(labels.ticks, labels.texts, strict=True):
        y = box.y + box.height * (1 - (tick + 0.5) / num_rows)
        canvas.text(box.x - 2 * POINT, y, label, "row", ha="right", va="center_baseline")
    x = box.x - labels.length - canvas.style.line / 2
    canvas.text(x, box.y + box.height, name, "axis", ha="center", va="top", rotation=90)


def _label_columns(canvas: Canvas, labels: _AxisLabels, box: Box, num_columns: int, name: str) -> None:
    for tick, label in zip(labels.ticks, labels.texts, strict=True):
        x = box.x + box.width * (tick + 0.5) / num_columns
        if labels.are_characters:
            canvas.text(x, box.y - 10 * POINT, label, "column", ha="center", va="baseline")
        else:
            canvas.text(x, box.y - 2 * POINT, label, "column", ha="center", va="top", rotation=90)
    below = canvas.style.line if labels.are_characters else labels.length
    canvas.text(box.x, box.y - below - canvas.style.line * 0.7, name, "axis", ha="left", va="baseline")
