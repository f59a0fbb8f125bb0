"""The small runs that the fault suite makes, and what its fixtures return."""

from collections.abc import Callable
from pathlib import Path

from command_server import Done, Running, Server
from tests_support import TINY_DATES, only_run

Start = Callable[..., Running]
Run = Callable[..., Done]

# The run that most cases continue or damage: two epochs of four batches, with everything random switched on.
STEPS = ("trainer.batch_size=50", "trainer.max_steps=8", "trainer.log_every_steps=2", "model.dropout=0.1")
DATES = (*TINY_DATES, *STEPS, "trainer.save_every_steps=2")
# Milliseconds a step: four vectors, four classes.
VECTORS = ("model=pooling_classifier", "model.embed_dim=8", "focus.num_samples=0")


def run_once(server: Server, folder: Path, *arguments: str) -> Path:
    """Trains in `folder`; returns the run directory, which tests share."""
    streams = {"input": None, "stdout": None, "stderr": None}
    done = Running(server, ["train", *arguments], folder, fault=None, **streams, env={}).wait()
    assert done.returncode == 0, done.stderr
    return only_run(folder)
