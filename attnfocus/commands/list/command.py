"""`attnfocus list [DIR ...]`: the runs below a folder, newest first."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.text import Text

from attnfocus.commands.list.runs import GROUPS, ListedRun, listed_runs
from attnfocus.config.read import check
from attnfocus.display.console import open_console, say, writable
from attnfocus.display.tables import new_table, print_table
from attnfocus.display.text import metric_name, number
from attnfocus.files import csv_text, strict_json
from attnfocus.limits import PositiveInt
from attnfocus.marks import FilePath

STYLES = {"completed": "green", "running": "cyan", "failed": "red", "damaged": "red"}
FIRST = "attnfocus train model=seq2seq attention=additive"


@dataclass(kw_only=True)
class ListPaths:
    """Of its own: what all runs share loads torch, and a list should not take two seconds."""

    outputs: FilePath = "outputs"


@dataclass(kw_only=True)
class ListConfig:
    """configs/list.yaml."""

    folders: list[FilePath]
    limit: PositiveInt | None = 20
    format: Literal["table", "csv", "json"] = "table"
    paths: ListPaths = field(default_factory=ListPaths)


def run(values: Mapping[str, Any], overrides: Sequence[str]) -> int:
    """Prints the runs.

    Returns:
        The exit code.
    """
    config = check(values, ListConfig)
    outputs = Path(config.paths.outputs).expanduser()
    folders = [Path(folder).expanduser() for folder in config.folders] or [outputs] * outputs.exists()
    runs, total = listed_runs(folders, config.limit)
    if config.format == "table":
        _show(runs, total, config.folders or [config.paths.outputs])
    else:
        records = [run.facts() for run in runs]
        text = f"{json.dumps(strict_json(records), indent=2)}\n" if config.format == "json" else _csv(records)
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))  # a folder's name may be no text
        sys.stdout.buffer.flush()
    return 0


def _csv(records: Sequence[Mapping[str, Any]]) -> str:
    columns = ["name", "status", *GROUPS, "split", "metric", "value", "age_seconds", "num_bytes", "path"]
    return csv_text([columns, *([record[column] for column in columns] for record in records)])


def _show(runs: Sequence[ListedRun], total: int, places: Sequence[str]) -> None:
    console, beside = open_console(sys.stdout), open_console()
    if not runs:
        say(beside, f"There are no runs below {', '.join(places)} yet. The first:\n  {FIRST}", wrap=False)
        return
    _print_runs(console, runs)
    if total > len(runs):
        say(beside, f"{len(runs)} of {total} runs; limit=null shows all.", style="dim")
    say(beside, "A run is named by what stands first, or by latest:", style="dim")
    say(beside, f"  attnfocus evaluate run={runs[0].name}", wrap=False)


def _print_runs(console: Console, runs: Sequence[ListedRun]) -> None:
    table = new_table(console)
    for name in ("run", "status", *GROUPS, "metric"):
        table.add_column(name)
    for name in ("age", "size"):
        table.add_column(name, justify="right")
    for each in runs:
        metric = "" if each.value is None else f"{each.split} {metric_name(each.metric)} {number(each.value)}"
        cells = [each.name, each.status, *(each.choices.get(group, "?") for group in GROUPS), metric]
        cells += [age_text(each.age_seconds), size_text(each.num_bytes)]
        texts = [Text(writable(console, cell)) for cell in cells]
        texts[1].stylize(STYLES.get(each.status, "yellow"))
        table.add_row(*texts)
    print_table(console, table)


def age_text(seconds: float) -> str:
    """In the largest unit that there is one of: `40 s`, `9 min`, `3 h`, `12 d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def size_text(num_bytes: int) -> str:
    """`640 kB`, `12 MB`: in powers of 1000."""
    amount = float(num_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}"
