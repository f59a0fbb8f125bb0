"""What a command says last: the result, where it is, and what to try next."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console

from attnfocus.display.classes import MAX_CLASSES, ClassTable
from attnfocus.display.console import say
from attnfocus.display.samples import SampleAnswer, print_samples
from attnfocus.display.tables import aligned
from attnfocus.display.text import focus_phrase, metric_name, number
from attnfocus.events import Best

MAX_MATRIX = 100  # columns of a confusion matrix, also where nothing wraps


@dataclass(frozen=True)
class Result:
    """The end of a run.

    `metrics` maps a split to its metrics; `baselines` maps the name of a simpler answer to its accuracy, or squared
    error, by split, which is shown below the model's own; `classes` are those of the test split, where answers are
    classes; `samples` are answers of the test split; `next_commands` are whole lines to copy; `remark` comes last.
    """

    run_dir: Path
    metrics: Mapping[str, Mapping[str, float]]
    best: Best | None = None
    next_commands: Sequence[str] = field(default=())
    remark: str = ""
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    classes: ClassTable | None = None
    samples: Sequence[SampleAnswer] = ()


def print_result(console: Console, result: Result) -> None:
    """Prints the metrics side by side by split, then directory and commands, unwrapped."""
    say(console, "")
    metrics = {split: _with_baselines(split, values, result.baselines) for split, values in result.metrics.items()}
    tables = [metric_lines(metrics)]
    if max(map(cell_len, tables[0])) > console.width:
        tables = [metric_lines({split: values}) for split, values in metrics.items()]
    for lines in tables if result.metrics else []:
        for index, line in enumerate(lines):
            say(console, line, style="dim" if index == 0 else "", wrap=False)
    if result.best is not None:
        best = result.best
        say(console, f"best {metric_name(best.metric)} {number(best.value)} at step {best.step:,}", style="green")
    if result.classes is not None:
        print_classes(console, result.classes)
    if result.samples:
        say(console, "")
        print_samples(console, result.samples)
    say(console, f"\nrun  {shlex.quote(str(result.run_dir))}", wrap=False)
    if result.next_commands:
        say(console, "next", style="dim")
        for command in result.next_commands:
            say(console, f"  {command}", style="cyan", wrap=False)
    if result.remark:
        say(console, result.remark, style="yellow", wrap=False)


def print_classes(console: Console, classes: ClassTable) -> None:
    """Prints how well each class was told from the others, and what was taken for what where that fits."""
    say(console, "")
    for index, line in enumerate(classes.lines(console.width)):
        say(console, line, style="dim" if index == 0 else "", wrap=False)
    lines = classes.matrix_lines() if len(classes.labels) <= MAX_CLASSES else []
    if lines and max(map(cell_len, lines)) <= min(console.width, MAX_MATRIX):
        say(console, "")
        for index, line in enumerate(lines):
            say(console, line, style="dim" if index == 0 else "", wrap=False)


def _with_baselines(
    split: str, metrics: Mapping[str, float], baselines: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """The metrics, with those of the baselines below the accuracy, or the squared error, that they stand beside."""
    known = {f"{name} baseline": values[split] for name, values in baselines.items() if split in values}
    shown: dict[str, float] = {}
    for name, value in metrics.items():
        shown[name] = value
        if name in ("accuracy", "mse"):
            shown |= known
    return shown


def metric_lines(metrics: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A header and a line per metric; the columns are the splits."""
    names = list(dict.fromkeys(name for values in metrics.values() for name in values if not name.startswith("focus/")))
    rows = [["", *metrics]]
    rows += [
        [metric_name(name), *(number(values[name]) if name in values else "" for values in metrics.values())]
        for name in names
    ]
    focus = [focus_phrase(values, unit="") or "" for values in metrics.values()]
    if any(focus):
        rows.append(["focus (positions)", *focus])
    return aligned(rows)
