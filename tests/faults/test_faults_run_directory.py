"""Cases 19 to 23 and 42: where a run writes, and disks that are full or closed to it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_server import ROOT
from faults_runs import DATES, VECTORS, Run, Start
from tests_support import assert_polite, only_run, summary_of

pytestmark = pytest.mark.slow

SHORT = (*VECTORS, "trainer.max_steps=6", "trainer.evaluate_every_steps=2")


def test_19_a_folder_that_holds_a_run_is_refused_unless_resuming(run: Run, copied: Path) -> None:
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    done = run("train", *DATES, f"run_dir={copied}")
    assert_polite(done, 2)
    assert f"resume={copied}" in done.stderr
    assert {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()} == before


def test_20_runs_of_the_same_second_get_folders_of_their_own(start: Start, tmp_path: Path) -> None:
    both = [start("train", *VECTORS, "trainer.max_steps=1", fault="same_second") for _ in range(2)]
    for running in both:
        done = running.wait()
        assert done.returncode == 0, done.stderr
    names = [path.parent.name for path in tmp_path.rglob("summary.json")]
    assert len(names) == 2
    assert {name[:8] for name in names} == {"03-04-05"}


def test_21_a_file_in_place_of_the_output_folder_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    for key in ("paths.outputs=taken", "run_dir=taken/here"):
        done = run("train", *SHORT, key)
        assert_polite(done, 2)
        assert key.split("=")[0] in done.stderr
        assert str(tmp_path / "taken") in done.stderr


def test_21_a_folder_that_cannot_be_written_is_named(run: Run) -> None:
    done = run("train", *SHORT, "paths.outputs=/proc/attnfocus")  # where not even root can write
    assert_polite(done, 2)
    assert "paths.outputs: cannot write to /proc/attnfocus" in done.stderr
    done = run("train", "-m", *SHORT, "seed=1,2", "paths.outputs=/proc/attnfocus")
    assert_polite(done, 2)
    assert "paths.outputs: cannot write to /proc/attnfocus" in done.stderr


def test_22_a_full_disk_keeps_the_old_checkpoint_and_training_goes_on(run: Run, tmp_path: Path) -> None:
    done = run("train", *SHORT, "model.embed_dim=64", fault="disk_full", FAULT_AT="2")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("could not be saved") == 1
    assert "training goes on and tries again" in done.stderr
    made = only_run(tmp_path)
    kept = sorted(path.name for path in (made / "checkpoints").iterdir())
    assert kept[-2:] == ["last", "step-00000006"] or kept[-1] == "step-00000006"
    assert not [name for name in kept if name.startswith(".tmp")]
    assert summary_of(made)["steps"] == 6


def test_22_the_run_fails_only_if_the_last_save_does(run: Run, tmp_path: Path) -> None:
    done = run("train", *SHORT, "model.embed_dim=64", fault="disk_full_from_the_last_save_on", FAULT_AT="2")
    assert done.returncode == 1, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("attnfocus: ")]
    assert len(said) == 1
    assert "step 6 could not be saved" in said[0]
    assert "step-00000002" in said[0]
    made = only_run(tmp_path)
    names = {path.name for path in (made / "checkpoints").iterdir()}
    assert {"last", "step-00000002"} <= names <= {"best", "last", "step-00000002"}
    resumed = run("train", f"resume={made}")
    assert resumed.returncode == 0, resumed.stderr
    assert "resumed from step 2" in resumed.stderr


def test_23_a_logger_on_a_full_disk_stops_with_one_warning(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    done = run("train", *SHORT, f"run_dir={folder}", fault="disk_full_for_loggers")
    assert done.returncode == 0, done.stderr
    for name in ("MetricsFile stopped", "TensorBoard stopped", "train.log stopped"):
        assert done.stderr.count(name) == 1, done.stderr
    assert summary_of(folder)["status"] == "completed"


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A copy of the checkout that may only be read."""
    folder = tmp_path / "read only 只读"
    for name in ("attnfocus", "configs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["chmod", "-R", "a-w", str(folder)], check=True)
    yield folder
    subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)


def test_42_a_read_only_checkout_works_and_stays_as_it_is(read_only: Path, tmp_path: Path) -> None:
    before = sorted(read_only.rglob("*"))
    environment = {**os.environ, "PYTHONPATH": str(read_only), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "attnfocus", "train", *SHORT]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert summary_of(only_run(tmp_path))["status"] == "completed"
    assert sorted(read_only.rglob("*")) == before  # root may write anywhere, and must not


def test_42_a_clock_set_back_and_another_time_zone_change_nothing(run: Run, tmp_path: Path) -> None:
    done = run("train", *SHORT, fault="clock_set_back", TZ="Pacific/Auckland")
    assert done.returncode == 0, done.stderr
    made = only_run(tmp_path)
    done = run("train", f"resume={made}", "trainer.max_steps=8", fault="clock_set_back", TZ="America/Los_Angeles")
    assert done.returncode == 0, done.stderr
    assert "resumed from step 6" in done.stderr
    assert summary_of(made)["steps"] == 8
    assert summary_of(made)["seconds"] >= 0
    assert len(list(made.rglob("events.out.tfevents.*"))) == 1


def test_42_paths_with_blanks_and_chinese_characters_work(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "my runs 我的"
    folder.mkdir()
    done = run("train", *SHORT, "paths.outputs=出 力", cwd=folder)
    assert done.returncode == 0, done.stderr
    (made,) = (path.parent for path in (folder / "出 力").rglob("config.yaml"))
    assert f"attnfocus evaluate 'run={made.relative_to(folder)}'" in done.stderr
    done = run("evaluate", f"run={made.relative_to(folder)}", cwd=folder)
    assert done.returncode == 0, done.stderr
