"""`attnfocus.train`: the command `train` as a function, for scripts and notebooks."""

import os
import random
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attnfocus.cli.command import check_line, values_of
from attnfocus.config.override_text import is_of_hydra, literal, trusted_packages
from attnfocus.config.overrides import CommandLine
from attnfocus.errors import ConfigError, RunError
from attnfocus.events import Listener, TrainingEnded, TrainingStarted
from attnfocus.local_packages import finding_here
from attnfocus.redaction import note_overrides
from attnfocus.runs.loader import load
from attnfocus.runs.run import Run

SIGNALS = {130: signal.SIGINT, 143: signal.SIGTERM}  # exit code -> what stopped the run, after saving


def train(
    model: str | None = None,
    attention: str | None = None,
    dataset: str | None = None,
    *,
    overrides: Sequence[str] = (),
    config_dir: str | Path | None = None,
) -> Run:
    """Trains a run as `attnfocus train` does, and loads it: its best checkpoint, ready to be asked.

    The run directory is the same as the command's, and so are the names and the checks. Works any number of times in
    one process: random numbers, logging and signal handlers are afterwards what they were before. Figures appear on
    standard error.

    Args:
        model, attention, dataset: choices of these groups, such as `seq2seq`; None: the default.
        overrides: further choices and keys as on the command line: `["trainer.max_steps=100", "metric=mcc"]`.
        config_dir: a folder of your own groups, as `--config-dir`.

    Raises:
        ConfigError: every mistake in names and values at once, before data are read.
        DataError: data that are missing or malformed.
        CheckpointError: with `resume=DIR`, a run that cannot be gone on with.
        RunError: the run itself failed, such as a loss that is not finite.
        KeyboardInterrupt: Ctrl-C, in the main thread; the run is saved, and goes on with `resume=DIR`.
    """
    if isinstance(overrides, str | Mapping) or not all(isinstance(text, str) for text in overrides):
        pairs = overrides.items() if isinstance(overrides, Mapping) else ()
        texts = [overrides] if isinstance(overrides, str) else [f"{key}={value}" for key, value in pairs]
        example = texts or ["trainer.max_steps=100"]
        raise ConfigError(f"overrides: must be a list of texts. Write overrides={example!r}.")
    named = {"model": model, "attention": attention, "dataset": dataset}
    given = [f"{group}={choice}" for group, choice in named.items() if choice is not None]
    texts = [literal(text) for text in (*given, *overrides)]
    of_hydra = [text for text in texts if is_of_hydra(text)]
    if of_hydra:
        raise ConfigError([f"{text}: sweeps and Hydra's own keys are for the command line." for text in of_hydra])
    note_overrides(texts)
    with finding_here(trusted_packages(texts)), _process_as_it_was():
        line = CommandLine("train", texts, None if config_dir is None else str(config_dir))
        check_line(line, {})
        values, texts = values_of("train", line.all_compositions().compose(texts))
        values["config_dir"] = None if config_dir is None else str(Path(config_dir).absolute())
        return _trained(values, texts)


def _trained(values: dict[str, object], overrides: Sequence[str]) -> Run:
    from attnfocus.commands.train import command

    noted = _Outcome()
    code = command.run(values, overrides, [noted])
    if code:
        signal.raise_signal(SIGNALS[code])  # whoever had its handler before: Ctrl-C becomes a KeyboardInterrupt
        raise RunError(f"{noted.run_dir}: the run was stopped and is saved. Go on with resume={noted.run_dir}.")
    assert noted.run_dir is not None
    checkpoint = "best" if noted.has_best else "last"
    return load(noted.run_dir, checkpoint=checkpoint, device=str(values["device"]), trust=trusted_packages(overrides))


class _Outcome(Listener):
    """Notes where a run is, and whether one of its checkpoints is the best."""

    def __init__(self) -> None:
        self.run_dir: Path | None = None
        self.has_best = False

    def on_start(self, event: TrainingStarted) -> None:
        self.run_dir = event.run_dir

    def on_end(self, event: TrainingEnded) -> None:
        self.has_best = event.best is not None


@contextmanager
def _process_as_it_was() -> Iterator[None]:
    """Puts back what a run sets for its whole process: random numbers, deterministic algorithms, CUDA's workspace."""
    import numpy as np
    import torch

    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    workspace, is_deterministic = (
        os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
        torch.are_deterministic_algorithms_enabled(),
    )
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
        if torch.are_deterministic_algorithms_enabled() != is_deterministic:
            torch.use_deterministic_algorithms(is_deterministic)
        if workspace is None:
            os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)
