"""A run is named by its path, by `latest`, or by a part of its name; what is none is named as what it is."""

import os
from pathlib import Path

import pytest
from tests_support import Command

from attnfocus.errors import ConfigError
from attnfocus.runs.catalog import find_run, newest_first

A = "outputs/2026-01-01/10-00-00_seq2seq_dot_dates_aaaa"
B = "outputs/2026-01-02/10-00-00_seq2seq_additive_dates_bbbb"
JOB = "outputs/sweeps/2026-01-03/10-00-00/0_lr=0.1"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs, B the newest."""
    monkeypatch.chdir(tmp_path)
    for age, name in enumerate((B, JOB, A)):
        (tmp_path / name / "checkpoints" / "step-00000010").mkdir(parents=True)
        (tmp_path / name / "checkpoints" / "best").write_text("step-00000010\n")
        (tmp_path / name / "config.yaml").write_text("seed: 1\n")
        os.utime(tmp_path / name / "config.yaml", (1e9 - age, 1e9 - age))
    (tmp_path / JOB).parent.joinpath("multirun.yaml").write_text("hydra: {}\n")
    return tmp_path


def problem(name: str, key: str = "run") -> str:
    with pytest.raises(ConfigError) as caught:
        find_run(key, name, "outputs")
    return str(caught.value.problems[0])


def test_runs_are_found_newest_first(house: Path) -> None:
    assert [str(path) for path in newest_first(Path("outputs"))] == [B, JOB, A]


@pytest.mark.parametrize(("name", "found"), [("latest", B), ("aaaa", A), ("lr=0.1", JOB), (A, A), ("01-02/10", B)])
def test_a_run_is_meant_by(name: str, found: str, house: Path) -> None:
    assert str(find_run("run", name, "outputs")) == found


def test_a_path_of_that_name_wins(house: Path) -> None:
    (house / "latest").mkdir()
    (house / "latest" / "config.yaml").write_text("")
    assert str(find_run("run", "latest", "outputs")) == "latest"


def test_a_part_of_several_names_is_refused_with_all_of_them(house: Path) -> None:
    said = problem("seq2seq")
    assert said.startswith(f"run: seq2seq is in the name of 2 runs: {B}, {A}.")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"{A}/checkpoints/best", f"is a part of the run {A}. Give the run folder instead."),
        (f"{A}/checkpoints/step-00000010", f"is a part of the run {A}."),
        (f"{A}/config.yaml", f"is a part of the run {A}."),
        ("outputs/sweeps/2026-01-03/10-00-00", f"is a sweep of 1 run: {JOB}. Name one."),
        ("outputs", "is a folder of 3 runs"),
        ("cccc", "no run below outputs has cccc in its name"),
        ("10-00-00_seq2seq_dot_dates_aaab", f"Did you mean {A}?"),
        ("true", "names no run; the newest is latest"),
    ],
)
def test_what_is_no_run_is_said(name: str, said: str, house: Path) -> None:
    assert said in problem(name)


def test_where_there_are_no_runs_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "there are no runs below outputs" in problem("latest")
    (tmp_path / "empty").mkdir()
    assert "is not a run directory (it has no config.yaml)" in problem("empty")


@pytest.mark.parametrize("verb", ["evaluate", "predict", "inspect"])
def test_a_checkpoint_in_place_of_its_run_gets_the_line(verb: str, house: Path, attnfocus: Command) -> None:
    done = attnfocus(verb, f"run={A}/checkpoints/best")
    assert done.returncode == 2
    assert done.stderr.endswith(f"Try:\n  attnfocus {verb} run={A} checkpoint=best\n")


def test_a_verb_without_a_run_offers_the_newest(house: Path, attnfocus: Command) -> None:
    assert attnfocus("evaluate", "split=test").stderr.endswith("Try:\n  attnfocus evaluate split=test run=latest\n")


def test_the_run_that_is_meant_is_said(house: Path, attnfocus: Command) -> None:
    done = attnfocus("train", "resume=bbbb")
    assert f"attnfocus: resume=bbbb is {B}\n" in done.stderr
    assert done.returncode == 3  # its configuration holds nothing
