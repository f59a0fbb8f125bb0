"""What a search has found, on a screen and as plain values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.text import Text

from attnfocus.commands.sweep.table import is_of_search, rows_of
from attnfocus.display.console import writable
from attnfocus.display.tables import new_table, print_table
from attnfocus.display.text import metric_name, number, short_key
from attnfocus.files import csv_text
from attnfocus.regular_files import replace_file

MAX_SHOWN = 5  # trials of the table
ALIKE = "most trials are equally good"  # why nothing is important


@dataclass(frozen=True)
class Trial:
    """One trial. `values` are empty unless it completed; `reports` are what its pruner has seen, by step;
    `run_dir` is named as from the sweep's folder.
    """

    number: int
    status: Literal["completed", "pruned", "failed", "running"]
    params: Mapping[str, Any]
    values: tuple[float, ...] = ()
    reports: Mapping[int, float] | None = None
    run_dir: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class SearchResult:
    """A search. `best` are the numbers of the best trial, or of those of the Pareto front; `importances` has a mapping
    for each objective: key -> share, together 1; empty where too few trials completed.
    """

    objectives: tuple[str, ...]
    directions: tuple[Literal["max", "min"], ...]
    trials: tuple[Trial, ...]
    best: tuple[int, ...]
    importances: tuple[Mapping[str, float], ...]

    def count(self, status: str) -> int:
        return sum(trial.status == status for trial in self.trials)

    @property
    def counts(self) -> str:
        """`20 trials: 14 completed, 6 pruned`."""
        statuses = ("completed", "pruned", "failed", "running")
        parts = [f"{count} {status}" for status in statuses if (count := self.count(status))]
        return f"{len(self.trials)} trials: {', '.join(parts) or 'none'}"

    @property
    def are_equal(self) -> bool:
        """Whether several trials completed, all with the same values."""
        values = [trial.values for trial in self.trials if trial.values]
        return len(values) > 1 and len(set(values)) == 1

    @property
    def why_none_important(self) -> str:
        """Why no key has an importance; empty where one has."""
        if any(self.importances):
            return ""
        if self.are_equal:
            return "all trials are equal"
        return ALIKE if self.importances else "too few completed trials"

    @property
    def ranked(self) -> list[Trial]:
        """The completed trials: the best ones first, then by the first objective."""
        sign = -1 if self.directions[0] == "max" else 1
        completed = [trial for trial in self.trials if trial.values]
        return sorted(completed, key=lambda trial: (trial.number not in self.best, sign * trial.values[0]))


def tells_apart(values: Sequence[float], direction: str) -> bool:
    """Whether some trials are better than others: they differ in six digits, and at most half of them are the best."""
    rounded = [float(f"{value:.6g}") for value in values]
    best = max(rounded) if direction == "max" else min(rounded)
    return len(set(rounded)) > 1 and 2 * rounded.count(best) <= len(rounded)


def write_objectives(path: Path, result: SearchResult) -> None:
    """Adds to the sweep's results.csv a column `objective/NAME` for each, and whether the trial is of the best.

    Whoever calls it holds the lock of the sweep's results.
    """
    rows = rows_of(path)
    if not rows:
        return
    kept = [place for place, name in enumerate(rows[0]) if not is_of_search(name)]
    rows = [[row[place] for place in kept] for row in rows if len(row) == len(rows[0])]
    by_number = {str(trial.number): trial for trial in result.trials}
    names = [f"objective/{name}" for name in result.objectives]
    lines: list[list[object]] = [[*rows[0], *names, "best"]]
    for row in rows[1:]:
        trial = by_number.get(row[0])
        values: Sequence[object] = trial.values if trial is not None and trial.values else [""] * len(names)
        is_best = trial is not None and trial.number in result.best
        lines.append([*row, *values, "best" if is_best else ""])
    replace_file(path, csv_text(lines).encode("utf-8", "backslashreplace"))


def tie_lines(result: SearchResult) -> list[str]:
    """That trials are equal, where the search has not told them apart."""
    if result.are_equal:
        values = ", ".join(
            f"{metric_name(name)} {number(value)}"
            for name, value in zip(result.objectives, result.ranked[0].values, strict=True)
        )
        return [
            f"all {len(result.ranked)} trials are equal: {values}. None is the best, and nothing decided anything. "
            "Train longer, or seek another number: hydra.sweeper.objectives=[loss]"
        ]
    if len(result.objectives) > 1 or not result.ranked:
        return []
    first = result.ranked[0]
    equal = [trial.number for trial in result.ranked if trial.values == first.values]
    if len(equal) == 1:
        return []
    names = ", ".join(map(str, equal[:MAX_SHOWN])) + (", ..." if len(equal) > MAX_SHOWN else "")
    return [f"{len(equal)} trials are equally good ({names}); the command is that of trial {first.number}"]


def best_so_far(values: Sequence[float], direction: str) -> list[float]:
    """The best of the values up to each of them."""
    better = max if direction == "max" else min
    best: list[float] = []
    for value in values:
        best.append(value if not best else better(best[-1], value))
    return best


def print_search(console: Console, result: SearchResult) -> None:
    """A table of the best trials."""
    keys = list(dict.fromkeys(key for trial in result.trials for key in trial.params))
    table = new_table(console)
    table.add_column("trial", justify="right")
    for name in result.objectives:
        table.add_column(metric_name(name), justify="right")
    for key in keys:
        table.add_column(short_key(key, keys), justify="right")
    shown = max(MAX_SHOWN, len(result.best) if len(result.objectives) > 1 else 1)
    for trial in result.ranked[:shown]:
        cells = [
            str(trial.number),
            *map(number, trial.values),
            *(short_value(trial.params.get(key, "")) for key in keys),
        ]
        style = "green" if trial.number in result.best else ""
        table.add_row(*(Text(writable(console, cell)) for cell in cells), style=style)
    print_table(console, table)


def short_value(value: Any) -> str:
    """A proposed value as people read it; the run's configuration has every digit."""
    is_number = isinstance(value, float) and math.isfinite(value)
    return f"{value:.4g}" if is_number else str(value)


def importance_lines(result: SearchResult) -> list[str]:
    """`importance for loss: lr 0.61, dropout 0.39`, for each objective."""
    lines = []
    for name, shares in zip(result.objectives, result.importances, strict=False):
        if not shares:
            lines.append(f"importance for {metric_name(name)}: none, as {ALIKE}")
            continue
        keys = list(shares)
        ranked = sorted(shares.items(), key=lambda pair: -pair[1])
        parts = ", ".join(f"{short_key(key, keys)} {share:.2f}" for key, share in ranked)
        lines.append(f"importance for {metric_name(name)}: {parts}")
    return lines


def search_facts(result: SearchResult) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        "objectives": result.objectives,
        "directions": result.directions,
        "best": result.best,
        "importances": dict(zip(result.objectives, result.importances, strict=False)),
        "trials": [vars(trial) for trial in result.trials],
    }
