"""A run of several processes as a job of torchrun: its name, its checks, the run that a restarted one goes on with."""

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attnfocus.commands.assembly import Setup
from attnfocus.commands.rundir import SUMMARY_FILE
from attnfocus.data import Prepared
from attnfocus.errors import ConfigError, DataError
from attnfocus.training.distributed import Processes, was_launched


def job_name() -> str | None:
    """The same for all starts of a job, and for no other job; None for a process alone."""
    if not was_launched():
        return None
    name = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    return name if name != "none" else f"{socket.gethostname()}-{os.getppid()}"  # torchrun was not told any


def run_of_job(values: Mapping[str, Any]) -> Path | None:
    """The run that this job has begun before its processes were started anew, if they were and it had."""
    if not was_launched() or os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0":
        return None
    given = values.get("run_dir") or values.get("resume")
    if given and given != "auto":
        places = [Path(given).expanduser().resolve() / SUMMARY_FILE]
    else:
        places = list(Path(values["paths"]["outputs"]).expanduser().resolve().glob(f"*/*/{SUMMARY_FILE}"))
    return next((path.parent for path in places if _job_of(path) == job_name()), None)


def _job_of(summary: Path) -> str | None:
    try:
        job: str | None = json.loads(summary.read_text(encoding="utf-8")).get("job")
    except (OSError, ValueError):
        return None
    return job


def check_processes(setup: Setup) -> None:
    """What several processes cannot do.

    Raises:
        ConfigError: every such option at once.
    """
    problems = []
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
