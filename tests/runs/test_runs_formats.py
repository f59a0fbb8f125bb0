"""A run that an earlier version wrote can still be used. The files under fixtures/ are never made again."""

import json
import shutil
from pathlib import Path

import pytest
from tests_support import Command, summary_of

import attnfocus as package

RUNS = sorted((Path(__file__).parent / "fixtures").glob("run-format-*"))


@pytest.mark.parametrize("saved", RUNS, ids=lambda path: path.name)
def test_an_old_run_evaluates_to_what_it_said_of_itself(saved: Path, tmp_path: Path) -> None:
    run = shutil.copytree(saved, tmp_path / "run")
    expected = summary_of(saved)["test"]
    metrics = package.load(run).evaluate("test").metrics
    assert metrics["accuracy"] == expected["accuracy"]
    assert metrics["loss"] == pytest.approx(expected["loss"], rel=1e-5)


@pytest.mark.parametrize("saved", RUNS, ids=lambda path: path.name)
def test_an_old_run_goes_on(saved: Path, tmp_path: Path, attnfocus: Command) -> None:
    run = shutil.copytree(saved, tmp_path / "run")
    steps = summary_of(saved)["steps"]
    done = attnfocus("train", "resume=run", f"trainer.max_steps={steps + 4}")
    assert done.returncode == 0, done.stderr
    assert summary_of(run)["steps"] == steps + 4
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines if line["split"] == "valid"] == list(range(1, steps + 5))


def test_there_is_a_run_of_every_format() -> None:
    from attnfocus.training.checkpoints.checkpoint import FORMAT

    assert [path.name for path in RUNS] == [f"run-format-{number}" for number in range(1, FORMAT + 1)]
