"""The runs below a folder: found, newest first, and named by a part of their name. Loads nothing heavy."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from attnfocus.config.nearest import nearest
from attnfocus.errors import ConfigError, Problem
from attnfocus.layout import BENCH_FILE, COMPARE_FILE, CONFIG_FILE, DATA_FILE, HYDRA_FILE, JOB_FILE
from attnfocus.regular_files import is_there

LATEST = "latest"
OUTPUTS = "outputs"  # the default of `paths.outputs`
MAX_DEPTH = 4  # folders between the one given and a run: outputs/sweeps/DATE/TIME/JOB
MAX_SHOWN = 6  # runs that one message names
PLACEHOLDERS = ("run", "date/run", "name")  # of examples, typed as they stand there
CHECKPOINTS = ("best", "last")  # by name


def job_order(folder: Path) -> tuple[int, str]:
    """To sort folders by: jobs of a sweep, called 0_..., 1_..., ..., 10_..., by their number, after all others."""
    number = folder.name.split("_")[0]
    return (int(number) if number.isdecimal() else -1, folder.name)


def runs_at(folder: Path, depth: int = 0) -> Iterator[Path]:
    """Run directories, and folders of jobs that failed before they became one; also what we may not look into."""
    try:
        if not folder.is_dir():
            return
        is_run = is_there(folder / CONFIG_FILE) or is_there(folder / JOB_FILE)
        inner = [] if is_run or depth == MAX_DEPTH else sorted(folder.iterdir(), key=job_order)
    except OSError:
        is_run, inner = True, []
    if is_run:
        yield folder
    else:
        for path in inner:
            if not path.name.startswith(".") and not path.is_symlink():
                yield from runs_at(path, depth + 1)


def began(run_dir: Path) -> float:
    """When the configuration of a run was written, in seconds; 0 where there is none that can be seen."""
    try:
        return (run_dir / CONFIG_FILE).stat().st_mtime
    except OSError:
        return 0.0


def newest_first(folder: Path) -> list[Path]:
    """The runs below a folder that have a configuration."""
    times = {path: began(path) for path in runs_at(folder)}
    return sorted((path for path, time in times.items() if time), key=lambda path: (-times[path], path.name))


def find_run(key: str, name: str, outputs: str, verb_of_all: str = "") -> Path:
    """The run that a name means: a path, `latest`, or a part of the path of one run alone.

    Args:
        key: the option that named it, for the message.
        outputs: `paths.outputs`, below which runs are looked for.
        verb_of_all: the command to propose for a folder of several runs, all of which it takes; empty: none.

    Raises:
        ConfigError: there is none, there are several, or what is there is no run: with what to give.
    """
    path = Path(name).expanduser()
    if path.exists():
        _require_run(key, name, path, verb_of_all)
        return path
    runs = newest_first(Path(outputs).expanduser())
    if name == LATEST and runs:
        return runs[0]
    if not runs:
        where = "the newest run was asked for" if name == LATEST else f"there is no folder {path.absolute()}"
        text = f"{key}: {where}, and there are no runs below {outputs}. `attnfocus train` makes one."
        raise ConfigError(text)
    part = name.strip("/")
    meant = [run for run in runs if part and part in str(run)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise ConfigError(
            Problem(f"{key}: {name} is in the name of {_listed(meant)}. Give more of one.", key, [f"{key}={meant[0]}"])
        )
    if name.lower() in ("true", "yes", "1", "newest", "last"):
        problem = Problem(f"{key}: {name} names no run; the newest is {LATEST}.", key, [f"{key}={LATEST}"])
        raise ConfigError(problem)
    near = nearest(part.rsplit("/", 1)[-1], [run.name for run in runs], count=1)
    found = [run for run in runs if run.name in near][:1] or runs[:1]
    hint = f"Did you mean {found[0]}?" if near else f"The newest is {found[0]}; `attnfocus list` shows all."
    text = f"{key}: {path.absolute()} is not there, and no run below {outputs} has {name} in its name. {hint}"
    if not near and part.lower() not in PLACEHOLDERS:
        raise ConfigError(text, "attnfocus list" if outputs == "outputs" else f"attnfocus list {shlex.quote(outputs)}")
    raise ConfigError(Problem(text, key, [f"{key}={found[0]}"]))


def _require_run(key: str, name: str, path: Path, verb_of_all: str) -> None:
    """Refuses what is there and is no run directory.

    Raises:
        ConfigError: says what it is, and what to give.
    """
    if path.is_dir() and is_there(path / CONFIG_FILE):
        return
    run = next((parent for parent in path.resolve().parents if is_there(parent / CONFIG_FILE)), None)
    if run is not None:
        around = _parent_as_typed(path, run)
        which = [f"checkpoint={path.name}"] if key == "run" and path.name in CHECKPOINTS else []
        remark = " Choose the checkpoint with checkpoint=best, last or average." if key == "run" else ""
        text = f"{key}: {name} is a part of the run {around}. Give the run folder instead.{remark}"
        raise ConfigError(Problem(text, key, [f"{key}={around}", *which]))
    if not path.is_dir():
        raise ConfigError(f"{key}: {name} is a file, not a run directory. `attnfocus list` shows the runs.")
    for file, verb in ((BENCH_FILE, "bench"), (COMPARE_FILE, "compare"), (DATA_FILE, "data")):
        if is_there(path / file):
            raise ConfigError(f"{key}: {name} holds the results of {verb}, not a run. `attnfocus list` shows the runs.")
    runs = newest_first(path)
    if runs:
        kind = "is a sweep" if is_there(path / HYDRA_FILE) else "is a folder"
        whole = f"attnfocus {verb_of_all} {shlex.quote(name)}" if verb_of_all else ""
        do = f"For all of them, use {verb_of_all}; else name one." if verb_of_all else "Name one."
        text = f"{key}: {name} {kind} of {_listed(runs)}. {do}"
        raise ConfigError(Problem(text, key, [f"{key}={runs[0]}"], whole))
    raise ConfigError(f"{key}: {path.absolute()} is not a run directory (it has no {CONFIG_FILE}).")


def _parent_as_typed(path: Path, run: Path) -> Path:
    """The run around a path, written as the path was."""
    return next((parent for parent in path.parents if parent.resolve() == run), run)


def _listed(runs: Sequence[Path]) -> str:
    """`3 runs: A, B, C`, the newest first."""
    names = [str(run) for run in runs[:MAX_SHOWN]]
    more = f" and {len(runs) - MAX_SHOWN} more" if len(runs) > MAX_SHOWN else ""
    return f"{len(runs)} run{'s' if len(runs) > 1 else ''}: {', '.join(names)}{more}"
