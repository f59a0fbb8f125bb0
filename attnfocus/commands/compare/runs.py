"""The runs that `compare` is given: found below folders and patterns, read from their own files."""

import glob
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attnfocus.commands.compare.sections import COSTS, HEADS, HEADS_FROM
from attnfocus.config.key_table import KeyTables
from attnfocus.config.nearest import did_you_mean
from attnfocus.config.read import load_yaml
from attnfocus.errors import CheckpointError, ConfigError, UserError
from attnfocus.files import short_path
from attnfocus.focus.head_kinds import KINDS
from attnfocus.layout import BENCH_FILE, COMPARE_FILE, CONFIG_FILE, DATA_FILE, METRICS_FILE, SUMMARY_FILE
from attnfocus.runs.catalog import MAX_DEPTH, find_run, runs_at
from attnfocus.runs.config import RunConfig
from attnfocus.runs.contents import require_own
from attnfocus.runs.dataset import task_class_of
from attnfocus.runs.faithfulness_file import load_faithfulness
from attnfocus.runs.folder import load_fingerprints
from attnfocus.runs.schema import TrainConfig
from attnfocus.runs.summary import Summary, load_summary
from attnfocus.tasks import TASKS, Task
from attnfocus.tracking.metrics_file import HEADS_OF_KIND, logged_metrics, metrics_of_line, valid_lines

RESULT_FILES = (BENCH_FILE, COMPARE_FILE, DATA_FILE)
MAX_PROBLEMS = 4  # that one message tells
_JSON = json.JSONEncoder(ensure_ascii=False, default=str)


@dataclass(frozen=True)
class ComparedRun:
    """A finished run.

    Attributes:
        task: its name, or the dotted name of a class of the user's own.
        task_class: None where that class lies in no trusted package.
        options: its flattened configuration (`optimizer.lr`) as JSON texts, without what has no effect. Two runs that
            differ in no option are of one configuration.
        evaluated: what the summary says of the test: metrics, and how they were computed.
        metrics: `test/<metric>`, `valid/<metric>` of the best checkpoint, `faithfulness/<measure>` where it was
            measured, and what it cost.
        digests: split -> fingerprint of its rows.
        made_by: device and versions, which make times and last digits differ.
        directions: metric -> `max` or `min`, which way is better, of those that are none of the task's.
    """

    path: Path
    seed: int
    task: str
    task_class: type[Task] | None
    choices: Mapping[str, str]
    options: Mapping[str, str]
    evaluated: Mapping[str, Any]
    metrics: Mapping[str, float]
    monitor: str | None
    digests: Mapping[str, str]
    made_by: Mapping[str, str]
    directions: Mapping[str, str]


class UnfinishedError(Exception):
    """Why a run directory is left out."""


def find_runs(places: Sequence[str], outputs: str = "outputs", key: str = "runs") -> list[Path]:
    """The run directories that folders and patterns name, each once, in the order given; those below a folder sorted.

    Args:
        places: a run directory, a folder with runs below it (a sweep, a day, `outputs`), or a pattern of such; or
            `latest`, or a part of the name of one run.
        outputs: `paths.outputs`, below which such a part is looked for.
        key: the option that named them, for the message.

    Raises:
        ConfigError: every place where there is none.
    """
    found: dict[Path, None] = {}
    problems: list[str] = []
    for place in places:
        path = Path(os.path.expanduser(place))  # which leaves a user that there is not as it is
        named = [str(path)] if os.path.exists(path) else sorted(glob.glob(str(path), recursive=True))
        if not named and not any(character in place for character in "*?[/"):
            named = _by_name(place, outputs, key)
        paths = [Path(name) for name in named]
        runs = [run.resolve() for folder in paths for run in runs_at(folder)]
        if not runs and not any(_holds_results(folder) for folder in paths):
            problems.append(f"{key}: {_why_none(path, paths)}")
        found |= dict.fromkeys(runs)
    if not found and not problems:
        problems.append(f"{key}: there are results of bench, compare or data there, but no runs.")
    if problems:
        raise ConfigError(_shortened(problems))
    return list(found)


