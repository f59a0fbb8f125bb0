"""compare.html at the end of a sweep: whether it is written, what it may cost, what lies beside it."""

import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attnfocus.commands.sweep.folders import PAGE_FILES
from attnfocus.commands.sweep.sweep import read_jobs
from attnfocus.commands.sweep.table import JobResult
from attnfocus.display.console import open_console, say
from attnfocus.display.text import shorten
from attnfocus.layout import COMPARE_PAGE
from attnfocus.regular_files import remove_remains, replace_file

if TYPE_CHECKING:
    from attnfocus.commands.compare.sections import Section
    from attnfocus.inspection.side_by_side import Looks

MIN_SECONDS = 30.0  # of all jobs together, of a sweep whose page is written unasked
SHARE = 0.015  # of these seconds, in which tests of differences begin
LEAST_SECONDS = 2.0
LOAD_SECONDS = 2.0  # about what one model costs that is loaded and asked; all of them together within SHARE
NUM_RESAMPLES = 1000  # as of `compare`
MAX_REASON = 200


def write_sweep_page(sweep_dir: Path, choice: object, trusted: Sequence[str], words: Sequence[str]) -> None:
    """Compares the runs that are done, writes the page into the sweep's folder and says where it is. It fails no sweep.

    Args:
        choice: `report` of the sweep; what its jobs have in several ways counts as `auto`.
        trusted: packages whose classes a `_target_` of the runs may name.
        words: what was typed after `attnfocus train`.
    """
    jobs = [job for job in read_jobs(sweep_dir) if job.status == "done"]
    seconds = math.fsum(job.seconds or 0 for job in jobs)
    if choice is False or not jobs or (choice is not True and seconds <= MIN_SECONDS):
        return
    console = open_console()
    say(console, f"comparing {len(jobs)} {'run' if len(jobs) == 1 else 'runs'} for {COMPARE_PAGE}", style="dim")
    try:
        remove_remains(sweep_dir, lambda name: name in PAGE_FILES)
        _write(sweep_dir, jobs, seconds, trusted, words)
    except Exception as error:  # whatever it is, the sweep is whole without the page
        reason = shorten(f"{type(error).__name__}: {error}".replace("\n", " "), MAX_REASON)
        say(
            console,
            f"warning: {COMPARE_PAGE} was not written ({reason}). The sweep is whole without it.",
            style="yellow",
        )
    else:
        say(open_console(sys.stdout), f"page     {sweep_dir / COMPARE_PAGE}", wrap=False)


def _write(
    sweep_dir: Path, jobs: Sequence[JobResult], seconds: float, trusted: Sequence[str], words: Sequence[str]
) -> None:
    # With torch, which a sweep does without until its first job.
    from attnfocus.commands.compare.command import compared, ordered_configurations, write_tables
    from attnfocus.commands.compare.page import page_of
    from attnfocus.commands.compare.page.curves import curves_of
    from attnfocus.commands.compare.runs import read_runs
    from attnfocus.runs.folder import made_by

    runs, left_out = read_runs([job.run_dir for job in jobs], trusted)
    ordered = ordered_configurations(runs, None)
    deadline = time.monotonic() + max(LEAST_SECONDS, SHARE * seconds)
    sections = compared(ordered, NUM_RESAMPLES, deadline)
    looks = _looks(sections, seconds, trusted, [each[0].runs[0].path for each in ordered.values()])
    for job in read_jobs(sweep_dir):
        if job.status != "done":
            left_out[job.run_dir] = f"{job.status}: {job.error.splitlines()[0]}" if job.error else job.status
    curves = [curves_of(section) for section in sections]
    write_tables(sweep_dir, sections)
    page = page_of(sections, curves, looks, left_out, made_by("train", words), sweep_dir)
    replace_file(sweep_dir / COMPARE_PAGE, page.encode("ascii"))


def _looks(
    sections: Sequence["Section"], seconds: float, trusted: Sequence[str], baselines: Sequence[Path]
) -> dict[str, "Looks"]:
    """The first test row under all attentions, where there are several, and the time for them."""
    from attnfocus.commands.compare.example import MAX_CONFIGURATIONS, first_examples, looks_of

    several = [section for section in sections if len(section.rows) > 1]
    num_loads = sum(min(len(section.rows), MAX_CONFIGURATIONS) for section in several)
    if num_loads * LOAD_SECONDS > SHARE * seconds:
        return {}
    return looks_of(first_examples(baselines), several, trusted)
