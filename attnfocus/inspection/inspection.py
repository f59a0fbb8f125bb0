"""What `inspect` found, as an object: printed, saved as a page, figures and JSON, and shown in a notebook.

Shapes: H heads, Q queries, K keys.
"""

import html
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from attnfocus.display.console import plain_console
from attnfocus.display.figure_choices import FigureFile, StyleName, WidthName
from attnfocus.files import strict_json
from attnfocus.inspection.content import Content
from attnfocus.inspection.page import page_of
from attnfocus.regular_files import replace_file

InspectFile = Literal["html", "png", "pdf", "svg", "csv", "json"]
USUAL_FILES: tuple[InspectFile, ...] = ("html", "png", "json")

PAGE_FILE, JSON_FILE = "index.html", "inspect.json"


class Inspection(Content):
    """Some examples of a run, and where it looked; see `Content` for its attributes."""

    def save(
        self,
        folder: str | Path,
        files: Sequence[InspectFile] = USUAL_FILES,
        *,
        style: StyleName = "screen",
        width: WidthName | None = None,
    ) -> list[Path]:
        """Writes the page, a figure for each map with its caption, and the numbers; makes the folder if need be.

        Args:
            files: the page (`html`), figures (`png`, `pdf`, `svg`), a table for each map (`csv`), all numbers (`json`).
            style: of the figures: for a `screen`, or letters and widths of a `paper`.
            width: of a figure of a paper: `column` (3.3 inches) or `page` (6.9); None: what its labels need.

        Raises:
            OSError: it cannot be written.
        """
        folder = Path(folder).expanduser().resolve()
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        if "html" in files:
            written.append(_write(folder / PAGE_FILE, self.page().encode("ascii")))
        if "json" in files:
            text = json.dumps(strict_json(self.as_facts()), ensure_ascii=False, separators=(",", ":"))
            written.append(_write(folder / JSON_FILE, text.encode("utf-8", "backslashreplace")))
        kinds = [kind for kind in get_args(FigureFile) if kind in files]
        if kinds or "csv" in files:
            from attnfocus.inspection.figure_files import write_maps  # loads matplotlib

            written += write_maps(self, folder, kinds, with_csv="csv" in files, style=style, width=width)
        return written

    def page(self) -> str:
        """One HTML document that needs nothing else, in ASCII."""
        return page_of(self)

    def __repr__(self) -> str:
        from attnfocus.inspection.terminal import print_inspection

        stream = io.StringIO()
        print_inspection(plain_console(stream, width=100), self)
        return stream.getvalue().rstrip()

    def _repr_html_(self) -> str:
        """For notebooks: the page in a frame that can reach nothing outside."""
        page = html.escape(self.page(), quote=True)
        style = "width:100%;height:760px;border:1px solid #8884;border-radius:6px"
        return f'<iframe sandbox="allow-scripts" style="{style}" title="attention" srcdoc="{page}"></iframe>'


def _write(path: Path, content: bytes) -> Path:
    replace_file(path, content)
    return path
