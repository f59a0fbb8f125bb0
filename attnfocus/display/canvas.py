"""What figures are drawn on: a page in inches, its style, and its files. Without pyplot and global state."""

import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from attnfocus.display import fonts, palette  # noqa: F401
from attnfocus.display.figure_choices import FigureFile, WidthName

# fonts comes first: it keeps matplotlib quiet while it looks for its fonts.
from matplotlib import rc_context  # isort: skip
from matplotlib.backends.backend_agg import FigureCanvasAgg  # isort: skip
from matplotlib.colors import Colormap, ListedColormap  # isort: skip
from matplotlib.figure import Figure  # isort: skip
from matplotlib.image import BboxImage  # isort: skip
from matplotlib.patches import Rectangle  # isort: skip
from matplotlib.transforms import Bbox, TransformedBbox  # isort: skip

logging.getLogger("fontTools").setLevel(logging.ERROR)  # it tells each font that it cuts

DPI = 100  # of what is looked at while a run trains
FILE_DPI = 200  # of figures that are written to files
VECTOR_DPI = 600  # of the cells of a map in a PDF or SVG, whose letters are outlines
WIDTHS: Final[Mapping[WidthName, float]] = {"column": 3.3, "page": 6.9}  # inches, of most proceedings
INK = "#222222"
HEADING, NOTE, GRID = "#333333", "#666666", "#dddddd"  # of figures with axes: titles, remarks and marks, lines
_FRAME = "#b8b8b8"
POINT = 1 / 72

_GRAY = palette.hexadecimal(palette.MISSING["light"])
COLORS: Colormap = ListedColormap(np.array(palette.sequential()) / 255).with_extremes(bad=_GRAY)
SIGNED_COLORS: Colormap = ListedColormap(np.array(palette.diverging()) / 255).with_extremes(bad=_GRAY)
SERIES = tuple(map(palette.hexadecimal, palette.SERIES))


@dataclass(frozen=True)
class Style:
    """How large letters are, and how wide a figure is.

    Attributes:
        points: size of the letters.
        width: of the figure in inches; None: as wide as what is in it.
    """

    points: float = 8.0
    width: float | None = None

    @property
    def is_screen(self) -> bool:
        return self.width is None

    @property
    def is_column(self) -> bool:
        """Too narrow for two panels side by side."""
        return self.width == WIDTHS["column"]

    @property
    def title(self) -> float:
        """Points of the title of a figure with axes."""
        return self.points + 1 if self.is_screen else self.points

    @property
    def small(self) -> float:
        """Points of a legend."""
        return min(self.points, 7.0)

    @property
    def cells(self) -> int:
        """Columns of a heading, a narrow character taking one."""
        return 110 if self.width is None else int(self.width / (0.62 * self.points * POINT))

    @property
    def line(self) -> float:
        """Height of a line of text in inches."""
        return 1.5 * self.points * POINT

    @property
    def label_step(self) -> float:
        """Two labels nearer than this would touch."""
        return 1.3 * self.points * POINT


SCREEN = Style()


def paper(width: WidthName) -> Style:
    """Of a paper: letters of 7 points, the width of a column or of a page."""
    return Style(7.0, WIDTHS[width])


@dataclass(frozen=True)
class Box:
    """A rectangle of a figure: its left lower corner and its size, in inches."""

    x: float
    y: float
    width: float
    height: float


class Canvas:
    """A figure on which images and texts are placed in inches from its left lower corner."""

    def __init__(self, width: float, height: float, families: Sequence[str], style: Style = SCREEN) -> None:
        self.figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
        self.style = style
        self._text: dict[str, Any] = {"fontfamily": list(families), "fontsize": style.points, "color": INK}
        self._text |= {"parse_math": False, "usetex": False}  # a token may be `$`

    def image(self, colors: np.ndarray, box: Box, name: str) -> None:
        """Colors of (rows, columns, 4) in a thin frame; the first row is at the top."""
        place = TransformedBbox(Bbox.from_bounds(box.x, box.y, box.width, box.height), self.figure.dpi_scale_trans)
        image = BboxImage(place, interpolation="nearest", origin="upper", gid=name)
        image.set_data(colors)
        self.figure.add_artist(image)
        self.frame(box, _FRAME, 0.5)

    def frame(self, box: Box, color: str, points: float) -> None:
        """The outline of a box."""
        style: dict[str, Any] = {"fill": False, "edgecolor": color, "linewidth": points}
        place: dict[str, Any] = {"transform": self.figure.dpi_scale_trans, "gid": "frame"}
        self.figure.add_artist(Rectangle((box.x, box.y), box.width, box.height, **style, **place))

    def text(self, x: float, y: float, text: str, name: str, **style: Any) -> None:
        if text:
            style = {"transform": self.figure.dpi_scale_trans, "gid": name, **self._text, **style}
            self.figure.text(x, y, text, **style)

    def scale(self, box: Box, ends: tuple[float, float], name: str = "") -> None:
        """The bar of colors with its two ends, lowest first, and what it measures."""
        self.image(colors_of(ends[0])(np.linspace(1, 0, 64), bytes=True)[:, None], box, "scale")
        for y, end in zip((box.y, box.y + box.height), ends, strict=True):
            self.text(box.x + box.width + 3 * POINT, y, f"{end:.2g}", "scale", va="center_baseline")
        y = box.y + box.height / 2
        self.text(box.x + box.width + 4 * POINT, y, name, "scale name", va="center", rotation=90)


def axes_figure(width: float, height: float, style: Style) -> Figure:
    """A figure whose axes find their places by themselves; a style with a width decides that.

    Args:
        width, height: inches.
    """
    return Figure(figsize=(style.width or width, height), dpi=DPI, facecolor="white", layout="constrained")


def colors_of(lowest: float) -> Colormap:
    """The diverging colors where something lies below 0."""
    return SIGNED_COLORS if lowest < 0 else COLORS


def to_png(figure: Figure, dpi: int = FILE_DPI) -> tuple[bytes, int, int]:
    """The figure as (PNG bytes, width, height); sizes in pixels."""
    figure.dpi = dpi
    canvas = FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    canvas.print_png(buffer, pil_kwargs={"compress_level": 3, "dpi": (dpi, dpi)}, metadata={"Software": None})
    width, height = canvas.get_width_height()
    return buffer.getvalue(), width, height


def to_file(figure: Figure, kind: FigureFile) -> bytes:
    """The figure as the content of a file: a PNG of 200 dpi, or a PDF or SVG with all letters in it.

    In a PDF fonts are embedded as TrueType (type 42), as proceedings ask for; in an SVG letters are outlines. Nothing
    in the file depends on when it is written.
    """
    if kind == "png":
        return to_png(figure)[0]
    buffer = io.BytesIO()
    date = "CreationDate" if kind == "pdf" else "Date"
    with rc_context({"pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "attnfocus"}):
        figure.savefig(buffer, format=kind, dpi=VECTOR_DPI, metadata={date: None})
    return buffer.getvalue()
