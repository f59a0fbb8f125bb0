"""What a command says last: the result, where it is, and what to try next."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console

from attnfocus.display.console import say
from attnfocus.display.tables import aligned
from attnfocus.display.text import focus_phrase, metric_name, number
from attnfocus.events import Best


@dataclass(frozen=True)
class Result:
    """The end of a run.

    `metrics` maps a split to its metrics; `next_commands` are whole lines to copy, at most three; `remark` comes last.
    """

    run_dir: Path
    metrics: Mapping[str, Mapping[str, float]]
    best: Best | None = None
    next_commands: Sequence[str] = field(default=())
    remark: str = ""


def print_result(console: Console, result: Result) -> None:
    """Prints the metrics side by side by split, then directory and commands, unwrapped."""
    say(console, "")
    tables = [metric_lines(result.metrics)]
    if max(map(cell_len, tables[0])) > console.width:
        tables = [metric_lines({split: values}) for split, values in result.metrics.items()]
    for lines in tables if result.metrics else []:
        for index, line in enumerate(lines):
            say(console, line, style="dim" if index == 0 else "", wrap=False)
    if result.best is not None:
        best = result.best
        say(console, f"best {metric_name(best.metric)} {number(best.value)} at step {best.step:,}", style="green")
    say(console, f"\nrun  {shlex.quote(str(result.run_dir))}", wrap=False)
    if result.next_commands:
        say(console, "next", style="dim")
        for command in result.next_commands:
            say(console, f"  {command}", style="cyan", wrap=False)
    if result.remark:
        say(console, result.remark, style="yellow", wrap=False)


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
