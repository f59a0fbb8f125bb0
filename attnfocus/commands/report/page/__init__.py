"""report.html: a run as one offline page, made of the page of an inspection and what is known besides."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attnfocus.commands.report.answers import Row, facts_of, in_turn
from attnfocus.commands.report.evidence import evidence_of
from attnfocus.commands.report.examples import Examples, examples_of
from attnfocus.commands.report.facts import example_facts, report_facts
from attnfocus.commands.report.history import history_facts
from attnfocus.commands.report.material import Material
from attnfocus.display.documents import DOCUMENTS, asset, document, embedded_json, script_of, style_of
from attnfocus.inspection import page as inspection_page

MAX_BYTES = 3_000_000
MAX_LISTED = 1_000_000  # bytes of the rows that are listed; the rest is for the examples
SCRIPTS = (*inspection_page.SCRIPTS, (__name__, ("words",)), inspection_page.START)
OWN_SCRIPTS = (  # with names of their own
    (DOCUMENTS, ("elements", "numbers", "chart")),
    (__name__, ("head", "curves", "confusion", "errors", "history", "grid", "data", "main")),
)
STYLES = (inspection_page.STYLES, (DOCUMENTS, ("charts.css",)), (__name__, ("page.css",)))


def page_of(material: Material) -> str:
    """The document, in ASCII, below 3 MB: rows of the list and examples that have no room are left out."""
    found = examples_of(material)
    inspected = inspection_page.page_data(found.content)
    facts = {**report_facts(material), "history": history_facts(material)}
    listed = rows_within(material.answers.listed(), MAX_LISTED)
    evidence = evidence_of(material)
    shell = {**inspected, "examples": [], "report": {**facts, **example_facts(found, listed, evidence)}}
    kept = kept_examples(found, [_size(each) for each in inspected["examples"]], MAX_BYTES - len(_document(shell)))
    shown = found if len(kept) == len(inspected["examples"]) else found.only(kept)
    examples = [inspected["examples"][place] for place in kept]
    return _document({**shell, "examples": examples, "report": {**facts, **example_facts(shown, listed, evidence)}})


def kept_examples(found: Examples, sizes: Sequence[int], room: int) -> list[int]:
    """Places of the examples that fit, the first of each group before the second of each; at least one.

    Args:
        sizes: bytes of each.
        room: bytes of all.
    """
    kept: list[int] = []
    for _, place in in_turn(found.groups) or [("", 0)]:
        if not kept or sizes[place] <= room:
            room -= sizes[place]
            kept.append(place)
    return sorted(kept)


def rows_within(rows: Sequence[Row], room: int) -> list[Row]:
    """The first rows, as many as have room."""
    sizes = np.cumsum([_size(facts_of(row, None)) for row in rows])
    return list(rows[: int(np.searchsorted(sizes, room, side="right"))])


def _size(facts: Mapping[str, Any]) -> int:
    return len(embedded_json(facts)) + 1  # with its comma


def _document(data: Mapping[str, Any]) -> str:
    body = asset(__name__, "page.html").replace("%examples%", inspection_page.body())
    return document("attnfocus report", body, style_of(STYLES), script_of(SCRIPTS, OWN_SCRIPTS), data)
