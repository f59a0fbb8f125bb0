"""A finished run that each test may spoil a copy of, and secrets to look for in files."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from command_here import run_here
from tests_support import TINY_DATES, only_run

from attnfocus.cli import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a tiny run."""
    folder = tmp_path_factory.mktemp("security")
    done = run_here(["train", *TINY_DATES], folder)
    assert done.returncode == 0, done.stderr
    return only_run(folder)


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """A copy of the run."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs a command line in this process and in `tmp_path`; returns its exit code."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: main(arguments)


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **variables}
