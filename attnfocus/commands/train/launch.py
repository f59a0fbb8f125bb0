"""Several processes on this machine, by torchrun's own agent: the same command, started once for each."""

import logging
import os
import signal
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from attnfocus.config.override_text import quoted
from attnfocus.errors import ConfigError, RunError, signal_exit_code
from attnfocus.parent import OUR_AGENT
from attnfocus.runs.config import RunConfig
from attnfocus.training.distributed.processes import DistributedOptions, PeerLeftError

SHUTDOWN_SECONDS = 300  # for a step, an evaluation and a save, after a signal
# What the processes are told of; the last two come from schedulers of clusters. Windows has few of them.
SIGNALS = [name for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)]


def launch(config: RunConfig, overrides: Sequence[str]) -> int:
    """Starts the processes of a run, waits for them, and says what ended them if they did not say it themselves.

    Returns:
        The exit code: 0, that of the process whose error ended the job, or that of the signal that stopped it.

    Raises:
        ConfigError: it is not known how many.
        RunError: a process was killed.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    options = config.setup.config.distributed
    count = _num_processes(options, config.setup.device)
    plan = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=options.max_restarts,
        signals_to_handle=",".join(SIGNALS),
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    with _around_agent(count):
        try:
            elastic_launch(plan, sys.executable)(*_arguments(config.values, overrides))
        except SignalException as error:
            return signal_exit_code(error.sigval)
        except ChildFailedError as error:
            return _exit_code(error, count)
    return 0


@contextmanager
def _around_agent(count: int) -> Iterator[None]:
    """What the agent finds, and what it leaves changed: environment, handlers of signals, levels of logs."""
    threads = str(max(1, (os.cpu_count() or 1) // count))
    own = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", threads), OUR_AGENT: str(os.getpid())}
    before = {name: os.environ.get(name) for name in own}
    numbers = [getattr(signal, name) for name in SIGNALS]
    in_main_thread = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in numbers} if in_main_thread else {}
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("torch.distr")]
    levels = [logger.level for logger in loggers]
    os.environ.update(own)
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)  # the agent tells each failure several times
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _num_processes(options: DistributedOptions, device: torch.device) -> int:
    here = torch.cuda.device_count()
    if options.num_processes is not None:
        if device.type == "cuda" and options.num_processes > here:
            raise ConfigError(
                f"distributed.num_processes: got {options.num_processes}, but each needs a GPU of its own. "
                f"Use at most {here}, which there are, or device=cpu."
            )
        return options.num_processes
    if device.type == "cuda":
        return here
    raise ConfigError(
        f"distributed.num_processes: null means one for each GPU, and the device is {device.type}. "
        "Say how many: distributed.num_processes=2."
    )


def _arguments(values: Mapping[str, Any], overrides: Sequence[str]) -> list[str]:
    """This command again. Where a sweep's job writes, and that it goes on there, is in none of its overrides."""
    folder = [f"--config-dir={values['config_dir']}"] if values.get("config_dir") else []
    given = {text.split("=", 1)[0] for text in overrides}
    own = [f"{key}={quoted(str(values[key]))}" for key in ("run_dir", "resume") if values.get(key) and key not in given]
    return ["-m", "attnfocus", "train", *folder, *overrides, *own]


OWN_ERROR = 0


def _order(item: tuple[int, Any]) -> int:
    """Causes before consequences: an error of a process's own, a kill, the agent's own SIGTERM, the loss of a peer."""
    failure = item[1]
    if failure.exitcode > 0:
        return 3 if PeerLeftError.__name__ in str(failure.message) else OWN_ERROR
    return 2 if failure.exitcode == -signal.SIGTERM else 1


def _exit_code(error: Any, count: int) -> int:
    """Of the process that ended the job: one that was killed, or else the first that had an error of its own.

    Raises:
        RunError: nobody has said yet what happened.
    """
    failures = sorted(error.failures.items(), key=_order)
    rank, failure = failures[0]
    if _order(failures[0]) == OWN_ERROR:
        return int(failure.exitcode)
    what = str(failure.message) if failure.exitcode > 0 else f"was killed by {failure.signal_name()}"
    raise RunError(
        f"process {rank} of {count} (pid {failure.pid}) {what}; the others were stopped.\n"
        "The last checkpoint is whole: resume=RUN_DIR goes on from it, with any number of processes."
    )
