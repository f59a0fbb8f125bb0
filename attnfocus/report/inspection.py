"""What `inspect` found, as an object: printed, saved as a page, figures and JSON, and shown in a notebook.

Shapes: H heads, Q queries, K keys.
"""

import html
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from attnfocus.report.console import plain_console
from attnfocus.report.summary import replace_file, strict_json
from attnfocus.report.text import number
from attnfocus.tasks import FocusMap, Inspected
from attnfocus.tasks.focused import focus_table

Kind = Literal["text", "vectors"]  # what the positions of an input are
InspectFile = Literal["html", "png", "json"]

PAGE_FILE, JSON_FILE = "index.html", "inspect.json"
MAX_VALUES = 24_000_000  # weights that one page or JSON file holds; 12 layers of 12 heads at 200 tokens are 5.8 million
_DECIMALS = 5


@dataclass(frozen=True, repr=False)
class Inspection:
    """Some examples of a run, and where it looked.

    Attributes:
        facts: what the run is: `run`, `model`, `attention`, `dataset`, `checkpoint`, `step`.
        kind: whether the positions of an input are tokens of a text or vectors.
        examples: in the order asked for.
        verdict: how far the weights can be read as an explanation; None when that was not tested.
        faithfulness: the numbers behind it.
    """

    facts: Mapping[str, str | int]
    kind: Kind
    examples: tuple[Inspected, ...]
    verdict: str | None = None
    faithfulness: Mapping[str, float] = field(default_factory=dict)

    def save(self, folder: str | Path, files: Sequence[InspectFile] = get_args(InspectFile)) -> list[Path]:
        """Writes the page, a figure for each map, and the numbers as JSON; makes the folder if need be.

        Raises:
            OSError: it cannot be written.
        """
        folder = Path(folder).expanduser()
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
        from attnfocus.report.page import page_of

        return page_of(self)

    def as_facts(self) -> dict[str, Any]:
        """Everything, in types that JSON has."""
        return {
            **self.facts,
            "kind": self.kind,
            "verdict": self.verdict,
            "faithfulness": dict(self.faithfulness),
            "examples": [
                _example_facts(example, place in self.left_out) for place, example in enumerate(self.examples)
            ],
        }

    @cached_property
    def left_out(self) -> frozenset[int]:
        """The examples whose maps are in no page and no JSON: together with those before they would be too large."""
        total, found = 0, set()
        for place, example in enumerate(self.examples):
            total += sum(each.weights.size for each in example.maps)
            if total > MAX_VALUES:
                found.add(place)
        return frozenset(found)

    def _save_figures(self, folder: Path) -> list[Path]:
        from attnfocus.report.figures import heat_map, to_png

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
        from attnfocus.report.inspection_terminal import print_inspection

        stream = io.StringIO()
        print_inspection(plain_console(stream, width=100), self)
        return stream.getvalue().rstrip()

    def _repr_html_(self) -> str:
        """For notebooks: the page in a frame that can reach nothing outside."""
        page = html.escape(self.page(), quote=True)
        style = "width:100%;height:760px;border:1px solid #8884;border-radius:6px"
        return f'<iframe sandbox="allow-scripts" style="{style}" title="attention" srcdoc="{page}"></iframe>'


def title_of(each: FocusMap) -> str:
    """`attention, cross`, or `gradient input`."""
    method = each.method.replace("_", " ")
    return f"{method}, {each.name}" if each.name else method


def focus_rows(each: FocusMap) -> list[Mapping[str, float]]:
    """The measures of each head, means over its queries; none for a head that looked nowhere."""
    found = {row.head: row.measures for row in focus_table({each.name: each.weights}).rows}
    return [found.get(head, {}) for head in range(len(each.heads))]


def likelihood(score: float) -> str:
    """A log probability as people read it: as a probability, unless that is tiny; empty where there is none."""
    if not math.isfinite(score):
        return ""
    likely = math.exp(min(score, 0.0))
    return f"probability {number(likely)}" if likely >= 0.001 else f"log probability {number(score)}"


def _example_facts(example: Inspected, is_left_out: bool) -> dict[str, Any]:
    answer = example.prediction
    facts: dict[str, Any] = {"id": answer.id, "source": answer.source, "target": answer.target}
    if answer.skipped is not None:
        return {**facts, "skipped": answer.skipped}
    facts |= {"prediction": answer.text, "score": answer.score}
    if is_left_out:
        return {**facts, "left_out": "too many weights for one file: choose a layer or head, or fewer examples"}
    return {**facts, "maps": [_map_facts(each) for each in example.maps]}


def _map_facts(each: FocusMap) -> dict[str, Any]:
    return {
        "method": each.method,
        "attention": each.name,
        "heads": list(each.heads),
        "queries": list(each.query_tokens),
        "keys": list(each.key_tokens),
        "weights": each.weights.astype(float).round(_DECIMALS).tolist(),
        "focus": focus_rows(each) if each.method == "attention" else [],
    }


def _write(path: Path, content: bytes) -> Path:
    replace_file(path, content)
    return path
