"""`train -m hydra/sweeper=optuna`: the command, from its first word to its results."""

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests_support import PAPER, Command, assert_for_paper, summary_of

from attnfocus.cli.sweeps.search import search_to_run
from attnfocus.config.folder import shipped_folder
from attnfocus.config.overrides import CommandLine

pytestmark = pytest.mark.slow

VECTORS = ("model=pooling_classifier", "model.embed_dim=8", "focus.num_samples=0", "trainer.max_steps=6")
# A rate that learns, and one that does not: its trials are what a pruner is for. Each choice costs a check.
SEARCH = (
    "hydra/sweeper=optuna",
    "hydra.sweeper.sampler=random",
    "hydra.sweeper.startup_trials=1",
    "optimizer.lr=1e-9,0.1",
    "seed=range(1,4)",
    *VECTORS,
    "trainer.evaluate_every_steps=3",
    "trainer.monitor=loss",
)


def only_sweep(folder: Path) -> Path:
    (sweep,) = folder.glob("outputs/sweeps/*/*")
    return sweep


def rows_of(sweep: Path) -> list[dict[str, str]]:
    with (sweep / "results.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def result_of(sweep: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((sweep / "search.json").read_text(encoding="utf-8"))
    return found


def test_a_search_prunes_and_is_gone_on_with_and_a_pruned_run_can_be_finished(
    attnfocus: Command, tmp_path: Path
) -> None:
    paper = [f"hydra.sweeper.{text}" for text in (*PAPER, "width=column")]
    done = attnfocus("train", "-m", *SEARCH, "hydra.sweeper.n_trials=2", *paper)
    assert done.returncode == 0, done.stderr
    sweep = only_sweep(tmp_path)
    result = result_of(sweep)
    statuses = [trial["status"] for trial in result["trials"]]
    assert set(statuses) == {"completed", "pruned"}
    rows = rows_of(sweep)
    assert [row["status"].replace("done", "completed") for row in rows] == statuses
    for trial, row in zip(result["trials"], rows, strict=True):
        run = sweep / row["run_dir"]
        summary = summary_of(run)
        assert summary["status"] == trial["status"]
        assert trial["run_dir"] == row["run_dir"] == run.name
        assert run.name.startswith(f"{trial['number']}_")
        assert ("test" in summary) == (trial["status"] == "completed")
        if trial["status"] == "completed":
            assert trial["values"] == [summary["best"]["value"]]
        else:
            assert summary["reason"] == f"pruned at step 3: loss {trial['reports']['3']:.4g}"
            assert summary["steps"] == 3
    assert result["command"] in done.stdout
    assert_for_paper(sweep, "search", 3.3, "A search for loss (min)")
    assert not (sweep / "search.png").exists()

    longer = attnfocus("train", "-m", f"sweep.resume={sweep}", "hydra.sweeper.n_trials=3")
    assert longer.returncode == 0, longer.stderr
    assert only_sweep(tmp_path) == sweep
    assert [trial["params"] for trial in result_of(sweep)["trials"][:2]] == [
        each["params"] for each in result["trials"]
    ]
    assert len(rows_of(sweep)) == len(result_of(sweep)["trials"]) == 3
    assert longer.stderr.count("\njob 2: ") == 2  # its beginning and its end

    pruned = next(trial for trial in result["trials"] if trial["status"] == "pruned")
    assert attnfocus("train", f"resume={sweep / pruned['run_dir']}").returncode == 0
    assert summary_of(sweep / pruned["run_dir"])["status"] == "completed"  # outside of the search nothing prunes it

    refused = attnfocus("train", "-m", f"sweep.resume={sweep}", "optimizer.lr=0.1,0.2")
    assert_said(refused, "optimizer.lr=0.1,0.2", "this sweep has optimizer.lr=1e-9,0.1")


def test_a_failed_trial_ends_no_search_the_same_command_goes_on_and_the_printed_one_repeats_the_best(
    attnfocus: Command, tmp_path: Path
) -> None:
    options = ("hydra.sweeper.n_trials=2", "hydra.sweeper.sampler=random", "hydra.sweeper.objectives=[loss,seconds]")
    search = ("hydra/sweeper=optuna", *options, *VECTORS, "trainer.monitor=loss", "optimizer.lr=0.1,1e+30")
    storage = "hydra.sweeper.storage=sqlite:///mine.db"
    assert attnfocus("train", "-m", *search, storage).returncode == 1
    sweep = only_sweep(tmp_path)
    result = result_of(sweep)
    failed, completed = result["trials"]
    assert (failed["params"], failed["status"]) == ({"optimizer.lr": "1e+30"}, "failed")
    assert "not finite" in failed["error"]
    assert (completed["params"], completed["status"]) == ({"optimizer.lr": "0.1"}, "completed")

    same = attnfocus("train", "-m", *search, storage)
    assert same.returncode == 1
    assert "2 of 2 trials are done" in same.stderr
    assert "\njob " not in same.stderr
    assert only_sweep(tmp_path) == sweep

    again = attnfocus(*shlex.split(result["command"])[1:], "run_dir=again")
    assert again.returncode == 0, again.stderr
    assert summary_of(tmp_path / "again")["best"]["value"] == completed["values"][0]


SPACES = sorted(path.stem for path in (shipped_folder() / "search").glob("*.yaml"))


def test_the_command_of_a_ready_space_of_ones_own_can_be_pasted(attnfocus: Command, tmp_path: Path) -> None:
    """`search=` is for many runs: in its place stands what its file sets besides, and the folder that it lies in."""
    (tmp_path / "mine" / "search").mkdir(parents=True)
    (tmp_path / "mine" / "search" / "small.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - override /hydra/sweeper: optuna\n  - override /optimizer: sgd\n  - _self_\n"
        "trainer:\n  clip_norm: 0.5\nhydra:\n  sweeper:\n    params:\n      optimizer.lr: 0.1,0.2\n"
    )
    line = ["search=small", "hydra.sweeper.n_trials=2", "trainer.monitor=loss", *VECTORS]
    done = attnfocus("train", "-m", "--config-dir", "mine", *line)
    assert done.returncode == 0, done.stderr
    command = result_of(only_sweep(tmp_path))["command"]
    assert command.startswith("attnfocus train --config-dir mine optimizer=sgd trainer.clip_norm=0.5 ")
    again = attnfocus(*shlex.split(command)[1:], "--cfg", "job")
    assert again.returncode == 0, again.stderr
    assert "clip_norm: 0.5" in again.stdout


@pytest.mark.parametrize("space", SPACES)
def test_every_ready_space_passes_the_checks_and_the_command_line_goes_before_it(space: str, here: Path) -> None:
    line = CommandLine("train", [f"search={space}", "optimizer.lr=0.5", "dataset.num_train=100"], is_sweep=True)
    search = search_to_run(line)
    assert search is not None
    assert search.folder is None
    assert search.plan.fixed[:2] == (f"search={space}", "optimizer.lr=0.5")
    assert search.plan.space
    assert "optimizer.lr" not in [each.key for each in search.plan.space]


@pytest.mark.parametrize("space", SPACES)
def test_ready_spaces_can_be_searched(space: str, attnfocus: Command, tmp_path: Path) -> None:
    tiny = ("dataset.num_train=100", "dataset.num_valid=20", "dataset.num_test=20", "trainer.max_steps=1")
    small = ("decoding.max_length=10", "focus.num_samples=0")
    done = attnfocus("train", "-m", f"search={space}", "hydra.sweeper.n_trials=1", *tiny, *small)
    assert done.returncode == 0, done.stderr
    (trial,) = result_of(only_sweep(tmp_path))["trials"]
    assert len(trial["params"]) >= 2
    assert all(isinstance(value, float) for value in trial["values"])


LR = "optimizer.lr=interval(0.1,1)"
WRONG = {
    "no -m": (["search=seq2seq"], ["add -m"]),
    "sweeper without -m": (["hydra/sweeper=optuna", "optimizer.lr=0.1"], ["add -m"]),
    "nothing to vary": (["-m", "hydra/sweeper=optuna"], ["nothing to vary"]),
    "mistyped option": (["-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trails=3", LR], ["Did you mean n_trials?"]),
    "not a number": (
        ["-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=abc", LR],
        ["n_trials", "whole number", "abc"],
    ),
    "too many": (["-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2000", LR], ["2000", "max_jobs"]),
    "interval of a group": (["-m", "hydra/sweeper=optuna", "attention=interval(0,1)"], ["attention=a,b"]),
    "no integer": (["-m", "hydra/sweeper=optuna", "model.hidden_size=interval(8,16)"], ["int(interval(8,16))"]),
    "out of range": (["-m", "hydra/sweeper=optuna", "model.dropout=interval(0,1.5)"], ["model.dropout", "< 1"]),
    "mistyped key": (["-m", "hydra/sweeper=optuna", "optimizer.lrr=interval(0,1)"], ["Did you mean optimizer.lr?"]),
    "no such metric": (["-m", "hydra/sweeper=optuna", "hydra.sweeper.objectives=[accuracy]", LR], ["no accuracy"]),
    "another class": (["-m", "hydra/sweeper=optuna", "hydra.sweeper._target_=os.system", LR], ["_target_"]),
    "interval in a sweep": (["-m", LR], ["hydra/sweeper=optuna"]),
    "two spaces": (["-m", "hydra/sweeper=optuna", "search=seq2seq,transformer"], ["one space"]),
    "several processes": (["-m", "hydra/sweeper=optuna", "distributed=ddp", LR], ["distributed: ", "one process each"]),
    "nowhere to go on": (["-m", "sweep.resume=nowhere"], ["holds no sweep"]),
}


def assert_said(done: "subprocess.CompletedProcess[str]", *said: str) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 5
    for text in said:
        assert text in done.stderr


@pytest.mark.parametrize("name", WRONG)
def test_a_search_that_cannot_be_is_refused_before_anything_is_made(
    name: str, attnfocus: Command, tmp_path: Path
) -> None:
    arguments, said = WRONG[name]
    assert_said(attnfocus("train", *arguments), *said)
    assert not list(tmp_path.rglob("sweeps"))


def test_a_file_cannot_have_a_search_trust_a_package(attnfocus: Command, tmp_path: Path) -> None:
    group = tmp_path / "groups" / "optimizer"
    group.mkdir(parents=True)
    (group / "mine.yaml").write_text(
        "# @package _global_\ntrust: [torch]\noptimizer:\n  _target_: torch.optim.Adam\n  lr: 1\n"
    )
    options = ("--config-dir", "groups", "optimizer=mine", "hydra/sweeper=optuna", "model.dropout=0.1,0.2")
    assert_said(attnfocus("train", "-m", *options), "torch.optim.Adam lies outside the allowed packages")


def test_without_optuna_the_extra_is_named(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from attnfocus.cli import main

    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main(["train", "-m", "hydra/sweeper=optuna", LR]) == 2
    assert "pip install 'attnfocus[search]'" in capsys.readouterr().err


def test_a_search_that_is_killed_inside_a_trial_ends_as_one_that_is_not(attnfocus: Command, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("whole", "killed")]
    arguments = [*SEARCH, "hydra.sweeper.n_trials=3", "trainer.save_every_steps=1", "hydra.sweeper.pruner=none"]
    for folder in folders:
        folder.mkdir()
    whole = attnfocus("train", "-m", *arguments, cwd=folders[0])
    assert whole.returncode == 0, whole.stderr
    command = [sys.executable, "-m", "attnfocus", "train", "-m", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    killed = subprocess.Popen(command, cwd=folders[1], env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not list(folders[1].glob("outputs/sweeps/*/*/1_*/checkpoints/last")):
        assert time.monotonic() < deadline
        assert killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    sweep = only_sweep(folders[1])
    done = attnfocus("train", "-m", f"sweep.resume={sweep}", cwd=folders[1])
    assert done.returncode == 0, done.stderr
    ours, theirs = (result_of(only_sweep(folder))["trials"] for folder in folders)
    for key in ("number", "status", "params", "values", "reports"):
        assert [trial[key] for trial in ours] == [trial[key] for trial in theirs]
