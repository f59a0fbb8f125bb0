"""The folders of a sweep's jobs: what is written in each, and which process is at it."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import get_args

from attnfocus.display.figure_choices import CAPTION_FILE, FigureFile
from attnfocus.errors import CheckpointError
from attnfocus.layout import COMPARE_PAGE, DIFFERENCES_FILE, HYDRA_FILE, JOB_FILE, TIDY_FILE
from attnfocus.locks import is_locked, locked
from attnfocus.records import to_value
from attnfocus.redaction import hide_override
from attnfocus.regular_files import is_there, read_file, replace_file, require_folder, require_regular
from attnfocus.runs.catalog import job_order
from attnfocus.runs.contents import require_own
from attnfocus.runs.summary import Summary, load_summary

MAX_JOB_BYTES = 1_000_000
MAX_PROCESS_BYTES = 1000
RESULTS_FILE = "results.csv"
_FIGURES = tuple(f"search.{ending}" for ending in (*get_args(FigureFile), CAPTION_FILE))
OF_SEARCH = ("study.db", "study.db-journal", "search.json", *_FIGURES, ".search.lock")
PAGE_FILES = (COMPARE_PAGE, TIDY_FILE, DIFFERENCES_FILE)  # of the comparison of its runs
LOCK_FILE = ".lock"  # held by the process that runs the job, and by the one that writes the results of a sweep
PROCESS_FILE = ".process"  # host and number of the process that runs the job
START_SECONDS = 2.0  # how long a job waits for its lock, which whoever looks whether it runs holds for a moment
STOP_SECONDS = 60.0  # how long jobs that were told to stop may take to save


def job_folders(sweep_dir: Path) -> list[Path]:
    """The folders of a sweep's jobs, by their numbers."""
    return sorted((path.parent for path in sweep_dir.glob(f"*/{JOB_FILE}")), key=job_order)


def to_note(overrides: Sequence[str]) -> list[str]:
    """What is written down of overrides: no secrets, and no `trust`, which every command line gives anew, or not."""
    return [hide_override(text) for text in overrides if text.partition("=")[0] != "trust"]


def note_job(folder: Path, overrides: Sequence[str]) -> None:
    """Writes down the overrides of a job, which `to_note` gives."""
    path = folder / JOB_FILE
    if not is_there(path):
        replace_file(path, json.dumps(overrides, ensure_ascii=False).encode())


def overrides_of(folder: Path) -> list[str]:
    """What `note_job` wrote.

    Raises:
        CheckpointError: it is damaged.
    """
    path = folder / JOB_FILE
    try:
        texts: list[str] = to_value(json.loads(read_file(path, MAX_JOB_BYTES)), list[str], "overrides")
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged: {error}. Begin another sweep.") from None
    return texts


def summary_of(folder: Path) -> Summary:
    """summary.json; empty where there is none that can be read, as in the folder of a job that is not done."""
    try:
        return load_summary(folder)
    except (OSError, CheckpointError):
        return Summary()


def is_done(folder: Path) -> bool:
    """Whether the folder holds the finished run of its job."""
    return summary_of(folder).status == "completed"


def interrupted_by(folder: Path) -> str | None:
    """Name of the signal that stopped the job's run (`SIGTERM`), as its summary tells."""
    reason = summary_of(folder).reason or ""
    return reason.rpartition(" ")[2] if reason.startswith("interrupted by ") else None


def require_own_sweep(sweep_dir: Path) -> None:
    """Refuses a sweep with a link or something else in place of one of its files, or of the folder of a job.

    Raises:
        CheckpointError: names the first.
    """
    try:
        for name in (HYDRA_FILE, RESULTS_FILE, LOCK_FILE, *OF_SEARCH, *PAGE_FILES):
            require_regular(sweep_dir / name)
        for folder in job_folders(sweep_dir):
            require_folder(folder)
            require_own(folder)
    except OSError as error:
        raise CheckpointError(f"{error.filename}: {error.strerror}. Use an undamaged copy of the sweep.") from None


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Holds a job for this process; a kill lets it go.

    Raises:
        HeldError: another process holds it.
    """
    with locked(folder / LOCK_FILE, START_SECONDS):
        path = folder / PROCESS_FILE
        replace_file(path, f"{socket.gethostname()} {os.getpid()}".encode())
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def is_running(folder: Path) -> bool:
    """Whether a process is at the job."""
    return is_there(folder / PROCESS_FILE) and is_locked(folder / LOCK_FILE)  # else it was killed


def stop_jobs(sweep_dir: Path) -> None:
    """Asks the jobs that run on this machine to save and to stop."""
    for folder in job_folders(sweep_dir):
        if is_running(folder):
            with suppress(OSError, ValueError):  # it has ended meanwhile
                host, number = read_file(folder / PROCESS_FILE, MAX_PROCESS_BYTES).decode().split()
                if host == socket.gethostname() and int(number) != os.getpid():
                    os.kill(int(number), signal.SIGTERM)


def wait_for_jobs(sweep_dir: Path) -> None:
    """Waits until those have stopped."""
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and any(map(is_running, job_folders(sweep_dir))):
        time.sleep(0.1)
