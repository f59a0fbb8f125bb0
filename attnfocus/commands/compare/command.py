"""`attnfocus compare RUN_DIR ...`: configurations side by side, over their seeds, against a baseline."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from attnfocus.commands.compare.configurations import Configuration, sections_of
from attnfocus.commands.compare.differences import differences_to
from attnfocus.commands.compare.example import examples_of, looks_of
from attnfocus.commands.compare.figures import drawings_of
from attnfocus.commands.compare.files import as_facts, differences_csv, results_csv, tidy_csv
from attnfocus.commands.compare.page import page_of
from attnfocus.commands.compare.page.curves import curves_of
from attnfocus.commands.compare.runs import ComparedRun, find_runs, read_runs
from attnfocus.commands.compare.screen import print_comparison
from attnfocus.commands.compare.sections import Row, Section
from attnfocus.commands.compare.table import as_markdown
from attnfocus.config.read import check, save_yaml
from attnfocus.display.console import open_console, say
from attnfocus.display.drawings import write_drawings
from attnfocus.display.figure_choices import FigureOptions
from attnfocus.errors import ConfigError, Problem
from attnfocus.files import short_path, strict_json, write_json_atomically, writing
from attnfocus.layout import COMPARE_FILE, COMPARE_PAGE, DIFFERENCES_FILE, TIDY_FILE
from attnfocus.limits import Range
from attnfocus.marks import FilePath
from attnfocus.redaction import redact
from attnfocus.regular_files import replace_file
from attnfocus.runs.claim import new_run_dir, require_free
from attnfocus.runs.folder import made_by
from attnfocus.runs.schema import OutputPath


@dataclass(kw_only=True)
class CompareConfig(FigureOptions):
    """configs/compare.yaml."""

    runs: list[FilePath]
    baseline: FilePath | None = None
    num_resamples: Annotated[int, Range(gt=0, le=10**6, why="all are made in memory")] = 1000
    format: Literal["table", "csv", "json", "markdown"] = "table"
    page: bool = True
    example: str | None = None
    run_dir: FilePath | None = None
    paths: OutputPath = field(default_factory=OutputPath)
    trust: list[str] = field(default_factory=list)


def run(values: Mapping[str, Any], overrides: Sequence[str]) -> int:
    """Reads the runs, writes tables, figures and the page, prints the tables.

    Returns:
        The exit code.
    """
    config = check(values, CompareConfig)
    if not config.runs:
        text = "runs: name run directories, for example attnfocus compare 'outputs/2026-01-31/*'."
        raise ConfigError(Problem(text, "runs", [config.paths.outputs]))
    _check(config)
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
    ordered = ordered_configurations(runs, baseline)
    examples = {} if config.example is None else examples_of(config.example, [each[0] for each in ordered.values()])
    sections = compared(ordered, config.num_resamples)
    looks = looks_of(examples, sections, config.trust)
    outputs = str(Path(config.paths.outputs) / "compare")
    folder = new_run_dir(config.run_dir, outputs, f"{len(runs)}_runs")
    with writing("run_dir" if config.run_dir else "paths.outputs", folder):
        save_yaml(folder / COMPARE_FILE, redact({**values, "runs": [str(path) for path in paths]}))
        _write(folder, sections, as_facts(sections, left_out, folder))
        write_drawings(folder, drawings_of(sections), config)
        if config.page:
            given = [text for text in overrides if not text.startswith("runs=")]
            origin = made_by("compare", [*(short_path(path) for path in map(Path, config.runs)), *given])
            curves = [curves_of(section) for section in sections]
            page = page_of(sections, curves, looks, left_out, origin, folder)
            replace_file(folder / COMPARE_PAGE, page.encode("ascii"))
    _show(config.format, sections, left_out)
    say(console, f"\nresults  {folder}", wrap=False)
    if config.page:
        say(console, f"page     {folder / COMPARE_PAGE}", wrap=False)
    return 0


def _check(config: CompareConfig) -> None:
    """What can be said before anything is read."""
    config.check_width()
    if config.example is not None and not config.page:
        text = "example: is shown on the page, which page=false leaves out. Use page=true, or remove example."
        raise ConfigError(Problem(text, "page", ["page=true"]))
    if config.run_dir:
        require_free(Path(config.run_dir).expanduser().resolve())


def _only_run(place: str, outputs: str) -> Path:
    found = find_runs([place], outputs, "baseline")
    if len(found) > 1:
        raise ConfigError(f"baseline: {place} holds {len(found)} runs. Name one of them.")
    return found[0]


def compared(
    configurations: Mapping[tuple[str, str], Sequence[Configuration]], num_resamples: int, deadline: float = math.inf
) -> list[Section]:
    """Sections with their tests, of what `ordered_configurations` gives.

    Args:
        deadline: by `time.monotonic`, after which no test begins.
    """
    sections = []
    for (task, dataset), ordered in configurations.items():
        rows = [_row(each) for each in ordered]
        first = ordered[0]
        others = [(row.name, other) for row, other in zip(rows[1:], ordered[1:], strict=True)]
        differences = differences_to(first, others, num_resamples, deadline)
        monitor = next((run.monitor for each in ordered for run in each.runs if run.monitor), None)
        directions = {name: way for each in ordered for run in each.runs for name, way in run.directions.items()}
        task_class = first.runs[0].task_class
        shares = frozenset() if task_class is None else task_class.shares
        known = {} if task_class is None else task_class.directions  # runs of before do not say it
        sections.append(Section(task, dataset, rows, differences, monitor, {**known, **directions}, shares))
    return sections


def ordered_configurations(
    runs: Sequence[ComparedRun], baseline: Path | None
) -> dict[tuple[str, str], list[Configuration]]:
    """As `sections_of`, with the configuration of `baseline` first in its section."""
    return {
        name: sorted(configurations, key=lambda each: all(run.path != baseline for run in each.runs))
        for name, configurations in sections_of(runs).items()
    }


def _row(configuration: Configuration) -> Row:
    runs = configuration.runs
    seeds, paths = tuple(run.seed for run in runs), tuple(run.path for run in runs)
    return Row(configuration.labels, seeds, paths, tuple(run.metrics for run in runs))


def made_differently(runs: Sequence[ComparedRun]) -> list[str]:
    """A line for each circumstance in which runs differ although they may not mean to."""
    lines = []
    for name in ("device", "attnfocus", "torch", "commit"):
        found = sorted({run.made_by[name][:12] for run in runs if name in run.made_by})
        if len(found) > 1:
            lines.append(f"not alike for all runs: {name} ({', '.join(found)}).")
    return lines


def _write(folder: Path, sections: Sequence[Section], facts: Mapping[str, Any]) -> None:
    replace_file(folder / "results.csv", results_csv(sections, folder).encode("utf-8", "backslashreplace"))
    write_tables(folder, sections)
    write_json_atomically(folder / "results.json", facts)


def write_tables(folder: Path, sections: Sequence[Section]) -> None:
    """The numbers of each run, and the differences between configurations."""
    tables = {TIDY_FILE: tidy_csv(sections, folder), DIFFERENCES_FILE: differences_csv(sections)}
    for name, text in tables.items():
        replace_file(folder / name, text.encode("utf-8", "backslashreplace"))


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
