"""What `inspect` found, as an object: printed, saved as a page, figures and JSON, and shown in a notebook.

Shapes: H heads, Q queries, K keys.
"""

import html
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from attnfocus.display.console import plain_console
from attnfocus.files import strict_json
from attnfocus.inspection.content import Content, title_of
from attnfocus.inspection.page import page_of
from attnfocus.regular_files import replace_file

InspectFile = Literal["html", "png", "json"]

PAGE_FILE, JSON_FILE = "index.html", "inspect.json"


class Inspection(Content):
    """Some examples of a run, and where it looked; see `Content` for its attributes."""

    def save(self, folder: str | Path, files: Sequence[InspectFile] = get_args(InspectFile)) -> list[Path]:
        """Writes the page, a figure for each map, and the numbers as JSON; makes the folder if need be.

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
        if "png" in files:
            written += self._save_figures(folder)
        return written

    def page(self) -> str:
        """One HTML document that needs nothing else, in ASCII."""
        return page_of(self)

    def _save_figures(self, folder: Path) -> list[Path]:
        from attnfocus.display.figures import heat_map, to_png

        written = []
        for place, example in enumerate(self.examples, 1):
            for each in example.maps:
                title = f"{title_of(each)}: {example.prediction.text}"
                figure = heat_map(each.weights, each.query_tokens, each.key_tokens, title, heads=each.heads)
                name = "_".join(filter(None, (str(place), each.method, each.name)))
                path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)}.png"
                written.append(_write(path, to_png(figure)[0]))
        return written

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
