"""A sweep from the command line: its folder, the command line of one that goes on, its end."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf

from attnfocus.config.composition import reworded
from attnfocus.config.override_text import is_of_hydra, quoted, trusted_packages, unreadable
from attnfocus.config.overrides import CommandLine
from attnfocus.config.read import load_yaml
from attnfocus.errors import CheckpointError, ConfigError, UserError
from attnfocus.files import is_no_room, make_fresh_folder, write_error
from attnfocus.layout import HYDRA_FILE
from attnfocus.redaction import REDACTED, hide_override, is_secret
from attnfocus.regular_files import is_there, remove_remains

RESUME = "sweep.resume"
SWEEPER = "hydra_plugins.attnfocus_sweeper.AttnfocusSweeper"
_SWEEP_DIR = "hydra.sweep.dir"
_HYDRAS_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
# What run_verb gives Hydra anew with each sweep.
_LAUNCHER = ("hydra/launcher", "hydra.launcher.")
_SWEEPER = ("hydra/sweeper", "hydra.sweeper.")
# How much is launched, and how much of it at once, not what is swept or sought.
_CHANGEABLE = ("hydra.sweeper.n_trials", "hydra.sweeper.n_jobs", "hydra.sweeper.max_batch_size")
_OURS = ("hydra.mode", _SWEEP_DIR, "hydra.sweeper._target_", "hydra.job.config.override_dirname.exclude_keys")


@dataclass(frozen=True)
class Resumed:
    """A sweep that goes on: its folder, the command line that it was begun with, and what of that its folder told."""

    folder: Path
    overrides: Sequence[str]
    saved: Sequence[str]
    config_dir: str | None


def resumed_sweep(overrides: Sequence[str], config_dir: str | None) -> Resumed | None:
    """The sweep that `sweep.resume` names; None where none is named.

    Args:
        overrides: those of this command line. What it says again must be what the sweep was begun with, apart from
            how it is launched (`hydra/launcher`, `hydra.*`), `trust`, and secrets, which are not saved.
        config_dir: this command line's `--config-dir`.

    Raises:
        ConfigError: the folder holds no sweep, or it was begun with other overrides.
    """
    named = [text for text in overrides if key_of(text) == RESUME]
    if not named:
        return None
    place = _value(named[-1])
    if place is None:
        return None
    folder = Path(str(place)).expanduser().resolve()
    given = [text for text in overrides if text not in named]
    task, of_hydra, saved_dir = _saved(folder)
    problems = [*_differences(task, given), *_hidden(of_hydra, given)]
    if problems:
        raise ConfigError(problems)
    again = {key_of(text): text for text in given}
    kept = [again.pop(key_of(text), text) for text in task]
    ours = [text for text in again.values() if is_of_hydra(text)]
    if any(key_of(text) == _SWEEP_DIR for text in ours):
        raise ConfigError(f"{_SWEEP_DIR}: {RESUME} names the sweep's folder already.")
    launch = _launch(of_hydra, ours)
    others = [text for text in again.values() if text not in ours]
    saved = [text for text in (*kept, *launch) if text not in given]
    return Resumed(folder, [*kept, *others, *launch], saved, config_dir or saved_dir)


def _launch(saved: Sequence[str], given: Sequence[str]) -> list[str]:
    """Hydra's own overrides of a sweep that goes on: a launcher given now takes the place of the one before.

    Raises:
        ConfigError: they would make another sweep of it.
    """
    of_sweeper = [text for text in given if key_of(text).startswith(_SWEEPER) and key_of(text) not in _CHANGEABLE]
    problems = [
        f"{text}: would make another sweep of it, and {RESUME} goes on with it. May change: {', '.join(_CHANGEABLE)}."
        for text in of_sweeper
        if text not in saved and hide_override(text) not in saved
    ]
    if problems:
        raise ConfigError(problems)
    keys = tuple(key_of(text) for text in given)
    left_out = (*_OURS, *(_LAUNCHER if any(key.startswith(_LAUNCHER) for key in keys) else ()))
    kept = [text for text in saved if key_of(text) not in keys and not key_of(text).startswith(left_out)]
    return [*kept, *given]


def _saved(folder: Path) -> tuple[list[str], list[str], str | None]:
    """Overrides, those of Hydra's own section, and `--config-dir` of the sweep in a folder."""
    from attnfocus.commands.sweep.folders import require_own_sweep

    require_own_sweep(folder)
    path = folder / HYDRA_FILE
    if not path.is_file():
        raise ConfigError(f"{RESUME}: {folder} holds no sweep (no {HYDRA_FILE} in it). Name outputs/sweeps/DATE/TIME.")
    try:
        section = load_yaml(path)["hydra"]
        lists = [section["overrides"][name] for name in ("task", "hydra")]
        sources = section["runtime"]["config_sources"]
        own = [str(each["path"]) for each in sources if each["provider"] == "command-line"]
        task, of_hydra = ([str(text) for text in texts if _may_come_from_a_file(str(text))] for texts in lists)
    except (CheckpointError, KeyError, TypeError) as error:
        raise ConfigError(f"{RESUME}: {path} is damaged ({error}). Begin another sweep.") from error
    return task, of_hydra, own[0] if own else None


def _may_come_from_a_file(text: str) -> bool:
    """Flags and trust are taken from the command line alone."""
    return not text.startswith("-") and key_of(text) != "trust" and unreadable(text) is None


def _differences(saved: Sequence[str], given: Sequence[str]) -> list[str]:
    """What is wrong with overrides that are given again."""
    own = {key_of(text): text for text in saved}
    problems = []
    for text in given:
        key = key_of(text)
        if is_of_hydra(text) or key == "trust" or own.get(key) == text:
            continue
        if is_secret(key) and REDACTED in own.get(key, ""):
            continue
        was = f"this sweep has {own[key]}" if key in own else "this sweep was begun without it"
        problems.append(f"{text}: {was}. {RESUME} alone goes on with all of its overrides; others make another sweep.")
    return [*problems, *_hidden(saved, given)]


