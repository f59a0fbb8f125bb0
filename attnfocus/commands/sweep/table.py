"""The jobs of a sweep side by side: a table, results.csv, and the failures."""

import csv
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.text import Text

from attnfocus.display.console import say, writable
from attnfocus.display.tables import new_table, print_table
from attnfocus.display.text import duration, metric_name, number, short_key
from attnfocus.events import Direction
from attnfocus.files import csv_text, path_from
from attnfocus.regular_files import read_file, replace_file
from attnfocus.visible import visible

MAX_RESULTS_BYTES = 2**26
Mode = Literal["max", "min"]
Status = Literal["done", "failed", "interrupted", "pruned", "running", "waiting"]
FOCUS = ("focus/effective_positions", "focus/positions", "focus/normalized_entropy")  # summary.json has them all


@dataclass(frozen=True)
class JobResult:
    """One job. `overrides` are those that vary in the sweep; `monitor` is the metric that `value` is the best of, and
    `direction` (max, min) says which way it is better.
    """

    number: int
    overrides: Mapping[str, str]
    status: Status
    run_dir: Path
    seconds: float | None = None
    monitor: str | None = None
    value: float | None = None
    test: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    direction: Direction | None = None


def is_of_search(column: str) -> bool:
    """Whether a search adds the column to results.csv in the end."""
    return column.startswith("objective/") or column == "best"


def rows_of(path: Path) -> list[list[str]]:
    """The rows of a results.csv, its header first; none where it is not there or cannot be read."""
    try:
        text = read_file(path, MAX_RESULTS_BYTES).decode("utf-8", "replace")
        return list(csv.reader(io.StringIO(text)))
    except (OSError, csv.Error):
        return []


def _added_by_search(path: Path) -> dict[str, dict[str, str]]:
    """Number of a job -> column that a search has added -> its text."""
    header, *rows = rows_of(path) or [[]]
    lines = [dict(zip(header, row, strict=False)) for row in rows]
    return {line.get("number", ""): {name: text for name, text in line.items() if is_of_search(name)} for line in lines}


def write_results_csv(path: str | Path, jobs: Sequence[JobResult]) -> None:
    """Writes one row per job, in the order given, with every column that any of them has; never half a file.

    What a search has added to the file stays.

    Columns: number, overrides, status, monitor, value, `test/<metric>`, seconds, run_dir (as from the file's folder),
    error; of the measures of focus those of `FOCUS`. A missing or non-finite number is an empty field.
    """
    overrides, tests = _keys(job.overrides for job in jobs), _keys(job.test for job in jobs)
    tests = [key for key in tests if not key.startswith("focus/") or key in FOCUS]
    tails = ("seconds", "run_dir", "error")
    added = _added_by_search(Path(path))
    of_search = _keys(added.values())
    rows: list[list[object]] = [
        ["number", *overrides, "status", "monitor", "value", *(f"test/{key}" for key in tests), *tails, *of_search]
    ]
    for job in jobs:
        row: list[object] = [job.number, *(job.overrides.get(key, "") for key in overrides)]
        row += [job.status, job.monitor or "", _field(job.value)]
        row += [*(_field(job.test.get(key)) for key in tests), _field(job.seconds)]
        row += [path_from(Path(path).parent, job.run_dir), visible(job.error or "")]
        rows.append([*row, *(added.get(str(job.number), {}).get(key, "") for key in of_search)])
    replace_file(Path(path), csv_text(rows).encode("utf-8", "backslashreplace"))


def print_results(console: Console, jobs: Sequence[JobResult], mode: Mode = "max") -> None:
    """Prints the jobs, the best first; in a screen too narrow for the table, a few short lines per job."""
    ranked = sorted(jobs, key=lambda job: _rank(job, mode))
    overrides, tests = _keys(job.overrides for job in jobs), _keys(job.test for job in jobs)
    tests = [key for key in tests if not key.startswith("focus/")]
    monitor = next((job.monitor for job in jobs if job.monitor), None)
    table = new_table(console)
    table.add_column("", justify="right")
    for key in overrides:
        table.add_column(short_key(key, overrides))
    table.add_column("status")
    table.add_column(f"best {metric_name(monitor)}" if monitor else "best", justify="right")
    for key in tests:
        table.add_column(f"test {metric_name(key)}", justify="right")
    table.add_column("time", justify="right")
    for place, job in enumerate(ranked):
        cells = [str(job.number), *(job.overrides.get(key, "") for key in overrides), job.status, _shown(job.value)]
        cells += [*(_shown(job.test.get(key)) for key in tests), duration(job.seconds)]
        is_first = place == 0 and job.value is not None
        style = "red" if job.status == "failed" else "green" if is_first else ""
        table.add_row(*(Text(writable(console, cell)) for cell in cells), style=style)
    print_table(console, table)


def print_failures(console: Console, jobs: Sequence[JobResult]) -> None:
    """Prints what failed: the job's number and overrides, the error's first line, and its directory."""
    failed = [job for job in jobs if job.status == "failed"]
    if not failed:
        return
    say(console, f"{len(failed)} of {len(jobs)} jobs failed:", style="bold red")
    for job in failed:
        settings = " ".join(f"{key}={value}" for key, value in job.overrides.items())
        say(console, f"  {job.number}  {settings}".rstrip())
        lines = (job.error or "unknown error").strip().splitlines()
        say(console, f"     {lines[0]}", style="red")
        say(console, f"     {job.run_dir}", style="dim", wrap=False)


def print_unfinished(console: Console, jobs: Sequence[JobResult], command: str) -> None:
    """Prints how many jobs have not ended, and the command that goes on with all that is missing."""
    counts = Counter(job.status for job in jobs if job.status not in ("done", "failed"))
    if counts:
        parts = ", ".join(f"{number} {status}" for status, number in counts.items())
        say(console, f"{counts.total()} of {len(jobs)} jobs have not ended: {parts}", style="bold yellow")
    say(console, "to run what is missing:")
    say(console, f"  {command}", wrap=False)


def job_line(job: JobResult) -> str:
    """A job that has ended in a few words: `done, best exact match 0.8312, 12 s`."""
    best = f"best {metric_name(job.monitor)} {_shown(job.value)}" if job.monitor else ""
    return ", ".join(part for part in (job.status, best, duration(job.seconds)) if part)


def _keys(mappings: object) -> list[str]:
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))  # type: ignore[attr-defined]


def _rank(job: JobResult, mode: Mode) -> float:
    if job.value is None or not math.isfinite(job.value):
        return math.inf
    return -job.value if mode == "max" else job.value


def _field(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else repr(float(value))


def _shown(value: float | None) -> str:
    return "" if value is None else number(value)
