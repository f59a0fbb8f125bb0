"""report.html: a run as one offline page, made of the page of an inspection and what is known besides."""

from dataclasses import replace
from typing import Any

from attnfocus.commands.report.examples import Examples, examples_of
from attnfocus.commands.report.facts import report_facts
from attnfocus.commands.report.material import Material
from attnfocus.display.documents import DOCUMENTS, asset, document, script_of, style_of
from attnfocus.inspection import page as inspection_page

MAX_BYTES = 3_000_000
SCRIPTS = (inspection_page.SCRIPTS, (__name__, ("words",)), inspection_page.START)
OWN_SCRIPTS = (  # with names of their own
    (DOCUMENTS, ("elements", "numbers", "chart")),
    (__name__, ("head", "curves", "confusion", "errors", "grid", "data", "main")),
)
STYLES = (inspection_page.STYLES, (DOCUMENTS, ("charts.css",)), (__name__, ("page.css",)))


def page_of(material: Material) -> str:
    """The document, in ASCII, below 3 MB: examples are left out from the last on until it is."""
    found = examples_of(material)
    page = _drawn(material, found)
    while len(page) > MAX_BYTES and len(found.content.examples) > 1:
        found = _with_one_less(found)
        page = _drawn(material, found)
    return page


def _drawn(material: Material, found: Examples) -> str:
    template = asset(__name__, "page.html").replace("%body%", inspection_page.body())
    data: dict[str, Any] = {
        **inspection_page.page_data(found.content),
        "report": report_facts(material, found),
    }
    return document(template, style_of(STYLES), script_of(SCRIPTS, OWN_SCRIPTS), data)


def _with_one_less(found: Examples) -> Examples:
    last = len(found.content.examples) - 1
    groups = {name: [place for place in places if place < last] for name, places in found.groups.items()}
    return Examples(
        replace(found.content, examples=found.content.examples[:last]),
        {name: places for name, places in groups.items() if places},
        found.ids[:last],
        "Examples with many weights are left out, so that the page stays below 3 MB.",
    )