def _hidden(saved: Sequence[str], given: Sequence[str]) -> list[str]:
    """What a sweep's folder does not tell."""
    hidden = [key_of(text) for text in saved if REDACTED in text]
    told = {key_of(text) for text in given}
    text = "a secret, which is not saved with a sweep: give it again, with the same value."
    return [f"{key}: {text}" for key in hidden if key not in told]


def check_sweep(line: CommandLine) -> None:
    """Refuses what each job of a sweep has of its own.

    Raises:
        ConfigError: names the key.
    """
    reasons = {
        "hydra.run.dir": f"a sweep's folder is {_SWEEP_DIR}.",
        "run_dir": "a sweep gives each job a folder of its own, under paths.outputs.",
        "resume": f"goes on with one run; a sweep goes on by {RESUME}=outputs/sweeps/DATE/TIME.",
    }
    problems = [f"{key}: {reasons[key]}" for text in line.overrides if (key := key_of(text)) in reasons]
    if problems:
        raise ConfigError(problems)


def sweep_overrides(line: CommandLine, folder: Path) -> list[str]:
    """What Hydra is told of a sweep besides the command line, once that is checked: folder, names and sweeper."""
    fixed_overrides = line.fixed()
    section = line.compose(list(fixed_overrides.values()), with_hydra=True)["hydra"]
    unnamed = [*fixed_overrides, *filter(is_secret, map(key_of, line.overrides))]  # in the names of the jobs' folders
    fixed = ",".join(f"'{key}'" for key in unnamed)
    extra = [f"{_SWEEP_DIR}={quoted(str(folder))}", f"hydra.job.config.override_dirname.exclude_keys=[{fixed}]"]
    is_basic = section["sweeper"]["_target_"] == _HYDRAS_SWEEPER
    return [*extra, f"hydra.sweeper._target_={SWEEPER}"] if is_basic else extra


def run_sweep(folder: Path, launch: Callable[[], None], *, is_new: bool) -> int:
    """Launches the jobs, then shows how they ended.

    Args:
        folder: the sweep's.
        launch: returns when all jobs have ended.
        is_new: the folder was made for this command, and goes again when no job could be started.

    Returns:
        The exit code.

    Raises:
        ConfigError: the launcher could not start any job.
    """
    from attnfocus.commands.sweep.sweep import finish_sweep, has_begun_jobs, print_stopped

    try:
        launch()
    except KeyboardInterrupt as stop:
        if has_begun_jobs(folder):
            print_stopped(folder)
        elif is_new:
            shutil.rmtree(folder)
        return int(stop.args[0]) if stop.args else 130
    except Exception as error:
        has_begun = has_begun_jobs(folder)
        if is_new and not has_begun:
            shutil.rmtree(folder)
        if isinstance(error, UserError) or (isinstance(error, OSError) and is_no_room(error)):
            raise
        if has_begun:
            finish_sweep(folder)
            raise
        line = (str(error).splitlines() or [""])[0]
        raise ConfigError(f"hydra/launcher: no job could be started: {line or type(error).__name__}.") from error
    return finish_sweep(folder)


def write_page(line: CommandLine, folder: Path) -> None:
    """Writes the page of a sweep whose jobs have ended, by what is the same for all of them (`report`, `trust`)."""
    from attnfocus.commands.sweep.page import write_sweep_page

    choice = line.compose(list(line.fixed().values())).get("report")
    words = [*(["--config-dir", line.config_dir] if line.config_dir else []), "-m", *line.overrides]
    write_sweep_page(folder, choice, trusted_packages(line.overrides), words)


def new_sweep_dir(line: CommandLine) -> tuple[Path, bool]:
    """The folder that `hydra.sweep.dir` names on the command line, else outputs/sweeps/<date>/<time>.

    Returns:
        The folder, and whether it was made here.

    Raises:
        ConfigError: it holds something, or cannot be made.
    """
    if not any(key_of(text) == _SWEEP_DIR for text in line.overrides):
        return _fresh_sweep_dir(line.outputs), True
    composed = OmegaConf.create(line.compose(list(line.fixed().values()), with_hydra=True))
    with reworded():
        folder = Path(str(composed.hydra.sweep.dir)).expanduser().resolve()
    try:
        is_new = not is_there(folder)
        folder.mkdir(parents=True, exist_ok=True)
        remove_remains(folder, lambda name: name == HYDRA_FILE)  # a kill before a sweep was written down
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise write_error(error, folder, _SWEEP_DIR) from error
    if HYDRA_FILE in names:
        raise ConfigError(f"{_SWEEP_DIR}: {folder} holds a sweep. Go on with it: {RESUME}={quoted(str(folder))}")
    if names:
        raise ConfigError(f"{_SWEEP_DIR}: {folder} holds {', '.join(names[:3])} already. Name a folder that is empty.")
    return folder, is_new


def _fresh_sweep_dir(outputs: Path) -> Path:
    now = datetime.now()
    parent = outputs.expanduser() / "sweeps" / now.strftime("%Y-%m-%d")
    try:
        return make_fresh_folder(parent, now.strftime("%H-%M-%S"))
    except OSError as error:
        raise write_error(error, parent.resolve(), "paths.outputs") from error


def key_of(override: str) -> str:
    return override.split("=", 1)[0]


def _value(override: str) -> object:
    try:
        return OverridesParser.create().parse_override(override).value()
    except HydraException as error:
        raise ConfigError(f"{override}: cannot be read. Write {RESUME}=outputs/sweeps/DATE/TIME.") from error
