"""Cases 24 to 26: a run that is killed, terminated or interrupted goes on as if nothing had been."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from faults_runs import DATES, VECTORS, Run, Start
from tests_support import only_run, summary_of

pytestmark = pytest.mark.slow

LONG = (*VECTORS, "trainer.max_steps=100000", "trainer.max_epochs=null", "trainer.evaluate_every_steps=1000")


def metrics_of(run: Path) -> list[dict[str, Any]]:
    """metrics.jsonl without what depends on the clock."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "words_per_second")} for line in lines]


def scalars_of(run: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run)).Reload()
    tags = [tag for tag in events.Tags()["scalars"] if "words_per_second" not in tag]
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in tags}


def assert_same_end(ours: Path, theirs: Path) -> None:
    for name in ("model.safetensors", "optimizer.safetensors", "optimizer.json"):
        path = f"checkpoints/step-00000008/{name}"
        same = (ours / path).read_bytes() == (theirs / path).read_bytes()
        assert same, name  # of the bytes themselves pytest would write out the difference, for two minutes
    assert metrics_of(ours) == metrics_of(theirs)
    assert scalars_of(ours) == scalars_of(theirs)
    assert summary_of(ours)["test"] == summary_of(theirs)["test"]


def test_24_a_run_killed_inside_saves_ends_as_the_uninterrupted_one(run: Run, finished: Path, tmp_path: Path) -> None:
    killed = run("train", *DATES, fault="killed_inside_a_save", FAULT_AT="1")
    assert killed.returncode == -signal.SIGKILL
    made = only_run(tmp_path)
    assert not (made / "checkpoints/last").exists()
    killed = run("train", f"resume={made}", fault="killed_inside_a_save", FAULT_AT="3")
    assert killed.returncode == -signal.SIGKILL
    assert (made / "checkpoints/last").read_text(encoding="utf-8") == "step-00000004\n"
    done = run("train", f"resume={made}")
    assert done.returncode == 0, done.stderr
    assert "resumed from step 4" in done.stderr
    assert_same_end(made, finished)
    assert not list((made / "checkpoints").glob(".tmp*"))


def test_24_the_comparison_notices_another_order_of_the_data(run: Run, finished: Path, tmp_path: Path) -> None:
    """A negative control: were the order of the data lost, the two ends would differ."""
    done = run("train", *DATES, fault="other_order_of_data")
    assert done.returncode == 0, done.stderr
    with pytest.raises(AssertionError):
        assert_same_end(only_run(tmp_path), finished)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1", "SIGUSR2"])
def test_25_a_signal_saves_within_the_step_and_says_how_to_go_on(run: Run, tmp_path: Path, name: str) -> None:
    done = run("train", *LONG, fault="signal_at_a_step", FAULT_AT="5", FAULT_SIGNAL=name)
    assert done.returncode == 143, done.stderr
    made = only_run(tmp_path)
    assert (made / "checkpoints/last").read_text(encoding="utf-8") == "step-00000005\n"
    assert f"attnfocus train resume={made.relative_to(tmp_path)}" in done.stderr
    assert summary_of(made)["status"] == "interrupted"


def test_26_ctrl_c_finishes_the_step_and_saves(run: Run, start: Start, tmp_path: Path) -> None:
    done = run("train", *LONG, fault="signal_at_a_step", FAULT_AT="5", FAULT_SIGNAL="SIGINT")
    assert done.returncode == 130, done.stderr
    made = only_run(tmp_path)
    assert (made / "checkpoints/last").read_text(encoding="utf-8") == "step-00000005\n"
    resumed = run("train", f"resume={made}", "trainer.max_steps=7")
    assert resumed.returncode == 0, resumed.stderr
    assert summary_of(made)["steps"] == 7


def test_26_ctrl_c_twice_stops_at_once(start: Start, tmp_path: Path) -> None:
    running = start("train", *LONG, fault="hanging_step", FAULT_AT="5")
    running.until("hanging")
    running.send(signal.SIGINT)
    time.sleep(0.3)
    began = time.monotonic()
    running.send(signal.SIGINT)
    done = running.wait()
    assert done.returncode == 130, done.stderr
    assert time.monotonic() - began < 30
    assert "Traceback" not in done.stderr
    assert summary_of(only_run(tmp_path))["status"] == "interrupted"
