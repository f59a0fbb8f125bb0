"""How a process becomes one of several, and who tells what when one of them fails."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from attnfocus.errors import UserError
from attnfocus.parent import OUR_AGENT
from attnfocus.training.distributed.processes import DistributedOptions, Group, PeerLeftError, Processes

PATIENCE_SECONDS = 3.0  # for the process that has the cause to tell it


def was_launched() -> bool:
    """Whether torchrun, or something like it, has started this process as one of a job's."""
    return all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"))


@contextmanager
def joined(options: DistributedOptions, device: torch.device) -> Iterator[Processes]:
    """The processes of this job, for as long as it runs. The error that ends it is told by one process alone.

    Raises:
        RunError: the processes did not find each other.
    """
    group = Group(device, options.strategy or "ddp", options.timeout_seconds)
    if not group.is_first:  # what all of them notice is said once
        logging.getLogger("attnfocus").setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
    try:
        yield group
    except Exception as error:
        failure = group.explained(error) or error
        _record(failure)
        if isinstance(failure, PeerLeftError):  # the command's own agent knows what became of the other
            failure.is_told = OUR_AGENT in os.environ or not group.claim(PATIENCE_SECONDS)
        elif not group.claim():
            failure = PeerLeftError(str(error))
            failure.is_told = True
        elif isinstance(failure, UserError):
            failure.is_told = False
        if failure is error:
            raise
        raise failure from error
    group.close()


def _record(error: Exception) -> None:
    """Leaves the message where torchrun looks for it, so that its own report has it too."""
    from torch.distributed.elastic.multiprocessing.errors import get_error_handler

    get_error_handler().record_exception(error)
