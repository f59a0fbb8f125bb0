"""What each head measured, did, and where it looked at some evaluations of a run, for the slider of a report.

Shapes: E evaluations, H heads, Q queries, K keys.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from attnfocus.commands.report.material import Material
from attnfocus.display.curves import thinned
from attnfocus.display.documents import embedded_json
from attnfocus.display.text import shorten
from attnfocus.focus.head_kinds import KINDS
from attnfocus.inspection.page import coded
from attnfocus.tasks.evaluation import source_text
from attnfocus.tracking.focus_drift import looked_at
from attnfocus.tracking.map_history import MAX_EXAMPLES, MAX_KEPT, MAX_SIDE, read_history
from attnfocus.tracking.metrics_file import HEADS_OF_KIND
from attnfocus.visible import visible

MAX_BYTES = 600_000  # of all maps in a page; with more, fewer examples
MAX_TEXT = 200  # cells of an input or an output
MAX_COUNTED = 12  # evaluations in the table of what heads do


def history_facts(material: Material) -> dict[str, Any]:
    """`steps`: of the evaluations; `heads`: at each, attention -> measure -> a value for each head; `examples`: of
    each its texts, and the maps of each attention over the evaluations, (E, H, Q, K), in integers; `kinds`: how many
    heads were of each kind, at other evaluations.

    The evaluations are those whose maps the run has kept, else at most 8 of those whose measures were logged.
    """
    measured = material.logged.heads
    history = read_history(material.run_dir)
    steps = list(history.kept) or thinned(list(measured), MAX_KEPT)
    rows = [example.row for example in looked_at(material.prepared, MAX_EXAMPLES)]
    examples: list[dict[str, Any]] = []
    room = MAX_BYTES
    for row, maps in zip(rows, history.common(), strict=False):
        if not maps:
            continue
        texts = {"source": source_text(row) if isinstance(row.input, str) else "", "target": str(row.target)}
        example = {
            "id": visible(row.id),
            **{name: visible(shorten(text, MAX_TEXT)) for name, text in texts.items()},
            "maps": _coded(maps),
        }
        room -= len(embedded_json(example))
        if room < 0:
            break
        examples.append(example)
    return {
        "steps": steps,
        "max_side": MAX_SIDE,
        "heads": [measured.get(step, {}) for step in steps],
        "examples": examples,
        "kinds": _kinds(material),
    }


def _kinds(material: Material) -> dict[str, Any]:
    """`steps`: of evaluations; `counts`: kind -> how many heads were of it at each, of the kinds that any was of."""
    valid = {line["step"]: line for line in material.lines if line["split"] == "valid"}
    counted = [line for line in valid.values() if any(name.startswith(HEADS_OF_KIND) for name in line)]
    lines = thinned(counted, MAX_COUNTED)
    counts = {kind: [line.get(f"{HEADS_OF_KIND}{kind}") or 0 for line in lines] for kind in KINDS}
    there = {kind: numbers for kind, numbers in counts.items() if any(numbers)}
    return {"steps": [line["step"] for line in lines], "counts": there}


def _coded(maps: Mapping[str, Tensor]) -> list[dict[str, Any]]:
    found = []
    for name, weights in maps.items():
        values: np.ndarray = weights.float().numpy()
        found.append({"name": name, "shape": list(values.shape), **coded(values, is_fine=False)})
    return found
