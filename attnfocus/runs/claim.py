"""Whose a run directory is: a new one is empty, and one that is trained in is locked."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path

from attnfocus.display.console import open_console, say
from attnfocus.errors import ConfigError, Problem
from attnfocus.files import make_fresh_folder, write_error
from attnfocus.layout import (
    BENCH_FILE,
    COMPARE_FILE,
    CONFIG_FILE,
    DATA_FILE,
    DATA_FOLDER,
    EVENT_FILES,
    MAPS_FOLDER,
    TRAIN_LOCK,
)
from attnfocus.locks import HeldError, locked
from attnfocus.regular_files import is_folder, is_there, number, remove_remains, write_new
from attnfocus.runs.contents import LATER, WRITTEN_BY_TRAINING

AUTO = "auto"  # of `resume`: the run that the same command began, or a new one
_PROBE = "write-test"  # a file that shows whether a folder can be written
OTHER_HOST_SECONDS = 120.0  # how long a lock may outlive a process of another host: what NFS takes to notice


def new_run_dir(given: str | None, outputs: str, name: str, *, is_restarted: bool = False) -> Path:
    """An empty folder of this run's own.

    Args:
        given: `run_dir`, None for <outputs>/<date>/<time>_<name>_<4 hex>.
        outputs: `paths.outputs`.
        name: model, attention and dataset, joined by `_`.
        is_restarted: as `require_free` has it.

    Raises:
        ConfigError: the folder holds something already, or cannot be written.
    """
    if not given:
        return _fresh_run_dir(Path(outputs).expanduser().resolve(), name)
    folder = Path(given).expanduser().resolve()
    require_free(folder, is_restarted=is_restarted)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{_PROBE}.{number()}.tmp"
        write_new(probe, b"")
        probe.unlink()
    except OSError as error:
        raise write_error(error, folder, "run_dir") from error
    return folder


def _short_name() -> str:
    """A letter and three hexadecimal digits, by which a run can be named: never a number."""
    return secrets.choice("abcdef") + secrets.token_hex(2)[1:]


def _fresh_run_dir(outputs: Path, name: str) -> Path:
    now = datetime.now()
    parent = outputs / now.strftime("%Y-%m-%d")
    try:
        return make_fresh_folder(parent, f"{now.strftime('%H-%M-%S')}_{name}_{_short_name()}")
    except OSError as error:
        raise write_error(error, parent, "paths.outputs") from error


def require_free(run_dir: Path, *, is_restarted: bool = False, is_locked: bool = False) -> None:
    """Refuses `run_dir` for a new run if there is anything in it, since a run may only remove what it has written.

    Args:
        run_dir: a folder, which need not be there.
        is_restarted: a job that a cluster may have started before (`resume=auto`): what such a start leaves before it
            has a configuration is no hindrance, nor are files of others, such as a scheduler's logs.
        is_locked: by ourselves.

    Raises:
        ConfigError: names what is there, or who is training there.
    """
    if not is_folder(run_dir):
        return  # whoever makes it says what is wrong with it
    if not is_locked and is_there(run_dir / TRAIN_LOCK):
        with _held("run_dir", run_dir):
            pass
    there = {path.name for path in run_dir.iterdir()} - {TRAIN_LOCK}
    results = sorted(there & {BENCH_FILE, COMPARE_FILE, DATA_FILE})
    if CONFIG_FILE in there:
        text = (
            f"run_dir: {run_dir} already holds a run. To go on with it: resume={run_dir}. For a new run choose another "
            "run_dir."
        )
        raise ConfigError(Problem(text, "run_dir", [f"resume={run_dir}"]))
    if results:
        problem = f"already holds results ({results[0]}). Name another folder."
    elif is_restarted:
        ours = {name for name in there if name in LATER or fnmatch(name, EVENT_FILES)}
        if not ours:
            return
        problem = f"holds {min(ours)} of a run without its {CONFIG_FILE}. Name another folder, or move that away."
    elif there:
        problem = f"is not empty (it holds {min(there)}). Name a new folder, or an empty one."
    else:
        return
    raise ConfigError(f"run_dir: {run_dir} {problem}")


@contextmanager
def training(key: str, run_dir: Path) -> Iterator[None]:
    """While entered, no other process trains in the folder; a killed one lets go by itself.

    Args:
        key: the option that named the folder, for the message.
        run_dir: the folder, without links.

    Raises:
        ConfigError: the run is being trained; names process and host.
    """
    with _held(key, run_dir):
        remove_remains(run_dir, lambda name: name in {*WRITTEN_BY_TRAINING, _PROBE} or fnmatch(name, EVENT_FILES))
        for folder in (DATA_FOLDER, MAPS_FOLDER):
            remove_remains(run_dir / folder, lambda name: True)
        yield


@contextmanager
def _held(key: str, run_dir: Path) -> Iterator[None]:
    """Holds the lock of a run.

    A job that a cluster starts again on another host may find the lock of its first start, which their common file
    system has not let go yet: a lock of another host is waited for.
    """
    path = run_dir / TRAIN_LOCK
    with ExitStack() as held:
        try:
            try:
                held.enter_context(locked(path))
            except HeldError as error:
                if error.holder.is_local:
                    raise
                say(open_console(), f"{run_dir} is locked by {error}: waiting for it to end", style="yellow")
                held.enter_context(locked(path, OTHER_HOST_SECONDS))
        except HeldError as error:
            raise ConfigError(
                f"{key}: {run_dir} is being trained by {error}. Wait until it ends, or stop it; evaluate, predict, "
                "inspect and compare work meanwhile."
            ) from None
        except OSError as error:
            raise write_error(error, run_dir, key) from None
        yield
