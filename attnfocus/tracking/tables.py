"""Tables of a run in markdown, in which no text of the data is taken for markup."""

import re
from collections.abc import Mapping, Sequence

from attnfocus.display.text import metric_name, number, shorten
from attnfocus.events import Sample
from attnfocus.redaction import hide
from attnfocus.visible import visible

MAX_CELLS = 300  # of a text; the page of the run and `inspect` show all of it


def samples_table(samples: Sequence[Sample], split: str) -> str:
    """What was given, wanted and predicted, and whether that is right."""
    head = [f"row of {split}", "source", "target", "prediction"]
    judged = any(sample.is_right is not None for sample in samples)
    lines = [head[:1] + ["right"] * judged + head[1:]]
    lines.append(["---"] * len(lines[0]))
    for sample in samples:
        texts = [cell(text) for text in (sample.id, sample.source, sample.target, sample.prediction)]
        verdict = ["yes" if sample.is_right else "**no**"] * judged
        lines.append(texts[:1] + verdict + texts[1:])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def metrics_table(metrics: Mapping[str, float], step: int) -> str:
    """The metrics of the checkpoint that was tested."""
    rows = [f"| {cell(metric_name(name.replace('/', ': ')))} | {number(value)} |" for name, value in metrics.items()]
    return "\n".join([f"| of the checkpoint of step {step:,} | test |", "|---|---|", *rows])


def cell(text: str) -> str:
    """The text so that nothing in it is taken for markup."""
    shown = shorten(visible(hide(text)), MAX_CELLS)
    escaped = re.sub(r"([\\`*_{}\[\]()#+!|.-])", r"\\\1", shown)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") or "∅"
