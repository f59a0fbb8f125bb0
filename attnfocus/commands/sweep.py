"""Sweeps: each job's outcome is written into its folder; the end is a table and a results.csv over all of them."""

import json
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attnfocus.commands.rundir import SUMMARY_FILE, write_summary
from attnfocus.config.read import load_yaml, yaml_text
from attnfocus.errors import UserError
from attnfocus.redaction import hide, hide_override, redact
from attnfocus.report.console import open_console, say
from attnfocus.report.results import JobResult, print_failures, print_results, write_results_csv
from attnfocus.report.summary import replace_file
from attnfocus.tasks import TASKS

JOB_FILE = "overrides.json"  # what distinguishes the job within its sweep
HYDRA_FILE = "multirun.yaml"  # Hydra writes the whole configuration there before the first job
TRACEBACK_FILE = "traceback.txt"  # of an error that is no user's


def run_recorded(folder: Path, overrides: list[str], job: Callable[[], int]) -> int:
    """Runs one job of a sweep. A failure is recorded in its summary and does not stop the others.

    Returns:
        The job's exit code.

    Raises:
        KeyboardInterrupt: the job was stopped by Ctrl-C or a signal: the sweep stops with it.
    """
    overrides = [hide_override(text) for text in overrides]
    _redact_hydra_file(folder.parent / HYDRA_FILE)
    (folder / JOB_FILE).write_text(json.dumps(overrides, ensure_ascii=False), encoding="utf-8")
    say(open_console(), f"\njob {job_order(folder)[0]}: {' '.join(overrides)}", style="bold")
    try:
        code = job()
    except UserError as error:
        message, code = str(error), error.exit_code
    except Exception as error:
        message, code = f"{type(error).__name__}: {error}", 1
        (folder / TRACEBACK_FILE).write_text(hide(traceback.format_exc()), encoding="utf-8")
    else:
        if code in (130, 143):
            raise KeyboardInterrupt
        return code
    write_summary(folder, {"status": "failed", "exit_code": code, "error": message})
    say(open_console(), f"attnfocus: {hide(message)}", style="red")
    return code


def _redact_hydra_file(path: Path) -> None:
    if not path.exists():
        return
    values = redact(load_yaml(path))
    given = values["hydra"]["overrides"]
    given["task"] = [hide_override(text) for text in given["task"]]
    replace_file(path, yaml_text(values).encode(), contested=True)  # jobs may run side by side


def finish_sweep(sweep_dir: Path) -> int:
    """Reads the jobs' summaries, prints their table and writes results.csv beside them.

    Returns:
        0, or 1 if any job failed.
    """
    folders = sorted((path.parent for path in sweep_dir.glob(f"*/{JOB_FILE}")), key=job_order)
    overrides = [_overrides(folder) for folder in folders]
    varying = _varying(overrides)
    jobs = [
        _result(folder, {name: own.get(name, "") for name in varying})
        for folder, own in zip(folders, overrides, strict=True)
    ]
    write_results_csv(sweep_dir / "results.csv", jobs)
    console = open_console(sys.stdout)
    say(console, "")
    print_results(console, jobs, _direction(jobs))
    print_failures(console, jobs)
    say(console, f"\nresults  {sweep_dir / 'results.csv'}", wrap=False)
    return 1 if any(job.status == "failed" for job in jobs) else 0


def job_order(folder: Path) -> tuple[int, str]:
    """To sort folders by: jobs of a sweep, called 0_..., 1_..., ..., 10_..., by their number, after all others."""
    number = folder.name.split("_")[0]
    return (int(number) if number.isdecimal() else -1, folder.name)


def _result(folder: Path, overrides: Mapping[str, str]) -> JobResult:
    path = folder / SUMMARY_FILE
    summary: dict[str, Any] = {"status": "failed", "error": "the job was killed before it wrote a summary"}
    if path.exists():
        summary = json.loads(path.read_text(encoding="utf-8"))
    best = summary.get("best") or {}
    status = {"completed": "done", "interrupted": "interrupted", "pruned": "pruned"}.get(summary["status"], "failed")
    return JobResult(
        overrides=overrides,
        status=status,  # type: ignore[arg-type]
        run_dir=folder,
        seconds=summary.get("seconds"),
        monitor=best.get("metric"),
        value=best.get("value"),
        test={name: value for name, value in summary.get("test", {}).items() if isinstance(value, float)},
        error=summary.get("error") or ("killed" if status == "failed" else None),
    )


def _direction(jobs: Sequence[JobResult]) -> Any:
    monitor = next((job.monitor for job in jobs if job.monitor), "")
    return next((task.directions[monitor] for task in TASKS.values() if monitor in task.directions), "max")


def _overrides(folder: Path) -> dict[str, str]:
    texts: list[str] = json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))
    return {key: value for key, _, value in (text.partition("=") for text in texts)}


def _varying(overrides: Sequence[Mapping[str, str]]) -> list[str]:
    names = list(dict.fromkeys(name for row in overrides for name in row))
    return [name for name in names if len({row.get(name) for row in overrides}) > 1]
