"""The wheel holds everything: installed into a fresh environment it trains from any folder."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from tests_support import TINY_DATES, only_run, summary_of

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_installed_wheel_trains_from_a_folder_elsewhere(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)],
        check=True,
    )
    (wheel,) = tmp_path.glob("attnfocus-*.whl")
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "-c", str(ROOT / "constraints.txt"), str(wheel)]
    subprocess.run(install, check=True)

    folder = tmp_path / "a folder of 我的"
    folder.mkdir()
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "ATTNFOCUS_DATA")}
    command = [str(environment / "bin" / "attnfocus"), "train", "model=seq2seq", "attention=additive", *TINY_DATES]
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    run = only_run(folder)
    assert summary_of(run)["status"] == "completed"
    predict = [str(environment / "bin" / "attnfocus"), "predict", f"run={run}"]
    done = subprocess.run(
        predict, cwd=tmp_path, env=clean, input="May 3, 1999\n", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
