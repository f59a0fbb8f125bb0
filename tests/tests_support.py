"""What several tests ask of a finished command."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from attnfocus.stages import Stage

Command = Callable[..., "subprocess.CompletedProcess[str]"]

# A run of seconds: small data, small model, few steps.
TINY_DATES = (
    "dataset.num_train=200",
    "dataset.num_valid=20",
    "dataset.num_test=20",
    "model.embed_dim=16",
    "model.hidden_size=16",
    "trainer.max_steps=6",
    "trainer.max_epochs=null",
    "focus.num_samples=0",  # a picture takes as long as twenty steps: who looks at one asks for it
    "decoding.max_length=20",  # tokens; a model that has learnt nothing never ends by itself
    "scheduler=constant",  # does not ask how many steps there will be: runs can go on where shorter ones ended
)

PAPER = ("files=[pdf,svg]", "style=paper")  # figures for a paper


def assert_for_paper(folder: Path, name: str, inches: float, words: str) -> None:
    """A figure is there as PDF and SVG of a width, with its fonts in it, and its caption has these words."""
    points = f"{inches * 72:g}"
    pdf = (folder / f"{name}.pdf").read_bytes()
    assert f"/MediaBox [ 0 0 {points} ".encode() in pdf
    assert b"/CIDFontType2" in pdf
    assert b"/Type3" not in pdf
    svg = (folder / f"{name}.svg").read_text(encoding="utf-8")
    assert f'width="{points}pt"' in svg
    assert "<text" not in svg
    assert words in (folder / f"{name}.txt").read_text(encoding="utf-8")


def commands_run_in(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """For commands inside the test process: what they set in the environment is put back with the patch."""
    patch.chdir(folder)
    patch.setenv("HYDRA_FULL_ERROR", "1")
    patch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    for name in ("PYTHONSAFEPATH", "PYTHONPATH"):
        patch.setenv(name, os.environ.get(name, ""))


def assert_polite(done: "subprocess.CompletedProcess[str]", code: int) -> None:
    """The exit code, and a message of at most five lines without a traceback or Hydra's own advice.

    What training says before it (what is trained, on what) is no part of the message.
    """
    assert done.returncode == code, done.stderr
    message = done.stderr[max(done.stderr.find("attnfocus: "), 0) :]
    lines = message.strip().splitlines()
    assert 1 <= len(lines) <= 5, done.stderr
    for word in ("Traceback", "HYDRA_FULL_ERROR", "Could not override", "append a +", "hydra."):
        assert word not in done.stderr


PLANTED = ("yaml", "types", "torch", "hydra", "attnfocus", "wandb", "sitecustomize")  # wandb may not be installed


def plant_modules(folder: Path) -> None:
    """Modules with the names of those that a command imports, which leave a file behind if they are."""
    for name in PLANTED:
        (folder / f"{name}.py").write_text(f"open({str(folder / 'PWNED')!r}, 'a').write({name!r})\n")


def assert_no_planted_module_was_imported(folder: Path) -> None:
    assert all((folder / f"{name}.py").is_file() for name in PLANTED)
    assert not (folder / "PWNED").exists(), (folder / "PWNED").read_text()


def only_run(folder: Path) -> Path:
    """The one run directory under `folder`/outputs."""
    runs = [path.parent for path in (folder / "outputs").rglob("config.yaml")]
    assert len(runs) == 1, runs
    return runs[0]


def summary_of(run: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    return summary


class Notes:
    """A watcher of stages that keeps what it hears."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def stage_began(self, stage: Stage) -> None:
        self.lines.append(f"began {stage.name}")

    def stage_moved(self, stage: Stage) -> None:
        self.lines.append(f"{stage.name} {stage.fraction}")

    def stage_ended(self, stage: Stage) -> None:
        self.lines.append(f"ended {stage.name}")


def last_weights(run: Path) -> dict[str, Any]:
    """The tensors of the run's last checkpoint, as numpy arrays."""
    store = run / "checkpoints"
    return load_file(store / (store / "last").read_text(encoding="utf-8").strip() / "model.safetensors")


def assert_equal_weights(run: Path, other: Path) -> None:
    """The last checkpoints of two runs are the same to the bit."""
    first, second = last_weights(run), last_weights(other)
    assert first.keys() == second.keys()
    assert all(np.array_equal(values, second[name]) for name, values in first.items())
