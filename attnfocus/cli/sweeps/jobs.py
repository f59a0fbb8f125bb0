"""The jobs of a sweep under Hydra's launchers: which there are, how one runs in its folder, how they are stopped."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from attnfocus.collector import without_collector
from attnfocus.config.composition import Compositions, as_written, note_overrides
from attnfocus.config.override_text import quoted
from attnfocus.errors import ConfigError, signal_exit_code
from attnfocus.redaction import note_overrides as hide_secrets_of

_PREEMPTION = (
    "SUBMITIT_PREEMPT_SIGNAL"  # names the signal by which submitit is told that a job has to leave its machine
)

_stopped_with: int | None = None  # in a worker process: the exit code of the signal after which it starts no other job
_is_in_job = False
_is_launching = False  # in the process that launches; joblib with n_jobs=1 runs the jobs in it too


class Checked:
    """What was made for the command line of a sweep, carried past Hydra, which has no way for it."""

    compositions: Compositions | None = None


def plan_jobs(config: DictConfig, jobs: Sequence[Sequence[str]]) -> list[list[str]]:
    """Writes down the sweep, and the folder of each job by its number; gives the jobs that are not done.

    Launchers count what they are given from 0: the name of its folder, among its overrides, keeps a job's own number.

    Raises:
        ConfigError: a job cannot be composed, or the sweep's folder holds jobs of other overrides.
    """
    from attnfocus.commands.sweep.sweep import begin_sweep, prepare_sweep

    if Checked.compositions is None:
        raise RuntimeError("this sweeper is a part of `attnfocus train -m`")
    folder = Path(config.hydra.sweep.dir)
    begin_sweep(folder, as_composed(config))
    with without_collector():
        names = _folder_names(config, Checked.compositions, jobs)
    if len(set(names)) < len(jobs):
        raise ConfigError("hydra.sweep.subdir: gives several jobs one folder. Put ${hydra.job.num} into it.")
    folders = {name: list(job) for name, job in zip(names, jobs, strict=True)}
    missing = prepare_sweep(folder, folders)
    return [[*folders[name], f"hydra.sweep.subdir={quoted(name)}"] for name in missing]


def _folder_names(config: DictConfig, compositions: Compositions, jobs: Sequence[Sequence[str]]) -> list[str]:
    """`hydra.sweep.subdir` as each job composes it: it may refer to any key.

    Files may set nothing of Hydra's section from which a folder is made: what is not of the job's own overrides is that
    of the whole sweep.
    """
    names = [""] * len(jobs)
    of_hydra = as_written(config.hydra.overrides.hydra)
    whole = None
    for number, composed in compositions.each(jobs):
        if composed.config is not whole:
            whole = composed.config
            with open_dict(whole):
                whole.hydra = config.hydra
                whole.hydra.runtime.choices = composed.section.runtime.choices
        section = whole.hydra
        with read_write(section), open_dict(section):
            section.job.num = number
            note_overrides(section, compositions.parsed([*of_hydra, *jobs[number]]))
        names[number] = str(section.sweep.subdir)
    return names


def as_composed(config: DictConfig) -> dict[str, Any]:
    """Hydra's whole configuration as plain values; references stay as they were written."""
    whole = OmegaConf.to_container(config, enum_to_str=True)
    assert isinstance(whole, dict)
    return {str(key): value for key, value in whole.items()}


def _number(section: DictConfig, number: int) -> None:
    with read_write(section), open_dict(section):
        section.job.num = number


def announce_launch(config: DictConfig) -> None:
    """Says where to look for what jobs that do not share this screen show."""
    from attnfocus.commands.sweep.sweep import announce_logs

    if "submitit" in str(config.hydra.launcher.get("_target_")):
        announce_logs(Path(config.hydra.sweep.dir))


