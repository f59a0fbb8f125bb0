"""The jobs of a sweep side by side: a table, results.csv, and the failures."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from attnfocus.report.console import break_words, is_plain, say, writable
from attnfocus.report.summary import replace_file
from attnfocus.report.text import duration, metric_name, number
from attnfocus.visible import visible

Mode = Literal["max", "min"]


@dataclass(frozen=True)
class JobResult:
    """One job. `overrides` are those that vary in the sweep; `monitor` is the metric that `value` is the best of."""

    overrides: Mapping[str, str]
    status: Literal["done", "failed", "interrupted"]
    run_dir: Path
    seconds: float | None = None
    monitor: str | None = None
    value: float | None = None
    test: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None


def write_results_csv(path: str | Path, jobs: Sequence[JobResult]) -> None:
    """Writes one row per job, in the order given, with every column that any of them has; never half a file.

    Columns: number, overrides, status, monitor, value, `test/<metric>`, seconds, run_dir, error. A missing or
    non-finite number is an empty field.
    """
    overrides, tests = _keys(job.overrides for job in jobs), _keys(job.test for job in jobs)
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    tails = ("seconds", "run_dir", "error")
    writer.writerow(["number", *overrides, "status", "monitor", "value", *(f"test/{key}" for key in tests), *tails])
    for index, job in enumerate(jobs):
        row = [index, *(job.overrides.get(key, "") for key in overrides), job.status, job.monitor or ""]
        row += [_field(job.value), *(_field(job.test.get(key)) for key in tests), _field(job.seconds)]
        writer.writerow([*row, str(job.run_dir), visible(job.error or "")])
    replace_file(Path(path), buffer.getvalue().encode("utf-8", "backslashreplace"))


def print_results(console: Console, jobs: Sequence[JobResult], mode: Mode = "max") -> None:
    """Prints the jobs, the best first; in a screen too narrow for the table, a few short lines per job."""
    ranked = sorted(enumerate(jobs), key=lambda pair: _rank(pair[1], mode))
    overrides, tests = _keys(job.overrides for job in jobs), _keys(job.test for job in jobs)
    tests = [key for key in tests if not key.startswith("focus/")]
    monitor = next((job.monitor for job in jobs if job.monitor), None)
    table = _table(console)
    table.add_column("", justify="right")
    for key in overrides:
        table.add_column(_short(key, overrides))
    table.add_column("status")
    table.add_column(f"best {metric_name(monitor)}" if monitor else "best", justify="right")
    for key in tests:
        table.add_column(f"test {metric_name(key)}", justify="right")
    table.add_column("time", justify="right")
    for place, (index, job) in enumerate(ranked):
        cells = [str(index), *(job.overrides.get(key, "") for key in overrides), job.status, _shown(job.value)]
        cells += [*(_shown(job.test.get(key)) for key in tests), duration(job.seconds)]
        is_first = place == 0 and job.value is not None
        style = "red" if job.status == "failed" else "green" if is_first else ""
        table.add_row(*(Text(writable(console, cell)) for cell in cells), style=style)
    _print_table(console, table)


def print_failures(console: Console, jobs: Sequence[JobResult]) -> None:
    """Prints what failed: the job's number and overrides, the error's first line, and its directory."""
    failed = [(index, job) for index, job in enumerate(jobs) if job.status == "failed"]
    if not failed:
        return
    say(console, f"{len(failed)} of {len(jobs)} jobs failed:", style="bold red")
    for index, job in failed:
        settings = " ".join(f"{key}={value}" for key, value in job.overrides.items())
        say(console, f"  {index}  {settings}".rstrip())
        lines = (job.error or "unknown error").strip().splitlines()
        say(console, f"     {lines[0]}", style="red")
        say(console, f"     {job.run_dir}", style="dim", wrap=False)


def _table(console: Console) -> Table:
    from rich import box

    plain = is_plain(console)
    return Table(box=None if plain else box.SIMPLE_HEAD, pad_edge=False, header_style="" if plain else "dim")


def _print_table(console: Console, table: Table) -> None:
    """The table when it fits; otherwise its rows as lines of `header value`."""
    width = console.measure(table, options=console.options.update(width=100_000)).maximum
    if width <= console.width:
        # A plain table would be padded to its full width with spaces.
        with console.capture() as capture:
            console.print(table)
        lines = "\n".join(line.rstrip() for line in capture.get().splitlines())
        console.out(lines, highlight=False) if is_plain(console) else console.print(table)
        return
    numbers, *columns = ((str(column.header), [str(cell) for cell in column.cells]) for column in table.columns)
    for row in range(table.row_count):
        parts = [f"{header} {cells[row]}" for header, cells in columns if cells[row]]
        for line in break_words("  ".join([numbers[1][row], *parts]), console.width, between="  "):
            say(console, line)


def _keys(mappings: object) -> list[str]:
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))  # type: ignore[attr-defined]


def _short(key: str, keys: Sequence[str]) -> str:
    """The last part of a dotted key where that is unambiguous."""
    last = key.rsplit(".", 1)[-1]
    return key if sum(other.rsplit(".", 1)[-1] == last for other in keys) > 1 else last


def _rank(job: JobResult, mode: Mode) -> float:
    if job.value is None or not math.isfinite(job.value):
        return math.inf
    return -job.value if mode == "max" else job.value


def _field(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else repr(float(value))


def _shown(value: float | None) -> str:
    return "" if value is None else number(value)
