"""A run of several processes as a job of torchrun: its checks, and the run that a restarted one goes on with."""

import json
import os
from pathlib import Path

import torch

from attnfocus.data.preparation import Prepared
from attnfocus.errors import ConfigError, DataError
from attnfocus.runs.assembly import Setup
from attnfocus.training import resolve_device
from attnfocus.training.distributed.processes import Processes

RUN = "run"  # what a job notes for its next start: its run directory


def run_of_job(processes: Processes) -> Path | None:
    """The run that this job has begun before its processes were started anew, if they were and it had."""
    if os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0":
        return None
    noted = processes.noted(RUN)
    return None if noted is None else Path(noted)


def check_processes(setup: Setup) -> None:
    """What several processes cannot do.

    Raises:
        ConfigError: every such option at once.
    """
    problems = []
    if setup.device.type == "mps":
        problems.append("distributed: several processes cannot share mps. Use device=cpu, or one process.")
    if ":" in setup.config.device:
        problems.append(f"device: {setup.config.device} is one GPU, and each process takes its own. Use device=cuda.")
    started, wanted = int(os.environ["WORLD_SIZE"]), setup.config.distributed.num_processes
    if wanted is not None and wanted != started:
        problems.append(f"distributed.num_processes: got {wanted}, but {started} were started. Leave it to torchrun.")
    if setup.config.trainer.split_on_oom and started > 1:
        problems.append(
            "trainer.split_on_oom: true is for one process: the others would wait for the one that starts again. "
            "Use a smaller trainer.batch_size with trainer.accumulate_steps."
        )
    if setup.config.distributed.strategy == "fsdp":
        problems += _problems_of_parts(setup)
    if problems:
        raise ConfigError(problems)


def _problems_of_parts(setup: Setup) -> list[str]:
    """What needs whole weights in each process."""
    trainer, way_out = setup.config.trainer, "or distributed=ddp, where each process has all weights."
    asked = {
        "trainer.ema_decay": (trainer.ema_decay is not None, "null"),
        "trainer.precision": (trainer.precision == "fp16", "bf16"),
        "trainer.compile": (trainer.compile, "false"),
        "focus.sigma_reparametrization": (setup.config.focus.sigma_reparametrization, "false"),
    }
    return [
        f"{key}: does not go with distributed=fsdp, whose processes hold parts of the weights. Use {value}, {way_out}"
        for key, (is_asked, value) in asked.items()
        if is_asked
    ]


def require_same_data(prepared: Prepared, processes: Processes) -> None:
    """Makes sure that the processes share batches of the same examples.

    Raises:
        DataError: a host has other files.
    """
    own = json.dumps([prepared.fingerprints, prepared.codec.dims()]).encode()
    found = processes.gathered(lambda: own) or []
    differing = [str(rank) for rank, each in enumerate(found) if each != own]
    if differing:
        raise DataError(
            f"the processes {', '.join(differing)} have read other data than the first. Give all hosts the same files "
            "(paths.data, dataset.*)."
        )


def require_own_device(name: str) -> None:
    """Refuses a process for which there is no GPU; others of the job may have theirs, so each speaks for itself.

    Raises:
        ConfigError: names the GPU that is not there.
    """
    try:
        resolve_device(name)
    except ConfigError as error:
        error.is_told = os.environ.get("LOCAL_RANK", "0") != "0" and not torch.cuda.is_available()
        raise
