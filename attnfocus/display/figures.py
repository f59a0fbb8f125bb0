"""Heat maps of attention weights, drawn without pyplot and without any global state.

Shapes: H heads, Q queries, K keys.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.cells import cell_len

from attnfocus.display import fonts
from attnfocus.display.text import shorten

# fonts comes first: it keeps matplotlib quiet while it looks for its fonts.
from matplotlib import colormaps  # isort: skip
from matplotlib.colors import Colormap  # isort: skip
from matplotlib.backends.backend_agg import FigureCanvasAgg  # isort: skip
from matplotlib.figure import Figure  # isort: skip
from matplotlib.image import BboxImage  # isort: skip
from matplotlib.transforms import Bbox, TransformedBbox  # isort: skip

DPI = 100
COLORS = colormaps["viridis"].with_extremes(bad="#bbbbbb")  # even steps, safe for colour-blind readers, fine in gray
SIGNED_COLORS = colormaps["PuOr"].with_extremes(bad="#bbbbbb")  # white is 0, purple above, orange below, as on the page
MAX_POSITIONS = 400  # of an axis; what comes after is cut, and the title says so
MAX_HEADS = 16
MAX_LABEL_CELLS = 14
MAX_COUNTED = 20  # classes of a confusion map whose counts are written into it
_FONT_POINTS = 8.0

# All lengths below are in inches.
_POINT = 1 / 72
_CHARACTER = 0.62 * _FONT_POINTS / 72
_LINE = 1.5 * _FONT_POINTS / 72
_LABEL_STEP = 0.145  # two labels nearer than this would touch
_POSITION = 0.2  # a row or column of the map, where there is room
_CELL = 0.42  # of a confusion map, with room for a count
_MAP_WIDTH, _MAP_HEIGHT = 9.6, 7.2  # room for all panels together
_GAP = 0.15
_SCALE = 0.75  # room for the color scale


class _AxisLabels:
    """The tick labels of one axis: where they are, what they say and how much room they take."""

    def __init__(self, tokens: Sequence[str], num_positions: int, step: float, families: Sequence[str]) -> None:
        self.ticks = list(range(0, num_positions, math.ceil(_LABEL_STEP / step)))
        self.texts = [
            fonts.label(tokens[tick], families, MAX_LABEL_CELLS, tick) if tick < len(tokens) else f"[{tick}]"
            for tick in self.ticks
        ]
        cells = max((cell_len(text) for text in self.texts), default=0)
        self.are_characters = cells <= 2  # they need not be turned
        self.length = cells * _CHARACTER + 0.08


@dataclass(frozen=True)
class _Grid:
    """Panels in `down` rows of `across`, with the size of a position of the map."""

    across: int
    down: int
    step_x: float
    step_y: float

    @classmethod
    def best(cls, num_panels: int, num_rows: int, num_columns: int) -> "_Grid":
        """The grid with the largest positions; among equals the one with fewest holes, then the widest."""
        grids = []
        for across in range(1, num_panels + 1):
            down = math.ceil(num_panels / across)
            step_x = min(_POSITION, (_MAP_WIDTH - _GAP * (across - 1)) / across / max(num_columns, 1))
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
) -> Figure:
    """One panel per head: keys from left to right, queries from top to bottom, all heads on one color scale.

    The scale goes from 0 to the largest weight, or as far to both sides of 0 where there are weights below 0. With a
    single query (pooling) the heads are the rows of one panel. NaN is drawn gray. Where labels would touch, every
    second (third, ...) is shown.

    Args:
        weights: (H, Q, K).
        query_tokens, key_tokens: labels; missing ones are replaced by their index, those past Q or K are ignored.
        heads: numbers of the heads, from 0 where left out.
    """
    weights = np.asarray(weights, dtype=np.float32)
    if weights.ndim != 3 or 0 in weights.shape:
        raise ValueError(f"weights must be (heads, queries, keys), none of them 0, got the shape {weights.shape}.")
    notes = [title] if title else []
    for axis, name, limit in ((0, "heads", MAX_HEADS), (1, "queries", MAX_POSITIONS), (2, "keys", MAX_POSITIONS)):
        if weights.shape[axis] > limit:
            notes.append(f"first {limit} of {weights.shape[axis]:,} {name}")
            weights = weights.take(range(limit), axis=axis)
    num_heads, num_queries, num_keys = weights.shape
    numbers = range(num_heads) if heads is None else heads
    names = [f"head {head}" for head in numbers[:num_heads]] if num_heads > 1 else [""]
    if num_queries == 1:
        query_tokens = [name or (query_tokens[0] if query_tokens else "[0]") for name in names]
        weights, names = weights.transpose(1, 0, 2), [""]  # (1, H, K)
    grid = _Grid.best(*weights.shape)
    families = fonts.families_for([*query_tokens[:MAX_POSITIONS], *key_tokens[:MAX_POSITIONS], *notes])
    rows = _AxisLabels(query_tokens, weights.shape[1], grid.step_y, families)
    columns = _AxisLabels(key_tokens, num_keys, grid.step_x, families)
    heading = shorten(fonts.written("   ".join(notes), families), 110)
    return _draw(weights, grid, (rows, columns), (heading, names), families)


def confusion_map(matrix: Sequence[Sequence[int]], labels: Sequence[str]) -> Figure:
    """True classes from top to bottom, answers from left to right: the share of a class's rows that got each answer.

    The scale goes from 0 to 1 in every figure. A class without rows is gray. Up to 20 classes the counts are written.
    """
    counts = np.asarray(matrix, dtype=np.float64)[:MAX_POSITIONS, :MAX_POSITIONS]
    totals = np.asarray(matrix, dtype=np.float64).sum(axis=1, keepdims=True)[:MAX_POSITIONS]
    shares = np.ma.masked_invalid(np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0))
    notes = ["true class (rows), answer (columns)"]
    notes += [f"first {MAX_POSITIONS} of {len(labels):,} classes"] if len(labels) > MAX_POSITIONS else []
    size = len(counts)
    step = _CELL if size <= MAX_COUNTED else min(_POSITION, _MAP_HEIGHT / size)
    families = fonts.families_for([*labels[:MAX_POSITIONS], *notes])
    axis, heading = _AxisLabels(labels, size, step, families), "   ".join(notes)
    left, below = axis.length + 0.06, 0.1 + (_LINE if axis.are_characters else axis.length)
    width = max(left + size * step + _SCALE, cell_len(heading) * _CHARACTER * 1.15 + 0.2)
    canvas = _Canvas(width, below + size * step + 0.32, families)
    box = _Box(left, below, size * step, size * step)
    canvas.image(COLORS(shares, bytes=True), box, "panel 0")
    canvas.label_rows(axis, box, size)
    canvas.label_columns(axis, box, size)
    for row, column in np.ndindex(size, size) if size <= MAX_COUNTED else ():
        x, y = box.x + (column + 0.5) * step, box.y + (size - row - 0.5) * step
        color = "#333333" if shares.filled(1.0)[row, column] > 0.5 else "white"
        canvas.text(x, y, f"{int(counts[row, column])}", "count", ha="center", va="center", color=color)
    canvas.scale(_Box(box.x + box.width + 0.12, box.y, 0.1, min(box.height, 1.6)), (0.0, 1.0))
    canvas.text(0.08, below + size * step + 0.22, heading, "title", va="top")
    return canvas.figure


def to_png(figure: Figure) -> tuple[bytes, int, int]:
    """The figure as (PNG bytes, width, height); sizes in pixels."""
    canvas = FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    canvas.print_png(buffer, pil_kwargs={"compress_level": 3}, metadata={"Software": None})
    width, height = canvas.get_width_height()
    return buffer.getvalue(), width, height


def _draw(
    panels: np.ndarray,  # (panels, rows, columns)
    grid: _Grid,
    labels: tuple[_AxisLabels, _AxisLabels],
    titles: tuple[str, Sequence[str]],
    families: Sequence[str],
) -> Figure:
    """Places everything by hand: a layout engine would measure each text, and axes make five objects for each tick."""
    rows, columns = labels
    heading, heads = titles
    num_panels, num_rows, num_columns = panels.shape
    panel_width, panel_height = max(num_columns * grid.step_x, 0.3), max(num_rows * grid.step_y, 0.2)
    head = 0.24 if any(heads) else 0.0
    left, top = rows.length + 0.06, (0.32 if heading else 0.1) + head
    bottom = 0.1 + (_LINE if columns.are_characters else columns.length)
    width = left + grid.across * panel_width + (grid.across - 1) * _GAP + _SCALE
    width = max(width, cell_len(heading) * _CHARACTER * 1.15 + 0.2)
    height = max(top + grid.down * panel_height + (grid.down - 1) * (_GAP + head) + bottom, 0.9)
    canvas = _Canvas(width, height, families)
    finite = panels[np.isfinite(panels)]
    largest = float(np.abs(finite).max(initial=0.0)) or 1.0
    lowest = -largest if finite.min(initial=0.0) < 0 else 0.0
    shares = np.ma.masked_invalid((panels - lowest) / (largest - lowest))
    colors = _colors(lowest)(shares, bytes=True)  # (panels, rows, columns, 4)
    for panel in range(num_panels):
        row, column = divmod(panel, grid.across)
        x = left + column * (panel_width + _GAP)
        y = height - top - panel_height - row * (panel_height + _GAP + head)
        box = _Box(x, y, panel_width, panel_height)
        canvas.image(colors[panel], box, f"panel {panel}")
        if column == 0:
            canvas.label_rows(rows, box, num_rows)
        if panel + grid.across >= num_panels:
            canvas.label_columns(columns, box, num_columns)
        canvas.text(x + panel_width / 2, y + panel_height + 3 * _POINT, heads[panel], "head", ha="center")
    scale_x = left + grid.across * panel_width + (grid.across - 1) * _GAP + 0.12
    scale_height = min(max(panel_height, 0.45), 1.6)
    scale_y = max(height - top - scale_height, 0.12)
    canvas.scale(_Box(scale_x, scale_y, 0.1, scale_height), (lowest, largest))
    canvas.text(0.08, height - 0.1, heading, "title", va="top")
    return canvas.figure


@dataclass(frozen=True)
class _Box:
    """A rectangle of a figure: its left lower corner and its size."""

    x: float
    y: float
    width: float
    height: float


class _Canvas:
    """A figure on which images and texts are placed in inches from its left lower corner."""

    def __init__(self, width: float, height: float, families: Sequence[str]) -> None:
        self.figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
        self._style: dict[str, Any] = {"fontfamily": list(families), "fontsize": _FONT_POINTS, "color": "#333333"}
        self._style |= {"parse_math": False, "usetex": False}  # a token may be `$`

    def image(self, colors: np.ndarray, box: _Box, name: str) -> None:
        """Colors of (rows, columns, 4); the first row is at the top."""
        place = TransformedBbox(Bbox.from_bounds(box.x, box.y, box.width, box.height), self.figure.dpi_scale_trans)
        image = BboxImage(place, interpolation="nearest", origin="upper", gid=name)
        image.set_data(colors)
        self.figure.add_artist(image)

    def text(self, x: float, y: float, text: str, name: str, **style: Any) -> None:
        if text:
            style = {"transform": self.figure.dpi_scale_trans, "gid": name, **self._style, **style}
            self.figure.text(x, y, text, **style)

    def label_rows(self, labels: _AxisLabels, box: _Box, num_rows: int) -> None:
        for tick, label in zip(labels.ticks, labels.texts, strict=True):
            y = box.y + box.height * (1 - (tick + 0.5) / num_rows)
            self.text(box.x - 2 * _POINT, y, label, "row", ha="right", va="center_baseline")

    def label_columns(self, labels: _AxisLabels, box: _Box, num_columns: int) -> None:
        for tick, label in zip(labels.ticks, labels.texts, strict=True):
            x = box.x + box.width * (tick + 0.5) / num_columns
            if labels.are_characters:
                self.text(x, box.y - 10 * _POINT, label, "column", ha="center", va="baseline")
            else:
                self.text(x, box.y - 2 * _POINT, label, "column", ha="center", va="top", rotation=90)

    def scale(self, box: _Box, ends: tuple[float, float]) -> None:
        """The bar of colors with its two ends, lowest first."""
        self.image(_colors(ends[0])(np.linspace(1, 0, 64), bytes=True)[:, None], box, "scale")
        for y, end in zip((box.y, box.y + box.height), ends, strict=True):
            self.text(box.x + box.width + 3 * _POINT, y, f"{end:.2g}", "scale", va="center_baseline")


def _colors(lowest: float) -> Colormap:
    return SIGNED_COLORS if lowest < 0 else COLORS
