"""`attnfocus list`: runs newest first, whatever state they are in, on any screen and for programs."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests_support import Command

CHOICES = {"model": "seq2seq", "attention": "additive", "dataset": "dates"}
DONE = {
    "status": "completed",
    "choices": CHOICES,
    "best": {"step": 10, "metric": "exact_match", "value": 0.5},
    "test": {"exact_match": 0.75, "labels": ["a"]},
}


def make(folder: Path, name: str, age: float, summary: Any) -> None:
    run = folder / name
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("choices: {model: transformer, attention: dot, dataset: mr}\n")
    os.utime(run / "config.yaml", (1e9 - age, 1e9 - age))
    if summary is not None:
        (run / "summary.json").write_text(summary if isinstance(summary, str) else json.dumps(summary))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    make(tmp_path, "outputs/2026-01-01/10-00-00_seq2seq_additive_dates_aaaa", 1, DONE)
    make(tmp_path, "outputs/2026-01-01/11-00-00_seq2seq_additive_dates_bbbb", 2, {**DONE, "status": "running"})
    make(tmp_path, "outputs/2026-01-01/mine", 3, "{ no json")
    make(tmp_path, "outputs/sweeps/2026-01-01/12-00-00/0_lr=0.1", 4, {**DONE, "status": "failed", "test": {}})
    make(tmp_path, "outputs/sweeps/2026-01-01/12-00-00/1_lr=0.2", 5, None)
    return tmp_path


def test_runs_are_listed_newest_first_with_what_became_of_them(runs: Path, attnfocus: Command) -> None:
    rows = list(csv.DictReader(io.StringIO(attnfocus("list", "format=csv").stdout)))
    assert [(row["name"], row["status"]) for row in rows] == [
        ("aaaa", "completed"),
        ("bbbb", "killed"),
        ("mine", "damaged"),
        ("0_lr=0.1", "failed"),
        ("1_lr=0.2", "killed"),
    ]
    assert [row["split"] + row["value"] for row in rows] == ["test0.75", "test0.75", "", "valid0.5", ""]
    assert [row["model"] for row in rows] == ["seq2seq", "seq2seq", "transformer", "seq2seq", "transformer"]
    assert all(int(row["num_bytes"]) > 0 for row in rows)
    assert rows[3]["path"] == "outputs/sweeps/2026-01-01/12-00-00/0_lr=0.1"


def test_each_name_is_one_that_run_takes(runs: Path, attnfocus: Command) -> None:
    for record in json.loads(attnfocus("list", "format=json").stdout):
        said = attnfocus("evaluate", f"run={record['name']}").stderr
        assert f"run={record['name']} is {record['path']}\n" in said


def test_the_limit_is_said(runs: Path, attnfocus: Command) -> None:
    done = attnfocus("list", "limit=2")
    assert len(done.stdout.splitlines()) == 3
    assert "2 of 5 runs; limit=null shows all." in done.stderr
    assert "attnfocus evaluate run=aaaa" in done.stderr


def test_a_folder_is_listed_alone(runs: Path, attnfocus: Command) -> None:
    assert len(attnfocus("list", "outputs/sweeps").stdout.splitlines()) == 3
    assert attnfocus("list", "nowhere").returncode == 2


def test_where_there_is_nothing_the_first_command_is_offered(attnfocus: Command) -> None:
    done = attnfocus("list")
    assert (done.returncode, done.stdout) == (0, "")
    assert "  attnfocus train model=seq2seq attention=additive\n" in done.stderr
    assert attnfocus("list", "format=json").stdout == "[]\n"


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (125, "2 min"), (7300, "2 h"), (1e6, "11 d")])
def test_ages_are_short(seconds: float, text: str) -> None:
    from attnfocus.commands.list.command import age_text

    assert age_text(seconds) == text


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_screen_keeps_every_name_whole(width: int, runs: Path) -> None:
    from attnfocus.commands.list.command import _print_runs
    from attnfocus.commands.list.runs import listed_runs
    from attnfocus.display.console import plain_console

    stream = io.StringIO()
    found, _ = listed_runs([runs / "outputs"], None)
    _print_runs(plain_console(stream, width), found)
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert any(line.startswith("0_lr=0.1") for line in lines)
