"""Sweeps: jobs in processes of their own, killed, stopped and preempted; a sweep that goes on does what is missing."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests_support import Command, assert_no_planted_module_was_imported, assert_polite, plant_modules, summary_of

from attnfocus.cli.command import MAX_NAME, job_folder
from attnfocus.cli.sweeps.command_line import resumed_sweep
from attnfocus.commands.sweep.folders import PROCESS_FILE, is_running, job_order, note_job, overrides_of, owned
from attnfocus.commands.sweep.page import write_sweep_page
from attnfocus.commands.sweep.sweep import finish_sweep, prepare_sweep, run_recorded, update_results
from attnfocus.errors import ConfigError, RunError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
# Milliseconds a step: four vectors, four classes.
VECTORS = ("model=pooling_classifier", "model.embed_dim=8", "focus.num_samples=0", "scheduler=constant")
VECTORS += ("trainer.max_epochs=null", "trainer.max_steps=2")
MULTIRUN = {
    "hydra": {
        "overrides": {
            "task": ["seed=1,2", "optimizer.lr=0.1", "optimizer.api_key=<redacted>", "trust=[os]", "--config-path=/x"],
            "hydra": [
                "hydra/launcher=joblib",
                "hydra.launcher.n_jobs=2",
                "hydra.sweep.dir='/x'",
                "hydra.mode=MULTIRUN",
            ],
        },
        "runtime": {"config_sources": [{"path": "/mine", "schema": "file", "provider": "command-line"}]},
    }
}


def rows_of(sweep: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((sweep / "results.csv").read_text(encoding="utf-8").splitlines()))


def only_sweep(folder: Path) -> Path:
    (found,) = folder.glob("outputs/sweeps/*/*")
    return found


def wait_until(is_so: Callable[[], bool], seconds: float = 200) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """`attnfocus ARGUMENTS` with what it starts as a process group of its own.

    Not from the server, whose processes end without Python's own way out, in which joblib lets its workers go. In a
    folder with modules of the names of ours, which neither the command nor what launchers start may import: `-P` is as
    the command `attnfocus` starts.
    """
    plant_modules(folder)
    with open(folder / "said.txt", "w") as said:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "attnfocus", *arguments],
            cwd=folder,
            stdout=said,
            stderr=said,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )


# A sweep that goes on


def test_a_sweep_that_goes_on_runs_what_is_missing_and_nothing_else(attnfocus: Command, tmp_path: Path) -> None:
    begun = attnfocus("train", "-m", *VECTORS, "seed=5,6,7", "report=true")
    assert begun.returncode == 0, begun.stderr
    sweep = only_sweep(tmp_path)
    assert begun.stdout.rstrip().endswith(f"page     {sweep / 'compare.html'}")
    (sweep / "compare.html").unlink()
    folders = sorted(path for path in sweep.iterdir() if path.is_dir())
    never_started, killed, *done = folders
    rows = rows_of(sweep)
    shutil.rmtree(never_started)
    never_started.mkdir()
    (killed / "summary.json").write_text(json.dumps({**summary_of(killed), "status": "running"}), encoding="utf-8")
    (killed / PROCESS_FILE).write_text("some-host 1")
    before = {path: path.stat().st_mtime_ns for folder in done for path in folder.rglob("*")}

    again = attnfocus("train", "-m", f"sweep.resume={sweep}")
    assert again.returncode == 0, again.stderr
    assert "3 jobs: 1 done, 2 to run" in again.stderr
    assert "resumed from step 2" in again.stderr
    assert {path: path.stat().st_mtime_ns for folder in done for path in folder.rglob("*")} == before
    assert [{**row, "seconds": ""} for row in rows_of(sweep)] == [{**row, "seconds": ""} for row in rows]
    assert [row["number"] for row in rows] == list("012")
    assert not (killed / PROCESS_FILE).exists()
    compared = attnfocus("compare", str(sweep), "num_resamples=1")
    assert compared.returncode == 0, compared.stderr
    assert f"attnfocus compare {sweep.relative_to(tmp_path)}" in again.stdout
    told = page_facts(sweep)
    assert told["command"].startswith("attnfocus train -m model=pooling_classifier")
    assert [row["seeds"] for section in told["sections"] for row in section["rows"]] == [[5, 6, 7]]
    assert {"results-tidy.csv", "differences.csv"} <= {path.name for path in sweep.iterdir()}
    assert_page_is_as_asked_for(sweep, killed)


def page_facts(sweep: Path) -> dict[str, Any]:
    """What compare.html holds."""
    page = (sweep / "compare.html").read_text(encoding="ascii")
    found: dict[str, Any] = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    return found


def assert_page_is_as_asked_for(sweep: Path, stopped: Path) -> None:
    """By `report`, by how long the runs took together, without those that are not done; whatever comes, it says so."""
    (stopped / "summary.json").write_text('{"status": "failed", "error": "no luck\\nat all"}', encoding="utf-8")
    for choice, is_written in ((False, False), ("auto", False), (True, True)):
        (sweep / "compare.html").unlink(missing_ok=True)
        write_sweep_page(sweep, choice, [], [])
        assert (sweep / "compare.html").exists() == is_written
    assert page_facts(sweep)["left_out"] == {stopped.name: "failed: no luck"}
    for folder in sweep.glob("*_*"):
        took = {"seconds": 20.0} if folder != stopped else {}
        (folder / "summary.json").write_text(json.dumps({**summary_of(folder), **took}), encoding="utf-8")
    (sweep / "compare.html").unlink()
    write_sweep_page(sweep, "auto", [], [])
    assert [row["seeds"] for section in page_facts(sweep)["sections"] for row in section["rows"]] == [[5, 7]]
    (sweep / "compare.html").unlink()
    (sweep / "compare.html").mkdir()
    write_sweep_page(sweep, True, [], [])  # a warning, and no error


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """What a sweep leaves that was killed before its first job."""
    (tmp_path / "multirun.yaml").write_text(yaml.safe_dump(MULTIRUN), encoding="utf-8")
    return tmp_path


def test_the_folder_alone_says_what_the_sweep_was(saved: Path) -> None:
    key = "optimizer.api_key=sesame"
    found = resumed_sweep([f"sweep.resume={saved}", key], None)
    assert found is not None
    launch = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    assert found.overrides == ["seed=1,2", "optimizer.lr=0.1", key, *launch]
    assert found.saved == ["seed=1,2", "optimizer.lr=0.1", *launch]  # never trust, never flags
    assert found.config_dir == "/mine"
    again = resumed_sweep([f"sweep.resume={saved}", "seed=1,2", key, "hydra/launcher=basic", "trust=[mine]"], "own")
    assert again is not None
    assert again.overrides == ["seed=1,2", "optimizer.lr=0.1", key, "trust=[mine]", "hydra/launcher=basic"]
    assert again.config_dir == "own"


def test_other_overrides_and_lost_secrets_are_named(saved: Path) -> None:
    with pytest.raises(ConfigError) as error:
        resumed_sweep([f"sweep.resume={saved}", "seed=1,2,3", "model.dropout=0.1", "optimizer.lr=0.1"], None)
    told = "\n".join(error.value.problems)
    assert len(error.value.problems) == 3
    assert "seed=1,2,3: this sweep has seed=1,2." in told
    assert "model.dropout=0.1: this sweep was begun without it" in told
    assert "optimizer.api_key: a secret, which is not saved with a sweep: give it again" in told


def test_what_launches_a_sweep_may_change_and_what_it_is_may_not(saved: Path) -> None:
    given = [f"sweep.resume={saved}", "optimizer.api_key=sesame"]
    found = resumed_sweep([*given, "hydra.sweeper.max_batch_size=2"], None)
    assert found is not None
    assert found.overrides[-3:] == [
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
        "hydra.sweeper.max_batch_size=2",
    ]
    found = resumed_sweep([*given, "hydra.launcher.verbose=1"], None)
    assert found is not None
    assert [text for text in found.overrides if "hydra" in text] == ["hydra.launcher.verbose=1"]
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.params\.x=1: would make another sweep of it"):
        resumed_sweep([*given, "hydra.sweeper.params.x=1"], None)


def test_trust_is_given_anew_and_its_place_among_the_overrides_says_nothing(tmp_path: Path) -> None:
    prepare_sweep(tmp_path, {"0_a": ["trust=[torch]", "x=a"]})
    assert overrides_of(tmp_path / "0_a") == ["x=a"]
    assert prepare_sweep(tmp_path, {"0_a": ["x=a", "trust=[torch]"]}) == ["0_a"]


@pytest.mark.parametrize("end", [".5", "[1]", " b", ",b=1"])
def test_a_folder_name_that_is_cut_does_not_end_in_what_was_to_part_words(end: str) -> None:
    whole = "a" * (MAX_NAME - 1)
    assert job_folder(3, whole + end) == f"3_{whole}"


def test_jobs_that_the_overrides_do_not_make_are_refused(tmp_path: Path) -> None:
    assert prepare_sweep(tmp_path, {"0_a": ["x=a"], "1_b": ["x=b"]}) == ["0_a", "1_b"]
    with pytest.raises(ConfigError, match="holds jobs that these overrides do not make, such as 1_b"):
        prepare_sweep(tmp_path, {"0_a": ["x=a"], "1_c": ["x=c"]})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sweep.resume=nowhere"], ["nowhere holds no sweep (no multirun.yaml in it)"]),
        (["resume=auto"], ["resume: goes on with one run", "sweep.resume="]),
        (["run_dir=x"], ["run_dir: a sweep gives each job a folder of its own"]),
        (["hydra/launcher=jobli"], ["hydra/launcher=jobli: no such launcher. Did you mean joblib?", "submitit_slurm"]),
        (["hydra/launcher=ray"], ["its plugin is not installed", "pip install hydra-ray-launcher"]),
        (["hydra/launcher=joblib,basic"], ["one launcher starts all jobs"]),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=abc"], ["hydra.launcher.n_jobs: Value 'abc'"]),
        (["hydra/launcher=joblib", "hydra.launcher.njobs=2"], ["Did you mean hydra.launcher.n_jobs?"]),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=0"], ["no job could be started: n_jobs == 0"]),
        (["hydra/launcher=submitit_slurm"], ["hydra/launcher: no job could be started", "srun"]),
        (
            ["hydra/launcher=submitit_local", "paths.data=x", "optimizer.lr=0.1", "seed=1"],
            ["optimizer.api_key: a secret", "optimizer.api_key=${oc.env:NAME}"],
        ),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_a_mistake_is_told_and_leaves_no_sweep(
    arguments: list[str], said: list[str], attnfocus: Command, tmp_path: Path
) -> None:
    own = tmp_path / "mine" / "optimizer" / "keyed.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("_target_: attnfocus.training.adam\nlr: 0.1\napi_key: null\n", encoding="utf-8")
    keyed = ["--config-dir", "mine", "optimizer=keyed", "optimizer.api_key=sesame"] if "secret" in said[0] else []
    done = attnfocus("train", "-m", *VECTORS, *arguments, *keyed)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for text in said:
        assert text in done.stderr
    assert not list(tmp_path.glob("outputs/sweeps/*/*"))


def test_without_m_a_sweep_does_not_go_on(attnfocus: Command) -> None:
    done = attnfocus("train", "sweep.resume=x")
    assert_polite(done, 2)
    assert "sweep.resume=x: is for many runs; add -m." in done.stderr


def test_a_file_cannot_make_a_launcher_run_commands(attnfocus: Command, tmp_path: Path) -> None:
    """multirun.yaml of somebody else, and a preset in somebody's folder."""
    evil = ["hydra/launcher=submitit_slurm", "hydra.launcher.setup=[touch stolen]"]
    section: dict[str, Any] = {"overrides": {"task": list(VECTORS), "hydra": evil}, "runtime": {"config_sources": []}}
    (tmp_path / "multirun.yaml").write_text(yaml.safe_dump({"hydra": section}), encoding="utf-8")
    done = attnfocus("train", "-m", f"sweep.resume={tmp_path}")
    assert done.returncode == 2, done.stderr
    assert "hydra.launcher.setup: could run commands. Give it on the command line" in done.stderr
    preset = tmp_path / "mine" / "hydra" / "launcher" / "cluster.yaml"
    preset.parent.mkdir(parents=True)
    preset.write_text('defaults: [submitit_slurm]\nadditional_parameters: {wrap: touch stolen}\ncomment: "a\\nb"\n')
    done = attnfocus("train", "-m", "--config-dir", "mine", *VECTORS, "hydra/launcher=cluster")
    assert done.returncode == 2, done.stderr
    assert "hydra.launcher.additional_parameters: could run commands" in done.stderr
    assert "hydra.launcher.comment: holds control characters" in done.stderr


