"""Figures as files: each in all kinds that were asked for, for a screen or a paper, and its caption in a text file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from attnfocus.display.canvas import SCREEN, Style, paper, to_file
from attnfocus.display.figure_choices import CAPTION_FILE, FigureFile, FigureOptions
from attnfocus.regular_files import replace_file
from attnfocus.visible import visible_lines


@dataclass(frozen=True)
class Drawing:
    """A figure that can be drawn for a screen and for a paper.

    Attributes:
        name: of its files, without their endings.
        draw: makes the figure anew.
        caption: what a reader must know to read it.
        is_wide: it needs the width of a page, where no width was chosen.
    """

    name: str
    draw: Callable[[Style], Figure]
    caption: str
    is_wide: bool = False

    def style(self, options: FigureOptions) -> Style:
        if options.style == "screen":
            return SCREEN
        return paper(options.width or ("page" if self.is_wide else "column"))


def write_drawings(folder: Path, drawings: Sequence[Drawing], options: FigureOptions) -> list[Path]:
    """Writes each figure in all kinds, and its caption.

    Raises:
        OSError: one cannot be written.
    """
    written = []
    for each in drawings:
        draw = partial(each.draw, each.style(options))
        # Drawn anew for each kind: a layout moves by a hair when it is made again, for another resolution.
        written += write_figure(folder / each.name, options.files, draw, each.caption)
    return written


def write_figure(path: Path, kinds: Sequence[FigureFile], draw: Callable[[], Figure], caption: str) -> list[Path]:
    """One figure. No kinds: nothing is drawn or written.

    Args:
        path: without the ending, which the kinds give.
    """
    if not kinds:
        return []
    files: dict[str, bytes] = {kind: to_file(draw(), kind) for kind in dict.fromkeys(kinds)}
    files[CAPTION_FILE] = f"{visible_lines(caption.rstrip())}\n".encode("utf-8", "backslashreplace")
    written = []
    for ending, content in files.items():
        written.append(path.with_name(f"{path.name}.{ending}"))
        replace_file(written[-1], content)
    return written