def _by_name(name: str, outputs: str, key: str) -> list[str]:
    """The run that a part of a name means; empty where there is none."""
    try:
        return [str(find_run(key, name, outputs))]
    except ConfigError:
        return []


def _holds_results(folder: Path) -> bool:
    """Whether bench, compare or data wrote there: a shell's `outputs/*/*` names such folders among the runs."""
    return any(any(folder.glob(f"{level}{name}")) for name in RESULT_FILES for level in ("", "*/", "*/*/"))


def _why_none(path: Path, paths: Sequence[Path]) -> str:
    if not paths and any(character in str(path) for character in "*?["):
        return f"{path}: nothing has such a name."
    if not paths:
        near = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        shown = did_you_mean(path.name, near) or " `attnfocus list` shows the runs."
        return f"{path.absolute()}: no such folder.{shown}"
    if all(each.is_file() for each in paths):
        return f"{path}: is a file. Name the run directory."
    return f"{path}: holds no run (no {CONFIG_FILE} in it, nor up to {MAX_DEPTH} folders below)."


def _shortened(problems: Sequence[str]) -> list[str]:
    if len(problems) <= MAX_PROBLEMS:
        return list(problems)
    return [*problems[: MAX_PROBLEMS - 1], f"... and {len(problems) - MAX_PROBLEMS + 1} more of this kind."]


def read_runs(paths: Sequence[Path], trusted: Sequence[str] = ()) -> tuple[list[ComparedRun], dict[Path, str]]:
    """The finished runs, and why each other is left out: unfinished, damaged, or the same once more.

    Raises:
        ConfigError: none is finished.
    """
    runs: dict[tuple[object, ...], ComparedRun] = {}
    left_out: dict[Path, str] = {}
    tables = KeyTables(TrainConfig, trusted)
    for path in paths:
        try:
            run = _read_run(path, trusted, tables)
        except UnfinishedError as error:
            left_out[path] = str(error)
            continue
        same = runs.setdefault((run.seed, *run.options.items()), run)
        if same is not run:
            rows = "" if same.digests == run.digests else ", on other data"
            left_out[path] = f"same configuration and seed {run.seed} as {short_path(same.path)}{rows}"
    if not runs:
        raise ConfigError(_shortened([f"runs: {path}: {reason}" for path, reason in left_out.items()]))
    return list(runs.values()), left_out