# One job


def job_in(folder: Path, status: str, steps: int = 0) -> Callable[[], int]:
    """A job that writes a summary and returns 0, or fails or is stopped."""

    def job() -> int:
        if status == "failed":
            raise RunError("the loss is not finite")
        (folder / "summary.json").write_text(json.dumps({"status": status, "steps": steps, "seconds": 1.5}))
        return 143 if status == "interrupted" else 0

    return job


def test_results_are_written_as_jobs_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = {f"{number}_x={number}": [f"x={number}"] for number in range(4)}
    prepare_sweep(tmp_path, jobs)
    done, failed, stopped, _ = (tmp_path / name for name in jobs)
    assert [row["status"] for row in rows_of(tmp_path)] == ["waiting"] * 4
    assert run_recorded(done, ["x=0"], job_in(done, "completed")) == 0
    assert run_recorded(failed, ["x=1"], job_in(failed, "failed")) == 1
    with pytest.raises(KeyboardInterrupt, match="143"):
        run_recorded(stopped, ["x=2"], job_in(stopped, "interrupted"))
    assert [row["status"] for row in rows_of(tmp_path)] == ["done", "failed", "interrupted", "waiting"]
    assert "job 0: done, 2 s" in capsys.readouterr().err
    assert finish_sweep(tmp_path) == 1
    told = capsys.readouterr().out
    assert "1 of 4 jobs failed" in told
    assert "2 of 4 jobs have not ended: 1 interrupted, 1 waiting" in told
    assert f"attnfocus train -m sweep.resume={tmp_path}" in told
    assert str(failed) in told


