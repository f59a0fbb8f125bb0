"""Weights of the positions of an image on the screen: a small grid of shades; in a pipe, of numbers.

Shapes: L positions of the image, K keys.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from rich.console import Console
from rich.text import Text

from attnfocus.display.console import is_plain, writable
from attnfocus.display.palette import Mode, terminal_style
from attnfocus.grid import Picture
from attnfocus.inspection.scale import Scale

INK = 40  # of 255: how far the mean of a position must be from the ground to have a mark
MARK = "▪"


def picture_lines(console: Console, mode: Mode, picture: Picture, weights: np.ndarray, scale: Scale) -> list[Text]:
    """A line for each row of positions, with a mark where the image is not its ground; weights (K,), K >= L.

    In a pipe each position has its weight in hundredths instead.
    """
    of_positions = weights[-len(picture.boxes) :]
    ground = float(np.median(picture.pixels))
    lines = []
    for row in _rows(picture):
        line = Text("   ")
        for place in row:
            weight = float(of_positions[place])
            if is_plain(console):
                line.append(f"{100 * weight:4.0f}")
                continue
            top, left, bottom, right = picture.boxes[place]
            has_ink = abs(float(picture.pixels[top:bottom, left:right].mean()) - ground) > INK
            mark = writable(console, MARK) if has_ink else " "
            line.append(f"{mark} ", style=terminal_style(scale.share(weight), mode))
        lines.append(line)
    return lines


def _rows(picture: Picture) -> Iterator[Sequence[int]]:
    """The positions of each row, from the top."""
    tops = np.asarray(picture.boxes)[:, 0]
    for top in np.unique(tops):
        yield np.flatnonzero(tops == top).tolist()