@contextmanager
def launching(config: DictConfig) -> Iterator[None]:
    """While jobs run in other processes of this machine: Ctrl-C and SIGTERM are passed on, so that each saves first.

    A second Ctrl-C stops at once. Jobs of a cluster are the cluster's: they go on. To be entered for each launch, since
    its end is where a stopped sweep launches no more.

    Raises:
        KeyboardInterrupt: the sweep was stopped; its argument is the exit code.
    """
    global _is_launching
    from attnfocus.commands.sweep.folders import stop_jobs, wait_for_jobs

    launcher, folder = str(config.hydra.launcher.get("_target_")), Path(config.hydra.sweep.dir)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if launcher.endswith((".BasicLauncher", ".SlurmLauncher")) or not in_main_thread:
        yield
        return
    codes: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        is_second = bool(codes) and number == signal.SIGINT
        codes.append(signal_exit_code(number))
        if is_second or _is_in_job:
            raise KeyboardInterrupt(codes[0])
        stop_jobs(folder)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    _is_launching = True
    try:
        yield
    except Exception:
        if not codes:
            raise
        wait_for_jobs(folder)
    finally:
        _is_launching = False
        for number, handler in before.items():
            signal.signal(number, handler)
    if codes:
        raise KeyboardInterrupt(codes[0])


def run_sweep_job(config: DictConfig, run: Callable[[DictConfig], int]) -> int:
    """One job of a sweep, in its folder: a failure is written down, and the next job starts.

    A folder that holds the job's run already, because it was stopped or killed, is gone on with.

    Args:
        config: composed for this job.
        run: what the job does with it.
    """
    from attnfocus.commands.sweep.folders import job_order
    from attnfocus.commands.sweep.sweep import run_recorded
    from attnfocus.runs.claim import AUTO

    hydra_config = HydraConfig.get()
    folder = Path(hydra_config.runtime.output_dir)
    number = job_order(folder)[0]
    if number >= 0:
        _number(cast(DictConfig, hydra_config), number)  # launchers count anew what a sweep goes on with
    config.run_dir, config.resume = str(folder), AUTO
    overrides = list(hydra_config.overrides.task)
    hide_secrets_of(overrides)
    if hydra_config.launcher.get("_target_", "").endswith(".BasicLauncher"):
        return run_recorded(folder, overrides, lambda: run(config))
    return run_beside_others(folder, overrides, lambda: run(config))


def run_beside_others(folder: Path, overrides: list[str], run: Callable[[], int]) -> int:
    """A job in a process of a launcher: its lines say whose they are, and a signal ends it in order."""
    global _is_in_job, _stopped_with
    from attnfocus.commands.sweep.sweep import named_lines, run_recorded

    _end_in_order()
    if _stopped_with is not None:
        return _stopped_with
    _is_in_job = True
    try:
        return run_recorded(folder, overrides, named_lines(folder, run))
    except KeyboardInterrupt as stop:
        if _is_launching:
            raise
        _stopped_with = stop.args[0] if stop.args else 130
    finally:
        _is_in_job = False
    _leave_the_machine(folder)
    return _stopped_with


def _end_in_order() -> None:
    """Signals that would kill this process with a job of it end the job alone, so that the launcher hears of it."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) == default:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    global _stopped_with
    _stopped_with = signal_exit_code(number)
    if _is_in_job:
        raise KeyboardInterrupt(_stopped_with)


def _leave_the_machine(folder: Path) -> None:
    """Under submitit, after a signal: a preempted job is queued again, any other leaves no result.

    The signal that says so came to the training loop, which has saved. Now it goes to submitit's own handler, which
    asks the cluster to start the same job again: it will go on in its folder.
    """
    if "SUBMITIT_EXECUTOR" not in os.environ:
        return
    from attnfocus.commands.sweep.folders import interrupted_by

    name = f"SIG{os.environ.get(_PREEMPTION, 'USR2')}"
    if interrupted_by(folder) == name:
        signal.raise_signal(getattr(signal, name))
    sys.exit(_stopped_with)
