"""`resume=auto`: the same command, again and again, as a cluster would start it."""

import json
from pathlib import Path

import pytest
from tests_support import TINY_DATES, assert_polite, only_run, summary_of

pytestmark = pytest.mark.slow

RUN = ["train", "model=seq2seq", *TINY_DATES, "resume=auto"]


@pytest.fixture
def runs(tmp_path: Path):
    return lambda: sorted(path.parent for path in (tmp_path / "outputs").glob("*/*/config.yaml"))


def test_the_same_command_starts_then_goes_on_then_has_nothing_left_to_do(attnfocus, tmp_path, runs) -> None:
    first = attnfocus(*RUN, "trainer.max_steps=6")
    assert first.returncode == 0, first.stderr
    run = only_run(tmp_path)
    assert summary_of(run)["steps"] == 6
    longer = attnfocus(*RUN, "trainer.max_steps=9")  # a limit may change
    assert longer.returncode == 0, longer.stderr
    assert runs() == [run]
    assert summary_of(run)["steps"] == 9
    weights = (run / "checkpoints" / "last").read_text(encoding="utf-8")
    again = attnfocus(*RUN, "trainer.max_steps=9")
    assert again.returncode == 0, again.stderr
    assert "already finished" in again.stderr
    assert runs() == [run]
    assert (run / "checkpoints" / "last").read_text(encoding="utf-8") == weights
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    steps = [line["step"] for line in lines if line["split"] == "train"]
    assert steps == sorted(set(steps))


def test_another_command_is_another_run(attnfocus, tmp_path, runs) -> None:
    assert attnfocus(*RUN, "trainer.max_steps=2").returncode == 0
    assert attnfocus(*RUN, "trainer.max_steps=2", "model.hidden_size=10").returncode == 0
    assert len(runs()) == 2


def test_a_named_folder_is_gone_on_with_unless_it_holds_another_run(attnfocus, tmp_path) -> None:
    here = "run_dir=my run"
    assert attnfocus(*RUN, here, "trainer.max_steps=2").returncode == 0
    assert attnfocus(*RUN, here, "trainer.max_steps=4").returncode == 0
    assert summary_of(tmp_path / "my run")["steps"] == 4
    other = attnfocus(*RUN, here, "model.hidden_size=10")
    assert_polite(other, 2)
    assert "model.hidden_size" in other.stderr
    assert "my run" in other.stderr
