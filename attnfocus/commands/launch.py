"""Several processes on this machine, by torchrun's own agent: the same command, started once for each."""

import logging
import os
import signal
import sys
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from attnfocus.errors import ConfigError, RunError
from attnfocus.training.distributed import DistributedOptions, PeerLeftError

SHUTDOWN_SECONDS = 300  # for a step and a save, after a signal


def launch(
    options: DistributedOptions, device: torch.device, values: Mapping[str, Any], overrides: Sequence[str]
) -> int:
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

    count = _num_processes(options, device)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("torch.distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # the agent tells each failure several times
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=options.max_restarts,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    try:
        elastic_launch(config, sys.executable)(*_arguments(values, overrides))
    except SignalException as error:
        return 130 if error.sigval == signal.SIGINT else 143
    except ChildFailedError as error:
        return _exit_code(error, count)
    return 0


def _num_processes(options: DistributedOptions, device: torch.device) -> int:
    if options.num_processes is not None:
        return options.num_processes
    if device.type == "cuda":
        return torch.cuda.device_count()
    raise ConfigError(
        f"distributed.num_processes: null means one for each GPU, and the device is {device.type}. "
        "Say how many: distributed.num_processes=2."
    )


def _arguments(values: Mapping[str, Any], overrides: Sequence[str]) -> list[str]:
    """This command again. Where a sweep's job writes, and that it goes on there, is in none of its overrides."""
    folder = [f"--config-dir={values['config_dir']}"] if values.get("config_dir") else []
    given = {text.split("=", 1)[0] for text in overrides}
    own = [f"{key}='{values[key]}'" for key in ("run_dir", "resume") if values.get(key) and key not in given]
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
    what = "has lost the others" if failure.exitcode > 0 else f"was killed by {failure.signal_name()}"
    raise RunError(
        f"process {rank} of {count} (pid {failure.pid}) {what}; the others were stopped.\n"
        "The last checkpoint is whole: resume=RUN_DIR goes on from it, with any number of processes."
    )
