"""Sweeps: each job is written down and ends in its folder; the end is a table and a results.csv over all of them."""

import math
import shlex
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Literal

from attnfocus.commands.sweep.folders import (
    HYDRA_FILE,
    LOCK_FILE,
    RESULTS_FILE,
    is_done,
    is_running,
    job_folders,
    job_order,
    note_job,
    overrides_of,
    owned,
    require_own_sweep,
    summary_of,
    to_note,
)
from attnfocus.commands.sweep.line_prefix import Prefixed
from attnfocus.commands.sweep.table import (
    JobResult,
    Status,
    job_line,
    print_failures,
    print_results,
    print_unfinished,
    write_results_csv,
)
from attnfocus.config.read import load_yaml, yaml_text
from attnfocus.display.console import open_console, say
from attnfocus.errors import ConfigError, UserError
from attnfocus.files import relative_to_here, write_error
from attnfocus.layout import OF_JOB
from attnfocus.locks import HeldError, locked
from attnfocus.redaction import hide, hide_override, redact
from attnfocus.regular_files import is_there, make_folder, remove_remains, replace_file
from attnfocus.runs.summary import Summary, write_summary

TRACEBACK_FILE = "traceback.txt"  # of an error that is no user's
MISSING: tuple[Status, ...] = ("failed", "interrupted", "running", "waiting")  # what `sweep.resume` goes on with


def begin_sweep(sweep_dir: Path, composed: Mapping[str, Any]) -> None:
    """Writes down what a sweep is, before anything else: one that is killed from now on can be gone on with.

    Args:
        sweep_dir: its folder, which may hold the same sweep already.
        composed: Hydra's whole configuration.
    """
    remove_remains(sweep_dir, lambda name: name == HYDRA_FILE)
    if not is_there(sweep_dir / HYDRA_FILE):
        write_composed(sweep_dir, composed)


def prepare_sweep(sweep_dir: Path, jobs: Mapping[str, Sequence[str]]) -> list[str]:
    """Writes down all jobs of a sweep, before the first starts.

    Args:
        sweep_dir: its folder, which may hold the same sweep already.
        jobs: name of the job's folder -> its overrides.

    Returns:
        The names of the jobs that are not done.

    Raises:
        ConfigError: the folder holds jobs of other overrides.
        CheckpointError: a link or something else stands in place of a file or folder of the sweep.
    """
    require_own_sweep(sweep_dir)
    noted = {name: to_note(overrides) for name, overrides in jobs.items()}
    found = {folder.name: overrides_of(folder) for folder in job_folders(sweep_dir)}
    others = [name for name, overrides in found.items() if noted.get(name) != overrides]
    if others:
        raise ConfigError(
            f"sweep.resume: {sweep_dir} holds jobs that these overrides do not make, such as {others[0]}. "
            "Has a choice or a version changed since? Begin another sweep."
        )
    for name, overrides in noted.items():
        make_folder(sweep_dir / name)
        note_job(sweep_dir / name, overrides)
    missing = [name for name in jobs if not is_done(sweep_dir / name)]
    if found:
        say(open_console(), f"{len(jobs)} jobs: {len(jobs) - len(missing)} done, {len(missing)} to run", style="bold")
    update_results(sweep_dir)
    return missing


def write_composed(sweep_dir: Path, composed: Mapping[str, Any]) -> None:
    """Writes down what a sweep is, without its secrets: Hydra's whole configuration."""
    replace_file(sweep_dir / HYDRA_FILE, yaml_text(_redacted(composed)).encode())


def run_recorded(folder: Path, overrides: list[str], job: Callable[[], int]) -> int:
    """Runs one job of a sweep. A failure is recorded in its summary and does not stop the others.

    A job that is done, or that another process is at, is left alone.

    Returns:
        The job's exit code.

    Raises:
        KeyboardInterrupt: the job was stopped by Ctrl-C or a signal, and the sweep stops with it; its argument is the
            exit code.
    """
    overrides = to_note(overrides)
    _redact_hydra_file(folder.parent / HYDRA_FILE)
    note_job(folder, overrides)
    console, name = open_console(), f"job {job_order(folder)[0]}"
    try:
        with owned(folder):
            remove_remains(folder, lambda name: name in OF_JOB)
            if is_done(folder):
                return 0
            say(console, f"\n{name}: {' '.join(overrides)}", style="bold")
            code = _recorded(folder, job)
    except HeldError:
        say(console, f"{name}: another process is at it; left alone", style="yellow")
        return 0
    update_results(folder.parent)
    say(console, f"{name}: {job_line(_result(folder, {}))}", style="bold")
    if code in (130, 143):
        raise KeyboardInterrupt(code)
    return code


def _recorded(folder: Path, job: Callable[[], int]) -> int:
    (folder / TRACEBACK_FILE).unlink(missing_ok=True)  # of an earlier attempt
    try:
        return job()
    except UserError as error:
        message, code = str(error), error.exit_code
    except OSError as error:
        problem = write_error(error, error.filename or folder)
        message, code = str(problem), problem.exit_code
    except Exception as error:
        message, code = f"{type(error).__name__}: {error}", 1
        replace_file(folder / TRACEBACK_FILE, hide(traceback.format_exc()).encode("utf-8", "backslashreplace"))
    write_summary(folder, {"status": "failed", "exit_code": code, "error": message})
    say(open_console(), f"attnfocus: {hide(message)}", style="red")
    return code


def named_lines(folder: Path, job: Callable[[], int]) -> Callable[[], int]:
    """A job that runs beside others: each line that it shows says which job it is of."""
    prefix = f"job {job_order(folder)[0]}: "

    def run() -> int:
        with redirect_stderr(Prefixed(sys.stderr, prefix)), redirect_stdout(Prefixed(sys.stdout, prefix)):
            return job()

    return run


