"""Modules of the current folder are imported where `trust=` names them, and nowhere else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests_support import (
    TINY_DATES,
    Command,
    assert_no_planted_module_was_imported,
    only_run,
    plant_modules,
    summary_of,
)

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def test_45_nothing_of_the_current_folder_is_imported(tmp_path: Path) -> None:
    """By any of several processes and their workers. What launchers start: `tests/commands/test_commands_sweep.py`."""
    plant_modules(tmp_path)
    ranks = ("device=cpu", "distributed=ddp", "distributed.num_processes=2", "trainer.num_workers=1")
    # `-P` is as the command `attnfocus` starts: with the folder of the command, not the current one.
    done = subprocess.run(
        [sys.executable, "-P", "-m", "attnfocus", "train", *ranks, *TINY_DATES, "run_dir=run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    assert_no_planted_module_was_imported(tmp_path)
    assert done.returncode == 0, done.stderr
    assert summary_of(tmp_path / "run")["steps"] == 6
    assert "torch" not in done.stderr.replace("torch.compile", "")


def test_45_a_trusted_package_is_found_there_by_its_name_alone(attnfocus: Command, tmp_path: Path) -> None:
    (tmp_path / "my_scores.py").write_text(
        "from attnfocus.attention import DotScore\n\n\nclass MyScore(DotScore):\n    pass\n", encoding="utf-8"
    )
    (tmp_path / "wandb.py").write_text("raise SystemExit('imported')\n", encoding="utf-8")
    given = ["attention=dot", "attention.score._target_=my_scores.MyScore", *TINY_DATES]
    done = attnfocus("train", *given)
    assert done.returncode == 2
    assert "trust=[my_scores]" in done.stderr
    done = attnfocus("train", *given, "trust=[my_scores]", "trainer.num_workers=1")
    assert done.returncode == 0, done.stderr
    for verb in ("evaluate", "train"):
        key = "run" if verb == "evaluate" else "resume"
        assert attnfocus(verb, f"{key}={only_run(tmp_path)}").returncode == 2  # it is typed for each command
    assert attnfocus("evaluate", f"run={only_run(tmp_path)}", "trust=[my_scores]").returncode == 0