def test_jobs_keep_their_numbers_where_a_folder_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = {f"{number}_x={number}": [f"x={number}"] for number in range(3)}
    prepare_sweep(tmp_path, jobs)
    shutil.rmtree(tmp_path / "1_x=1")
    folder = tmp_path / "2_x=2"
    run_recorded(folder, [], job_in(folder, "failed"))
    assert [row["number"] for row in rows_of(tmp_path)] == ["0", "2"]
    finish_sweep(tmp_path)
    assert "\n  2  x=2\n" in capsys.readouterr().out  # among the failures


def test_results_that_cannot_be_written_are_told_and_the_table_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sweep_page(tmp_path, True, [], [])  # no job is done, so there is nothing to compare
    (tmp_path / "0").mkdir()
    note_job(tmp_path / "0", [])
    (tmp_path / "results.csv").mkdir()
    assert finish_sweep(tmp_path) == 1
    told = capsys.readouterr()
    assert "results.csv could not be written" in told.err
    assert "1 of 1 jobs have not ended: 1 waiting" in told.out


def test_a_job_is_not_run_twice(tmp_path: Path) -> None:
    folder = tmp_path / "0"
    folder.mkdir()
    with owned(folder):  # as another process would
        assert is_running(folder)
        assert run_recorded(folder, [], job_in(folder, "failed")) == 0
        assert [row["status"] for row in rows_of_running(tmp_path)] == ["running"]
    assert not is_running(folder)
    run_recorded(folder, [], job_in(folder, "completed", steps=1))
    assert run_recorded(folder, [], job_in(folder, "completed", steps=2)) == 0
    assert summary_of(folder)["steps"] == 1