def _redact_hydra_file(path: Path) -> None:
    """Hydra's own sweepers write it with the secrets of the command line."""
    if is_there(path):
        values = load_yaml(path)
        redacted = _redacted(values)
        if redacted != values:
            replace_file(path, yaml_text(redacted).encode())  # jobs may run side by side


def _redacted(composed: Mapping[str, Any]) -> dict[str, Any]:
    values = redact(composed)
    given = values["hydra"]["overrides"]
    for name in ("task", "hydra"):
        given[name] = [hide_override(text) for text in given.get(name, ())]
    return values


def update_results(sweep_dir: Path) -> None:
    """Writes results.csv anew, from whichever process a job has ended in. A disk that is full ends no sweep."""
    try:
        with locked(sweep_dir / LOCK_FILE, math.inf):
            remove_remains(sweep_dir, lambda name: name == RESULTS_FILE)
            write_results_csv(sweep_dir / RESULTS_FILE, read_jobs(sweep_dir))
    except OSError as error:
        path = sweep_dir / RESULTS_FILE
        say(open_console(), f"warning: {path} could not be written ({error.strerror or error})", style="yellow")


def finish_sweep(sweep_dir: Path) -> int:
    """Reads the jobs' summaries, prints their table and writes results.csv beside them.

    Returns:
        0, or 1 if any job failed or has not ended.
    """
    update_results(sweep_dir)
    jobs = read_jobs(sweep_dir)
    console = open_console(sys.stdout)
    say(console, "")
    print_results(console, jobs, _direction(jobs))
    print_failures(console, jobs)
    is_whole = not any(job.status in MISSING for job in jobs)
    if not is_whole:
        print_unfinished(console, jobs, resume_command(sweep_dir))
    say(console, f"\nresults  {sweep_dir / RESULTS_FILE}", wrap=False)
    if sum(job.status == "done" for job in jobs) > 1:
        hint = "   # mean and spread over the seeds" if "seed" in jobs[0].overrides else ""
        say(console, f"next     attnfocus compare {shlex.quote(str(relative_to_here(sweep_dir)))}{hint}", wrap=False)
    return 0 if is_whole else 1


def announce_logs(sweep_dir: Path) -> None:
    """Says where the lines of jobs go that do not share this screen, and the results meanwhile."""
    console = open_console()
    say(console, f"output of the jobs  {sweep_dir / '.submitit'}", wrap=False)
    say(console, f"results so far      {sweep_dir / RESULTS_FILE}", wrap=False)


def print_stopped(sweep_dir: Path) -> None:
    """Says how far a sweep has come that was stopped, and how it goes on."""
    update_results(sweep_dir)
    console = open_console()
    print_unfinished(console, read_jobs(sweep_dir), resume_command(sweep_dir))


def has_begun_jobs(sweep_dir: Path) -> bool:
    """Whether any job has been started."""
    return any(job.status != "waiting" for job in read_jobs(sweep_dir))


def resume_command(sweep_dir: Path) -> str:
    return f"attnfocus train -m {shlex.quote(f'sweep.resume={relative_to_here(sweep_dir)}')}"


def read_jobs(sweep_dir: Path) -> list[JobResult]:
    """All jobs of a sweep by their numbers, as far as they have come."""
    folders = job_folders(sweep_dir)
    overrides = [_overrides(folder) for folder in folders]
    varying = _varying(overrides)
    return [
        _result(folder, {name: own.get(name, "") for name in varying})
        for folder, own in zip(folders, overrides, strict=True)
    ]


def _status(folder: Path, summary: Summary) -> tuple[Status, str | None]:
    """How far a job has come, and the error of a failed one."""
    told = summary.status
    if told == "completed":
        return "done", None
    if told == "pruned":
        return "pruned", None
    if is_running(folder):
        return "running", None
    if told == "interrupted":
        return "interrupted", None
    if told == "failed":
        return "failed", summary.error or "unknown error"
    if not told and not is_there(folder / LOCK_FILE):
        return "waiting", None
    return "failed", "killed" if told else "the job was killed before it wrote a summary"


def _result(folder: Path, overrides: Mapping[str, str]) -> JobResult:
    summary = summary_of(folder)
    best = summary.best
    status, error = _status(folder, summary)
    return JobResult(
        number=job_order(folder)[0],
        overrides=overrides,
        status=status,
        run_dir=folder,
        seconds=summary.seconds,
        monitor=None if best is None else best.metric,
        value=None if best is None else best.value,
        test={name: value for name, value in summary.test_metrics.items() if isinstance(value, float)},
        error=error,
        direction=None if best is None else summary.directions.get(best.metric),
    )


def _direction(jobs: Sequence[JobResult]) -> Literal["max", "min"]:
    """Which way the monitored metric is better: as the runs say, or, where they are of an older version, our tasks."""
    job = next((job for job in jobs if job.monitor), None)
    if job is None or job.monitor is None:
        return "max"
    if job.direction:
        return "min" if job.direction == "min" else "max"
    from attnfocus.tasks import TASKS  # with torch, which a sweep does without until its first job

    of_tasks = (task.directions.get(job.monitor) for task in TASKS.values())
    return "min" if next(filter(None, of_tasks), "max") == "min" else "max"


def _overrides(folder: Path) -> dict[str, str]:
    return {key: value for key, _, value in (text.partition("=") for text in overrides_of(folder))}


def _varying(overrides: Sequence[Mapping[str, str]]) -> list[str]:
    names = list(dict.fromkeys(name for row in overrides for name in row))
    return [name for name in names if len({row.get(name) for row in overrides}) > 1]
