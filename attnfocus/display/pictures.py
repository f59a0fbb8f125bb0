"""Weights of the positions of an image, drawn over it; without pyplot and without any global state.

Shapes: H heads, Q queries, K keys, L positions of the image, R x C pixels.
"""

import math
from collections.abc import Sequence

import numpy as np

from attnfocus.display import fonts
from attnfocus.display.canvas import POINT, SCREEN, Box, Canvas, Style, colors_of
from attnfocus.display.figures import MAX_HEADS
from attnfocus.display.palette import GOLD, hexadecimal
from attnfocus.display.text import shorten
from attnfocus.grid import Picture

from matplotlib.figure import Figure  # isort: skip

MAX_PREPENDED = 4
LIGHTEST = 0.45  # how dark an image may become below the colors of the weights, 0 to 1
DARK_GROUND = 50  # brightness of the median pixel below which a gray image is drawn with dark and light exchanged

# Lengths are in inches.
_PANEL, _MIN_PANEL = 1.3, 0.8
_WIDE_PANEL, WIDE = 3.0, 1.6  # of pictures that are so many times as wide as high, such as signals
_GAP, _SCALE, _EDGE = 0.12, 0.75, 0.1


def picture_map(
    weights: np.ndarray,
    picture: Picture,
    title: str | None = None,
    heads: Sequence[int] | None = None,
    *,
    queries: Sequence[str] | None = None,
    ends: tuple[float, float] | None = None,
    style: Style = SCREEN,
) -> Figure:
    """The image, and over it the weights of its positions: the mean of the heads, then each head, on one scale.

    Of several queries the mean is drawn, or, where they are named, each in the mean of the heads. Positions that the
    model puts in front of the input's are left out. What is known to hold the evidence has a frame.

    Args:
        weights: (H, Q, K) with K >= L, the last L of which are the image's.
        heads: numbers of the heads, from 0 where left out.
        queries: names of the queries, such as the words that are written.
        ends: of the scale; None: of these weights.
    """
    whole = np.asarray(weights, dtype=np.float32)[:, :, -len(picture.boxes) :]
    of_positions = whole.mean(axis=1 if queries is None else 0)  # (H, L) or (Q, L)
    count, what = len(of_positions), "heads" if queries is None else "outputs"
    notes = [title] if title else []
    if count > MAX_HEADS:
        notes.append(f"first {MAX_HEADS} of {count:,} {what}")
    names, panels = [picture.name], [None]
    if queries is not None:
        names += queries[:MAX_HEADS]
    else:
        numbers = range(count) if heads is None else heads
        if count > 1:
            names, panels = [*names, "mean"], [*panels, of_positions.mean(axis=0)]
        names += [f"head {head}" if count > 1 else "weights" for head in numbers[:MAX_HEADS]]
    panels += list(of_positions[:MAX_HEADS])
    lowest, largest = ends or _ends(of_positions)
    images = [_painted(picture, each, lowest, largest) for each in panels]
    return _drawn(images, names, picture, "   ".join(notes), (lowest, largest), style)


def shows(picture: Picture, weights: np.ndarray) -> bool:
    """Whether weights (H, Q, K) are of the picture's positions, and few that the model has put in front."""
    return 0 <= weights.shape[2] - len(picture.boxes) <= MAX_PREPENDED


def light(pixels: np.ndarray) -> np.ndarray:
    """An image as it is drawn below colors: RGB (R, C, 3) of 0 to 1, so light that these can be told apart."""
    values = pixels.astype(np.float32) / 255
    if values.ndim == 2:
        values = np.repeat((1 - values if np.median(pixels) < DARK_GROUND else values)[:, :, np.newaxis], 3, axis=2)
    return 1 - LIGHTEST + LIGHTEST * values


def _painted(picture: Picture, weights: np.ndarray | None, lowest: float, largest: float) -> np.ndarray:
    """RGBA (R, C, 4) of 0 to 255: the image; with weights (L,), in the light below their colors."""
    if weights is None:
        pixels = picture.pixels if picture.pixels.ndim == 3 else np.repeat(picture.pixels[:, :, np.newaxis], 3, axis=2)
        return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    shares = np.ma.masked_invalid((weights - lowest) / (largest - lowest))
    colors = colors_of(lowest)(shares)  # (L, 4)
    painted = light(picture.pixels)
    for (top, left, bottom, right), color in zip(picture.boxes, colors, strict=True):
        painted[top:bottom, left:right] *= color[:3]
    return np.dstack([(painted * 255).astype(np.uint8), np.full(painted.shape[:2], 255, np.uint8)])


def _ends(weights: np.ndarray) -> tuple[float, float]:
    finite = weights[np.isfinite(weights)]
    largest = float(np.abs(finite).max(initial=0.0)) or 1.0
    return (-largest if finite.min(initial=0.0) < 0 else 0.0), largest


def _drawn(
    images: Sequence[np.ndarray],
    names: Sequence[str],
    picture: Picture,
    heading: str,
    ends: tuple[float, float],
    style: Style,
) -> Figure:
    families = fonts.families_for([heading, *names])
    heading = shorten(fonts.written(heading, families), style.cells)
    rows, columns = picture.pixels.shape[:2]
    room = (style.width or 9.6) - _SCALE - _EDGE
    panel = _WIDE_PANEL if columns >= WIDE * rows else _PANEL
    across = max(1, min(len(images), int((room + _GAP) / (panel + _GAP))))
    panel_width = min(panel * (1 if style.is_screen else 2), (room + _GAP) / across - _GAP)
    panel_height = max(_MIN_PANEL / 4, panel_width * rows / columns)
    down, head = math.ceil(len(images) / across), style.line + 0.06
    top = (style.line + 0.12) if heading else _EDGE
    height = top + down * (panel_height + head) + (down - 1) * _GAP + _EDGE
    width = _EDGE + across * panel_width + (across - 1) * _GAP + _SCALE
    width = style.width or max(width, fonts.width(heading, families, style.points) + 0.2)
    canvas = Canvas(width, height, families, style)
    for number, (image, name) in enumerate(zip(images, names, strict=True)):
        row, column = divmod(number, across)
        box = Box(
            _EDGE + column * (panel_width + _GAP),
            height - top - (row + 1) * (panel_height + head) - row * _GAP,
            panel_width,
            panel_height,
        )
        canvas.image(image, box, f"panel {number}")
        canvas.text(box.x + box.width / 2, box.y + box.height + 3 * POINT, name, "head", ha="center")
        for region in picture.regions:
            canvas.frame(_placed(region, box, rows, columns), hexadecimal(GOLD["light"]), 1.0)
    scale_height = min(max(panel_height, _MIN_PANEL), 1.6)
    scale_x = _EDGE + across * panel_width + (across - 1) * _GAP + 0.12
    canvas.scale(Box(scale_x, height - top - head - scale_height, 0.1, scale_height), ends, "weight")
    canvas.text(0.08, height - 0.06, heading, "title", va="top")
    return canvas.figure


def _placed(region: tuple[int, int, int, int], box: Box, rows: int, columns: int) -> Box:
    top, left, bottom, right = region
    step_x, step_y = box.width / columns, box.height / rows
    y = box.y + box.height - bottom * step_y
    return Box(box.x + left * step_x, y, (right - left) * step_x, (bottom - top) * step_y)
