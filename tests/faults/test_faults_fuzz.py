"""Generated bad overrides: each is answered with exit code 2 and at most five lines."""

import itertools
import os
from pathlib import Path

import pytest
from command_here import run_here
from faults_overrides import Overrides
from faults_runs import Run

from attnfocus.config.folder import config_folders, groups
from attnfocus.config.overrides import CommandLine

pytestmark = pytest.mark.slow

NUM_IN_PROCESS = int(os.environ.get("ATTNFOCUS_FUZZ", "52"))  # set it to some thousands for a long search
NUM_PROCESSES = 10
SHORT = ("dataset.num_train=64", "trainer.max_steps=1")  # for what is accepted
MAX_CHARACTERS = 4000  # of a whole message: what was given is shown, but not all of 100,000 characters


def generated(seed: int, count: int) -> list[str]:
    config = CommandLine("train", []).compose([])
    return list(itertools.islice(Overrides(seed, config, groups(config_folders(None))), count))


def complaint(code: int, said: str) -> str | None:
    """What is wrong with an answer."""
    lines = said.splitlines()
    if code != 2:
        return f"exit code {code}"
    if not 1 <= len(lines) <= 5 or not said.startswith("attnfocus: "):
        return f"{len(lines)} lines"
    if len(said) > MAX_CHARACTERS:
        return f"{len(said)} characters"
    if any(word in said for word in ("Traceback", "HYDRA_FULL_ERROR", "append a +")):
        return "a traceback, or Hydra's advice"
    steering = sorted({char for char in said if ord(char) < 32 and char != "\n"})
    return f"steers the terminal with {steering}" if steering else None


def test_every_generated_mistake_is_answered_politely(tmp_path: Path) -> None:
    """One that is accepted trains a step, and ends with 0."""
    wrong = []
    for text in generated(5, NUM_IN_PROCESS):
        done = run_here(["train", *SHORT, text], tmp_path)
        problem = complaint(done.returncode, done.stderr)
        if problem:
            wrong.append(f"{problem}: {text[:80]!r}")
    assert not wrong, "\n".join([f"{len(wrong)} of {NUM_IN_PROCESS}", *wrong[:40]])


def test_so_are_those_that_a_shell_passes_on(run: Run) -> None:
    wrong = []
    for text in generated(6, NUM_PROCESSES):
        done = run("train", text)
        problem = complaint(done.returncode, done.stderr)
        if problem:
            wrong.append(f"{problem}: {text[:80]!r}")
    assert not wrong, "\n".join(wrong)
