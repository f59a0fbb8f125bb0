"""What a list says of a run, read from its own files as far as they can be read: a damaged run is a row too."""

import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attnfocus.config.read import load_yaml
from attnfocus.errors import CheckpointError, ConfigError, UserError
from attnfocus.files import path_from
from attnfocus.layout import CONFIG_FILE, TRAIN_LOCK
from attnfocus.locks import is_locked
from attnfocus.regular_files import is_there
from attnfocus.runs.catalog import began, runs_at
from attnfocus.runs.summary import Summary, load_summary

GROUPS = ("model", "attention", "dataset")
OWN_NAME = re.compile(r"\d\d-\d\d-\d\d_.+_([0-9a-f]{4})")  # of a run in a folder that nobody has named


@dataclass(frozen=True)
class ListedRun:
    """A run.

    Attributes:
        name: what tells it from all others: enough for `run=`.
        path: as it is typed from the current folder.
        status: that of its summary; `killed` where nobody trains it any more, `waiting` before its configuration is
            written, `damaged` where nothing tells.
        choices: model, attention and dataset.
        metric: what is shown of it, such as `accuracy`; empty where there is nothing.
        split: of which the metric is.
        age_seconds: since its configuration was written.
    """

    name: str
    path: str
    status: str
    choices: Mapping[str, str]
    metric: str
    split: str
    value: float | None
    age_seconds: float
    num_bytes: int

    def facts(self) -> dict[str, Any]:
        """A flat record, for programs."""
        facts = vars(self) | {group: self.choices.get(group, "") for group in GROUPS}
        del facts["choices"]
        return facts


def listed_runs(folders: Sequence[Path], limit: int | None) -> tuple[list[ListedRun], int]:
    """The newest runs below folders, and how many there are in all.

    Raises:
        ConfigError: a folder is not there.
    """
    missing = [str(folder) for folder in folders if not folder.exists()]
    if missing:
        raise ConfigError([f"folders: {name}: there is no such folder." for name in missing])
    times = {run.resolve(): _time(run) for folder in folders for run in runs_at(folder)}
    paths = sorted(times, key=lambda path: (-times[path], path.name))
    now = time.time()
    shown = paths if limit is None else paths[:limit]
    names = [path_from(Path.cwd(), path) for path in paths]
    return [_listed(path, names, now - times[path]) for path in shown], len(paths)


def _time(run: Path) -> float:
    if began(run):
        return began(run)
    try:
        return run.stat().st_mtime
    except OSError:
        return 0.0


def _listed(run: Path, names: Sequence[str], age: float) -> ListedRun:
    path = path_from(Path.cwd(), run)
    summary, status = _summary(run)
    choices = summary.choices or _choices(run)
    best, tested = summary.best, summary.test_metrics
    metric = best.metric if best is not None else next(iter(tested), "")
    split = "test" if metric in tested else "valid" if best is not None else ""
    value = tested.get(metric, None if best is None else best.value)
    return ListedRun(
        _short_name(path, names), path, status, choices, metric, split, value, max(0.0, age), _num_bytes(run)
    )


def _summary(run: Path) -> tuple[Summary, str]:
    try:
        summary = load_summary(run)
    except FileNotFoundError:
        summary = Summary(status="running" if is_there(run / CONFIG_FILE) else "waiting")
    except CheckpointError:
        return Summary(), "damaged"
    status = summary.status
    if status == "running":
        with suppress(OSError):  # a folder where nobody may write
            status = "running" if is_there(run / TRAIN_LOCK) and is_locked(run / TRAIN_LOCK) else "killed"
    return summary, status


def _choices(run: Path) -> Mapping[str, str]:
    """Those of the configuration, where the summary has none."""
    try:
        found = load_yaml(run / CONFIG_FILE).get("choices", {})
    except (UserError, OSError):
        return {}
    return {str(name): str(choice) for name, choice in found.items()} if isinstance(found, dict) else {}


def _short_name(path: str, names: Sequence[str]) -> str:
    """The shortest end of a path that no other run has in its name."""
    match = OWN_NAME.fullmatch(path.rsplit("/", 1)[-1])
    parts = path.split("/")
    ends = ["/".join(parts[-count:]) for count in range(1, len(parts) + 1)]
    for name in [*([match[1]] if match else []), *ends]:
        if sum(name in other for other in names) == 1:
            return name
    return path


def _num_bytes(run: Path) -> int:
    """What the files of a run take on the disk; links are not followed."""
    total = 0
    for folder, _, files in os.walk(run):
        for name in files:
            with suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size
    return total