def rows_of_running(sweep: Path) -> list[dict[str, str]]:
    update_results(sweep)
    return rows_of(sweep)


@pytest.mark.parametrize(("name", "queued_again"), [("SIGUSR2", True), ("SIGTERM", False)])
def test_submitit_hears_of_a_preempted_job_once_it_has_saved(name: str, queued_again: bool, tmp_path: Path) -> None:
    folder = tmp_path / "0"
    folder.mkdir()
    note_job(folder, [])
    program = f"""
        import json, signal
        from pathlib import Path
        from attnfocus.cli.sweeps.jobs import run_beside_others

        folder = Path({str(folder)!r})

        def preempted():
            summary = {{"status": "interrupted", "reason": "interrupted by {name}"}}
            (folder / "summary.json").write_text(json.dumps(summary))
            return 143

        signal.signal(signal.SIGUSR2, lambda number, frame: print("submitit has heard"))
        run_beside_others(folder, [], preempted)
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "SUBMITIT_EXECUTOR": "slurm"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 143, done.stderr
    assert ("submitit has heard" in done.stdout) == queued_again


# Launchers


def test_a_killed_sweep_goes_on_where_it_was(attnfocus: Command, tmp_path: Path) -> None:
    """Six jobs in two processes of joblib; kill -9 of them all, one job between two checkpoints; one goes on."""
    sized = (*VECTORS[:-1], "trainer.max_steps=10,80,10", "trainer.save_every_steps=5", "seed=1,2")
    running = start(tmp_path, "train", "-m", *sized, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")

    def is_half_way() -> bool:
        results = list(tmp_path.glob("outputs/sweeps/*/*/results.csv"))
        statuses = [row["status"] for row in rows_of(results[0].parent)] if results else []
        lasts = [path.parents[1] for path in tmp_path.glob("outputs/sweeps/*/*/*/checkpoints/last")]
        return statuses.count("done") >= 2 and any(summary_of(folder)["status"] == "running" for folder in lasts)

    wait_until(is_half_way)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert_no_planted_module_was_imported(tmp_path)
    sweep = only_sweep(tmp_path)
    folders = {path.parent: path.parent / "summary.json" for path in sweep.glob("*/overrides.json")}
    assert len(folders) == 6
    # The workers may outlive the command for a moment, and keep one more checkpoint in it
    wait_until(lambda: not any(map(is_running, folders)), 20)
    done = [folder for folder, path in folders.items() if path.exists() and summary_of(folder)["status"] == "completed"]
    # A whole checkpoint that `last` does not name yet counts: the kill may come between the two
    half = [folder for folder in folders if folder not in done and [*folder.glob("checkpoints/step-*")]]
    before = {folder: (folder / "summary.json").stat().st_mtime_ns for folder in done}

    alone = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=1")
    again = attnfocus("train", "-m", f"sweep.resume={sweep}", *alone)
    assert again.returncode == 0, again.stderr
    rows = rows_of(sweep)
    assert [(row["number"], row["status"]) for row in rows] == [(str(number), "done") for number in range(6)]
    assert len({row["run_dir"] for row in rows}) == 6
    assert {folder: (folder / "summary.json").stat().st_mtime_ns for folder in done} == before
    for folder in folders:
        log = (folder / "train.log").read_text(encoding="utf-8")
        assert log.count("training ended") == 1
        # From step 0 where the kill came before the first checkpoint
        assert bool(re.search(r"resumed from step [1-9]", log)) == (folder in half)
    assert f"6 jobs: {len(done)} done, {6 - len(done)} to run" in again.stderr
    assert all(
        f"\njob {job_order(folder)[0]}: training ended" in again.stderr for folder in folders if folder not in done
    )


def test_submitit_runs_its_jobs_and_one_that_is_preempted_goes_on(tmp_path: Path) -> None:
    sized = (
        *VECTORS[:-1],
        "trainer.max_steps=5,120",
        "trainer.save_every_steps=10000",
        "trainer.log_every_steps=5",
    )
    running = start(tmp_path, "train", "-m", *sized, "hydra/launcher=submitit_local")
    metrics = "outputs/sweeps/*/*/*120*/metrics.jsonl"
    wait_until(lambda: any(path.stat().st_size for path in tmp_path.glob(metrics)))
    folder = next(path for path in tmp_path.glob(metrics) if path.stat().st_size).parent
    os.kill(int((folder / PROCESS_FILE).read_text().split()[1]), signal.SIGUSR2)
    assert running.wait(timeout=200) == 0, (tmp_path / "said.txt").read_text()
    assert_no_planted_module_was_imported(tmp_path)
    rows = rows_of(only_sweep(tmp_path))
    assert [row["status"] for row in rows] == ["done"] * 2
    log = (folder / "train.log").read_text(encoding="utf-8")
    assert "interrupted by SIGUSR2" in log
    assert "resumed from step" in log
    assert summary_of(folder)["steps"] == 120
    assert "output of the jobs" in (tmp_path / "said.txt").read_text()


def test_sigterm_to_a_parallel_sweep_saves_its_jobs_and_says_how_to_go_on(tmp_path: Path) -> None:
    long = (*VECTORS[:-1], "trainer.max_steps=100000", "trainer.evaluate_every_steps=50000", "seed=1,2,3")
    running = start(tmp_path, "train", "-m", *long, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    logs = "outputs/sweeps/*/*/*/train.log"
    wait_until(lambda: sum("attention path" in path.read_text() for path in tmp_path.glob(logs)) == 2)
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=100) == 143
    assert_no_planted_module_was_imported(tmp_path)
    said = (tmp_path / "said.txt").read_text()
    assert "3 of 3 jobs have not ended: 2 interrupted, 1 waiting" in said
    assert "attnfocus train -m sweep.resume=outputs/sweeps/" in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("outputs/sweeps/*/*/compare.html"))
    for folder in (path.parent for path in tmp_path.glob(logs)):
        last = (folder / "checkpoints" / "last").read_text(encoding="utf-8").strip()
        assert int(last.removeprefix("step-")) == summary_of(folder)["steps"]


FIRST_TORCH = """
import sys, time
class Torch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(time.process_time(), file=open("seconds", "w"))
            raise SystemExit("the first job")