def _read_run(path: Path, trusted: Sequence[str], tables: KeyTables) -> ComparedRun:
    try:
        require_own(path)
    except CheckpointError as error:
        raise UnfinishedError(str(error).removeprefix(f"{path}/")) from error
    summary = _summary(path)
    try:
        metrics = _metrics(path, summary)
    except CheckpointError as error:
        raise UnfinishedError(str(error).removeprefix(f"{path}/")) from error
    try:
        config = load_yaml(path / CONFIG_FILE)
        choices = {name: str(choice) for name, choice in config.get("choices", {}).items()}
        task_class, seed = _task_class(str(config["dataset"]["task"]), trusted), int(config["seed"])
        options = _options(RunConfig(config, trusted, tables))
    except (ConfigError, ImportError) as error:
        raise UnfinishedError(f"{CONFIG_FILE}: {str(error).splitlines()[0]}") from error
    except (UserError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnfinishedError(f"{CONFIG_FILE} is not that of a run ({type(error).__name__})") from error
    return ComparedRun(
        path=path,
        seed=seed,
        task=str(config["dataset"]["task"]) if task_class is None else task_class.name,
        task_class=task_class,
        choices=choices,
        options=options,
        evaluated=summary.test,
        metrics=metrics,
        monitor=None if summary.best is None else summary.best.metric,
        digests=_digests(path),
        made_by=_made_by(summary),
        directions=summary.directions,
    )


def _task_class(name: str, trusted: Sequence[str]) -> type[Task] | None:
    """The run's task; None where it is a class that nobody has trusted for this command.

    Raises:
        ConfigError: there is no such task.
    """
    is_known = name in TASKS or "." not in name or name.split(".")[0] in trusted
    return task_class_of("dataset.task", name, tuple(trusted)) if is_known else None


def _summary(path: Path) -> Summary:
    try:
        summary = load_summary(path)
    except FileNotFoundError:
        raise UnfinishedError(f"no {SUMMARY_FILE}: it ended before training began, or is about to begin") from None
    except CheckpointError as error:
        raise UnfinishedError(str(error).removeprefix(f"{path}/")) from error
    if summary.status == "completed":
        return summary
    reasons = {
        "running": "still running, or killed",
        "interrupted": f"interrupted; attnfocus train resume={short_path(path)} goes on",
        "failed": f"failed: {((summary.error or '').splitlines() or ['unknown error'])[0]}",
    }
    raise UnfinishedError(reasons.get(summary.status, f"status {summary.status}"))


def _options(config: RunConfig) -> dict[str, str]:
    """Every option as `section.key` -> its value as JSON, without those that have no effect."""
    return {key: _JSON.encode(value) for key, value in config.compared().items()}


def _metrics(path: Path, summary: Summary) -> dict[str, float]:
    best = summary.best
    valid, heads_from = _logged(path / METRICS_FILE, None if best is None else best.step)
    if best is not None:
        valid = {**valid, best.metric: best.value}
    costs = {name: getattr(summary, name) for name in COSTS}
    return {
        **{f"test/{name}": value for name, value in summary.test_metrics.items()},
        **{f"valid/{name}": value for name, value in valid.items()},
        **load_faithfulness(path, None if best is None else best.step),
        **_head_counts(summary.test.get("head_kinds")),
        **heads_from,
        **{name: cost for name, cost in costs.items() if cost is not None},
    }


def _digests(path: Path) -> dict[str, str]:
    """Empty where the file is not there or is damaged: then nothing says what the run was tested on."""
    try:
        return load_fingerprints(path)
    except CheckpointError:
        return {}


def _made_by(summary: Summary) -> dict[str, str]:
    facts = {
        "device": summary.device,
        "attnfocus": summary.versions.get("attnfocus"),
        "torch": summary.versions.get("torch"),
        "commit": None if summary.git is None else summary.git.commit,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _head_counts(kinds: Any) -> dict[str, float]:
    """`heads/<kind>`: how many heads are of each kind."""
    if not isinstance(kinds, Mapping):
        return {}
    of_all = Counter(kind for each in kinds.values() if isinstance(each, list) for kind in each if kind in KINDS)
    return {f"{HEADS}{kind}": float(of_all[kind]) for kind in KINDS} if of_all else {}


def _logged(path: Path, step: int | None) -> tuple[dict[str, float], dict[str, float]]:
    """The metrics of valid at a step, and `_heads_from`, which a file that is damaged later has not.

    Raises:
        CheckpointError: a line before the step's is damaged.
    """
    try:
        lines = valid_lines(path)
    except CheckpointError:
        return {} if step is None else logged_metrics(path, step, "valid") or {}, {}
    at_step: Mapping[str, Any] = next((line for line in lines if line["step"] == step), {})
    return metrics_of_line(at_step), _heads_from(lines)


def _heads_from(lines: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """`heads_from/<kind>`: the step of the first evaluation that had a head of the kind."""
    firsts = {kind: [line["step"] for line in lines if line.get(f"{HEADS_OF_KIND}{kind}")] for kind in KINDS}
    return {f"{HEADS_FROM}{kind}": float(min(steps)) for kind, steps in firsts.items() if steps}
