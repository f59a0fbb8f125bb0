"""compare.html: a comparison as one offline page: tables, curves, differences, and one example under all attentions."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from attnfocus.commands.compare.page.curves import Curves
from attnfocus.commands.compare.page.facts import page_facts
from attnfocus.commands.compare.sections import Section
from attnfocus.display.documents import DOCUMENTS, asset, document, script_of, style_of
from attnfocus.inspection.side_by_side import Looks

SCRIPTS = (
    (DOCUMENTS, ("elements", "language", "numbers", "chart", "palette", "pixels")),
    (__name__, ("words", "runs", "curves", "forest", "shades", "example", "main")),
)


def page_of(
    sections: Sequence[Section],
    curves: Sequence[Curves],
    looks: Mapping[str, Looks],
    left_out: Mapping[Path, str],
    origin: Mapping[str, str],
    folder: Path,
) -> str:
    """The document, in ASCII.

    Args:
        curves: of each section.
        looks: title of a section -> one example under its configurations.
        origin: when and by which command.
        folder: from which run directories are named.
    """
    data = page_facts(sections, curves, looks, left_out, origin, folder)
    style, script = style_of(((DOCUMENTS, ("charts.css",)), (__name__, ("page.css",)))), script_of(SCRIPTS)
    return document("attnfocus compare", asset(__package__, "page.html"), style, script, data)
