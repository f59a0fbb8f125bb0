"""Learning curves of configurations: the evaluations on valid of their runs, step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from attnfocus.commands.compare.sections import Row, Section
from attnfocus.display.curves import thinned
from attnfocus.errors import CheckpointError
from attnfocus.layout import METRICS_FILE
from attnfocus.tracking.metrics_file import valid_lines

MAX_RUNS = 60  # of a section, whose curves are read
MAX_POINTS = 200  # of a curve


@dataclass(frozen=True)
class Curve:
    """A metric over the steps: its mean over the runs that were evaluated there, the deviation, and how many runs."""

    steps: list[int]
    means: list[float]
    deviations: list[float]
    counts: list[int]


@dataclass(frozen=True)
class Curves:
    """Metric -> place of a row -> its curve; `left_out` rows are not read, as there are too many runs."""

    of_metrics: Mapping[str, Mapping[int, Curve]]
    left_out: int = 0


def curves_of(section: Section) -> Curves:
    """The curves of the monitored metric and of the loss. Files that are not there or damaged give none."""
    wanted = list(dict.fromkeys(name for name in (section.monitor, "loss") if name))
    found: dict[str, dict[int, Curve]] = {name: {} for name in wanted}
    num_runs, left_out = 0, 0
    for place, row in enumerate(section.rows):
        num_runs += len(row.run_dirs)
        if num_runs > MAX_RUNS:
            left_out = len(section.rows) - place
            break
        lines = [_valid_lines(path) for path in row.run_dirs]
        for name in wanted:
            curve = _curve(name, lines)
            if curve is not None:
                found[name][place] = curve
    return Curves({name: curves for name, curves in found.items() if curves}, left_out)


def _valid_lines(path: Path) -> list[dict[str, float]]:
    try:
        return valid_lines(path / METRICS_FILE)
    except CheckpointError:
        return []


def _curve(name: str, runs: Sequence[Sequence[Mapping[str, float]]]) -> Curve | None:
    values: dict[int, list[float]] = {}
    for lines in runs:
        for line in lines:
            if line.get(name) is not None:
                values.setdefault(int(line["step"]), []).append(line[name])
    if not values:
        return None
    steps = thinned(sorted(values), MAX_POINTS)
    at = [values[step] for step in steps]
    deviations = [stdev(each) if len(each) > 1 else 0.0 for each in at]
    return Curve(steps, [mean(each) for each in at], deviations, [len(each) for each in at])


def row_names(rows: Sequence[Row]) -> list[str]:
    """A name for each row; of rows that are called alike the later ones have their place too."""
    names = [row.name for row in rows]
    return [name if names.index(name) == place else f"{name} ({place + 1})" for place, name in enumerate(names)]
