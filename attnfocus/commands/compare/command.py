"""`attnfocus compare RUN_DIR ...`: configurations side by side, over their seeds, against a baseline."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from attnfocus.commands.compare.configurations import Configuration, sections_of
from attnfocus.commands.compare.differences import differences_of
from attnfocus.commands.compare.figures import draw_comparison, draw_trust
from attnfocus.commands.compare.files import as_facts, differences_csv, results_csv
from attnfocus.commands.compare.runs import ComparedRun, find_runs, read_runs
from attnfocus.commands.compare.table import Row, Section, as_markdown, print_comparison
from attnfocus.config.read import check, save_yaml
from attnfocus.display.console import open_console, say
from attnfocus.display.figures import to_png
from attnfocus.errors import ConfigError, Problem
from attnfocus.files import strict_json, write_json_atomically, writing
from attnfocus.layout import COMPARE_FILE
from attnfocus.limits import Range
from attnfocus.marks import FilePath
from attnfocus.redaction import redact
from attnfocus.regular_files import replace_file
from attnfocus.runs.claim import new_run_dir
from attnfocus.runs.schema import OutputPath


@dataclass(kw_only=True)
class CompareConfig:
    """configs/compare.yaml."""

    runs: list[FilePath]
    baseline: FilePath | None = None
    num_resamples: Annotated[int, Range(gt=0, le=10**6, why="all are made in memory")] = 1000
    format: Literal["table", "csv", "json", "markdown"] = "table"
    run_dir: FilePath | None = None
    paths: OutputPath = field(default_factory=OutputPath)
    trust: list[str] = field(default_factory=list)


def run(values: Mapping[str, Any], overrides: Sequence[str]) -> int:
    """Reads the runs, writes tables and figure, prints them.

    Returns:
        The exit code.
    """
    config = check(values, CompareConfig)
    if not config.runs:
        text = "runs: name run directories, for example attnfocus compare 'outputs/2026-01-31/*'."
        raise ConfigError(Problem(text, "runs", [config.paths.outputs]))
    paths = find_runs(config.runs, config.paths.outputs)
    baseline = None if config.baseline is None else _only_run(config.baseline, config.paths.outputs)
    if baseline is not None and baseline not in paths:
        paths.insert(0, baseline)
    runs, left_out = read_runs(paths, config.trust)
    if baseline in left_out:
        raise ConfigError(f"baseline: {baseline} cannot be it: {left_out[baseline]}.")
    console = open_console()
    for line in (*(f"left out: {path}: {reason}." for path, reason in left_out.items()), *made_differently(runs)):
        say(console, line, style="yellow", wrap=False)
    sections = compared(runs, baseline, config.num_resamples)
    outputs = str(Path(config.paths.outputs) / "compare")
    folder = new_run_dir(config.run_dir, outputs, f"{len(runs)}_runs")
    with writing("run_dir" if config.run_dir else "paths.outputs", folder):
        save_yaml(folder / COMPARE_FILE, redact({**values, "runs": [str(path) for path in paths]}))
        _write(folder, sections, as_facts(sections, left_out, folder))
    _show(config.format, sections, left_out)
    say(console, f"\nresults  {folder}", wrap=False)
    return 0


def _only_run(place: str, outputs: str) -> Path:
    found = find_runs([place], outputs, "baseline")
    if len(found) > 1:
        raise ConfigError(f"baseline: {place} holds {len(found)} runs. Name one of them.")
    return found[0]


def compared(runs: Sequence[ComparedRun], baseline: Path | None, num_resamples: int) -> list[Section]:
    """Sections with their tests. The configuration of `baseline` comes first in its section."""
    sections = []
    for (task, dataset), configurations in sections_of(runs).items():
        ordered = sorted(configurations, key=lambda each: all(run.path != baseline for run in each.runs))
        rows = [_row(each) for each in ordered]
        first = ordered[0]
        differences = [
            difference
            for row, other in zip(rows[1:], ordered[1:], strict=True)
            for difference in differences_of(row.name, first, other, num_resamples)
        ]
        monitor = next((run.monitor for each in ordered for run in each.runs if run.monitor), None)
        directions = {name: way for each in ordered for run in each.runs for name, way in run.directions.items()}
        sections.append(Section(task, dataset, rows, differences, monitor, directions))
    return sections


def _row(configuration: Configuration) -> Row:
    runs = configuration.runs
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    values = {name: [run.metrics[name] for run in runs if name in run.metrics] for name in names}
    return Row(configuration.labels, tuple(run.seed for run in runs), tuple(run.path for run in runs), values)


def made_differently(runs: Sequence[ComparedRun]) -> list[str]:
    """A line for each circumstance in which runs differ although they may not mean to."""
    lines = []
    for name in ("device", "attnfocus", "torch", "commit"):
        found = sorted({run.made_by[name][:12] for run in runs if name in run.made_by})
        if len(found) > 1:
            lines.append(f"not alike for all runs: {name} ({', '.join(found)}).")
    return lines


def _write(folder: Path, sections: Sequence[Section], facts: Mapping[str, Any]) -> None:
    for name, text in (("results.csv", results_csv(sections, folder)), ("differences.csv", differences_csv(sections))):
        replace_file(folder / name, text.encode("utf-8", "backslashreplace"))
    write_json_atomically(folder / "results.json", facts)
    replace_file(folder / "compare.png", to_png(draw_comparison(sections))[0])
    trust = draw_trust(sections)
    if trust is not None:
        replace_file(folder / "faithfulness.png", to_png(trust)[0])


def _show(form: str, sections: Sequence[Section], left_out: Mapping[Path, str]) -> None:
    if form == "table":
        print_comparison(open_console(sys.stdout), sections)
    elif form == "markdown":
        say(open_console(sys.stdout), as_markdown(sections), wrap=False)
    else:
        here = Path.cwd()
        facts = strict_json(as_facts(sections, left_out, here))
        text = results_csv(sections, here) if form == "csv" else f"{json.dumps(facts, indent=2)}\n"
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))  # a folder's name may be no text
        sys.stdout.buffer.flush()
