"""Modules of the current folder are imported where `trust=` names them, and nowhere else."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests_support import TINY_DATES, Command, only_run

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PLANTED = ("yaml", "types", "torch", "hydra", "attnfocus", "wandb", "sitecustomize")  # wandb may not be installed
STARTS = {
    "ranks": ["train", "device=cpu", "distributed=ddp", "distributed.num_processes=2", "trainer.num_workers=1"],
    "joblib": ["train", "-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=1,2"],
    "submitit": ["train", "-m", "hydra/launcher=submitit_local", "hydra.launcher.timeout_min=2", "seed=1"],
}


@pytest.mark.parametrize("start", STARTS)
def test_45_nothing_of_the_current_folder_is_imported(start: str, tmp_path: Path) -> None:
    if start in ("joblib", "submitit") and importlib.util.find_spec(f"hydra_plugins.hydra_{start}_launcher") is None:
        pytest.skip(f"the launcher {start} is not installed")
    for name in PLANTED:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'PWNED')!r}, 'a').write({name!r})\n")
    verb, *given = STARTS[start]
    # `-P` is as the command `attnfocus` starts: with the folder of the command, not the current one.
    done = subprocess.run(
        [sys.executable, "-P", "-m", "attnfocus", verb, *given, *TINY_DATES],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    assert not (tmp_path / "PWNED").exists(), (tmp_path / "PWNED").read_text()
    assert done.returncode == 0, done.stderr


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
