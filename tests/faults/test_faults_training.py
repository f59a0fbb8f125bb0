"""Cases 31 to 34: numbers, memory and workers that fail a run, or that it gets over."""

import time
from pathlib import Path

import pytest
from faults_runs import VECTORS, Run
from tests_support import only_run, summary_of

pytestmark = pytest.mark.slow

SHORT = (*VECTORS, "trainer.max_steps=8", "trainer.evaluate_every_steps=2", "trainer.max_epochs=null")
WORKERS = ("trainer.num_workers=2", "dataset.size=16", "trainer.worker_timeout_seconds=2")


def last_words(stderr: str) -> list[str]:
    """What a run says when it fails: from `attnfocus: ` on."""
    lines = stderr.splitlines()
    (first,) = [number for number, line in enumerate(lines) if line.startswith("attnfocus: ")]
    assert len(lines) - first <= 5, stderr
    assert "Traceback" not in stderr
    return lines[first:]


def last_of(run: Path) -> str:
    return (run / "checkpoints/last").read_text(encoding="utf-8").strip()


def test_31_a_loss_that_is_not_finite_stops_before_the_update(run: Run, tmp_path: Path) -> None:
    done = run("train", *SHORT, fault="loss_not_finite", FAULT_AT="6")
    assert done.returncode == 1, done.stderr
    said = " ".join(last_words(done.stderr))
    for text in ("step 6: loss nan", "batch: class-", "lr: 0.003", "gradient norm nan", "step-00000004"):
        assert text in said
    made = only_run(tmp_path)
    assert last_of(made) == "step-00000004"
    assert summary_of(made)["status"] == "failed"
    resumed = run("train", f"resume={made}")
    assert resumed.returncode == 0, resumed.stderr


@pytest.mark.parametrize("how", ["skip", "rollback"])
def test_31_it_can_be_skipped_or_rolled_back_a_few_times(run: Run, tmp_path: Path, how: str) -> None:
    done = run("train", *SHORT, f"trainer.on_non_finite={how}", fault="loss_not_finite", FAULT_AT="4,6")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("not finite") == 2
    assert {"skip": "Left out (2 of 3)", "rollback": "Back to step 2"}[how] in done.stderr
    assert summary_of(only_run(tmp_path))["steps"] == 8


def test_31_no_more_often_than_allowed(run: Run) -> None:
    limits = ("trainer.on_non_finite=skip", "trainer.max_recoveries=2")
    done = run("train", *SHORT, *limits, fault="loss_not_finite", FAULT_AT="3,4,5")
    assert done.returncode == 1
    assert "2 recoveries were made before" in " ".join(last_words(done.stderr))


@pytest.mark.parametrize("how", ["warn", "rollback"])
def test_32_a_spike_of_the_loss_is_warned_of_or_rolled_back(run: Run, tmp_path: Path, how: str) -> None:
    long = ("trainer.max_steps=44", "trainer.evaluate_every_steps=20", f"trainer.on_spike={how}")
    done = run("train", *SHORT, *long, fault="loss_spike", FAULT_AT="42")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is a spike (robust z-score") == 1
    assert ("Back to step 40" in done.stderr) is (how == "rollback")
    assert summary_of(only_run(tmp_path))["steps"] == 44


def test_33_no_memory_ends_in_a_message_with_the_override_that_helps(run: Run, tmp_path: Path) -> None:
    done = run("train", *SHORT, fault="no_memory", FAULT_AT="2")
    assert done.returncode == 1, done.stderr
    said = last_words(done.stderr)
    assert "step 1: out of memory on cpu. Examples in the micro-batches: 4" in said[0]
    assert "  trainer.batch_size=2 trainer.accumulate_steps=2" in said
    assert "trainer.split_on_oom=true" in said[-1]
    helped = run("train", *SHORT, "trainer.batch_size=2", "trainer.accumulate_steps=2", fault="no_memory", FAULT_AT="2")
    assert helped.returncode == 0, helped.stderr


def test_33_a_batch_can_be_split_where_it_does_not_fit(run: Run, tmp_path: Path) -> None:
    done = run("train", *SHORT, "trainer.split_on_oom=true", fault="no_memory", FAULT_AT="2")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("each micro-batch is computed in 2 parts") == 1
    whole = run("train", *SHORT)
    assert whole.returncode == 0, whole.stderr
    ends = [line for said in (done, whole) for line in said.stderr.splitlines() if "  test  accuracy" in line]
    assert len(ends) == 2
    assert ends[0] == ends[1]  # the same training, as far as it is shown


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("worker_killed", ["a loader worker ", "trainer.num_workers=0"]),
        ("worker_raises", ["loader worker 1", "ZeroDivisionError: no such row"]),
        ("worker_hangs", ["loader worker 1 did not answer", "trainer.num_workers=0"]),
    ],
)
def test_34_a_worker_that_fails_is_named_with_its_batch(run: Run, tmp_path: Path, fault: str, said: list[str]) -> None:
    began = time.monotonic()
    done = run("train", *SHORT, *WORKERS, fault=fault, FAULT_AT="4")
    assert time.monotonic() - began < 60
    assert done.returncode == 1, done.stderr
    shown = " ".join(last_words(done.stderr))
    for text in (*said, "epoch 1, batch "):
        assert text in shown
    if fault != "worker_killed":  # whose death may be noticed while an earlier batch is waited for
        assert "batch 4 (class-" in shown