sys.meta_path.insert(0, Torch())
from attnfocus.cli.main import main
main(sys.argv[1:])
"""


def test_a_sweep_is_planned_without_torch_and_composes_each_choice_once(tmp_path: Path) -> None:
    """200 jobs took 28 CPU s before the first when each was composed apart, and now 5 to 6."""
    presets = "additive,alibi,bigbird,causal,cosine,coverage,differential,dot,entmax,general"
    seeds = ",".join(map(str, range(20)))
    command = ["train", "-m", "model=seq2seq", f"attention={presets}", f"seed={seeds}", "trainer.max_steps=1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", FIRST_TORCH, *command], cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert len(list(only_sweep(tmp_path).glob("*/overrides.json"))) == 200
    assert float((tmp_path / "seconds").read_text()) < 8  # alone 2


def test_a_sweep_lies_where_it_was_told_to_or_says_why_not(tmp_path: Path, attnfocus: Command) -> None:
    """Any folder but outputs/sweeps/... was left out without a word."""
    sweep = ["train", "-m", *VECTORS, "seed=1,2"]
    assert attnfocus(*sweep, "hydra.sweep.dir=mine/first").returncode == 0
    assert len(rows_of(tmp_path / "mine" / "first")) == 2
    assert not (tmp_path / "mine" / "first" / "compare.html").exists()  # as it took no 30 s
    assert not (tmp_path / "outputs").exists()
    again = attnfocus(*sweep, "hydra.sweep.dir=mine/first")
    assert again.returncode == 2
    assert f"sweep.resume='{tmp_path}/mine/first'" in again.stderr
    assert "holds first already" in attnfocus(*sweep, "hydra.sweep.dir=mine").stderr
    assert "run_dir=mine/run" in attnfocus("train", *VECTORS, "hydra.run.dir=mine/run").stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["first"]
