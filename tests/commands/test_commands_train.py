"""The main job through the real command: the run directory's contract, repetition, resuming, testing, predicting."""

import csv
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests_support import TINY_DATES, Command, assert_polite, only_run, summary_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
LOGGED = ("trainer.log_every_steps=2", "trainer.evaluate_every_steps=3", "model.dropout=0.1")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
    """One small finished run that many tests look at."""
    folder = tmp_path_factory.mktemp("finished")
    done = subprocess.run(
        [sys.executable, "-m", "attnfocus", "train", *TINY_DATES, *LOGGED],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return only_run(folder), done


def metrics_of(run: Path) -> list[dict[str, Any]]:
    """metrics.jsonl without what depends on the clock."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "words_per_second")} for line in lines]


def test_the_run_directory_holds_what_the_contract_says(finished: tuple[Path, Any]) -> None:
    run, _ = finished
    names = {path.name for path in run.iterdir()}
    assert {"config.yaml", "summary.json", "metrics.jsonl", "train.log", "checkpoints", "data"} <= names
    assert len(list(run.rglob("events.out.tfevents.*"))) == 1
    assert run.parent.name.count("-") == 2
    assert run.name.split("_")[1:4] == ["seq2seq", "additive", "dates"]
    assert len(run.name.split("_")[-1]) == 4
    for pointer in ("best", "last"):
        name = (run / "checkpoints" / pointer).read_text(encoding="utf-8").strip()
        assert (run / "checkpoints" / name / "manifest.json").is_file()


def test_the_summary_says_what_happened(finished: tuple[Path, Any]) -> None:
    summary = summary_of(finished[0])
    assert summary["status"] == "completed"
    assert summary["steps"] == 6
    assert summary["reason"] == "max_steps reached"
    assert summary["best"]["metric"] == "exact_match"
    assert summary["parameters"] > 0
    assert summary["words_per_second"] > 0
    assert {"bleu", "chrf", "exact_match", "loss", "bleu_signature", "focus/effective_positions"} <= set(
        summary["test"]
    )
    assert {"attnfocus", "torch", "python"} <= set(summary["versions"])
    assert summary["command"].startswith("attnfocus train ")
    assert "trainer.max_steps=6" in summary["command"]
    started = datetime.fromisoformat(summary["started"])
    assert timedelta() <= datetime.now(UTC) - started < timedelta(hours=1)
    assert summary["threads"]["torch"] == 1
    assert f"waiting: {summary['threads']['waiting']}" in (finished[0] / "train.log").read_text(encoding="utf-8")


def test_a_pipe_gets_plain_lines(finished: tuple[Path, Any]) -> None:
    _, done = finished
    text = done.stdout + done.stderr
    assert not [char for char in text if ord(char) < 32 and char != "\n"]
    assert "attnfocus evaluate run=" in text
    assert "tensorboard --logdir" in text
    assert "words/s" in text
    assert "focus" in text
    _, samples = text.rsplit("\n\ntest-0 ", 1)  # the last screen: three answers, and what to do next
    answers = re.findall(r"^  output  .*  (right|wrong)$", samples, re.MULTILINE)
    assert len(answers) == 3
    assert answers.count("wrong") == len(re.findall(r"^  target  ", samples, re.MULTILINE)) >= 1
    _, *commands = samples[samples.index("\nnext\n") :].split()
    assert commands[:2] == ["attnfocus", "inspect"]
    assert commands[3:5] == ["attnfocus", "evaluate"]
    assert commands[6] == "faithfulness=true"


def test_the_same_seed_gives_the_same_metrics_file(
    finished: tuple[Path, Any], attnfocus: Command, tmp_path: Path
) -> None:
    assert attnfocus("train", *TINY_DATES, *LOGGED).returncode == 0
    assert metrics_of(only_run(tmp_path)) == metrics_of(finished[0])


def test_another_seed_gives_other_metrics(finished: tuple[Path, Any], attnfocus: Command, tmp_path: Path) -> None:
    assert attnfocus("train", *TINY_DATES, *LOGGED, "seed=2").returncode == 0
    assert metrics_of(only_run(tmp_path)) != metrics_of(finished[0])


def test_a_resumed_run_equals_an_uninterrupted_one(
    finished: tuple[Path, Any], attnfocus: Command, tmp_path: Path
) -> None:
    assert attnfocus("train", *TINY_DATES, *LOGGED, "trainer.max_steps=4").returncode == 0
    run = only_run(tmp_path)
    done = attnfocus("train", f"resume={run}", "trainer.max_steps=6")
    assert done.returncode == 0, done.stderr
    assert "resumed from step 4" in done.stderr
    whole, resumed = metrics_of(finished[0]), metrics_of(run)
    # Stopping at step 4 made one more evaluation there, since which attention has drifted; all else is the same.
    resumed = [line for line in resumed if not (line["step"] == 4 and line["split"] == "valid")]
    for line in (*whole, *resumed):
        line.pop("focus/drift", None)
    assert resumed == whole
    assert len(list(run.rglob("events.out.tfevents.*"))) == 1
    weights = [(path / "checkpoints/step-00000006/model.safetensors").read_bytes() for path in (finished[0], run)]
    assert weights[0] == weights[1]


def test_resuming_a_finished_run_says_so_and_how_to_go_on(finished: tuple[Path, Any], attnfocus: Command) -> None:
    run, first = finished
    done = attnfocus("train", f"resume={run}")
    assert done.returncode == 0, done.stderr
    assert "This run is already finished at step 6 (max_steps=6). Nothing was trained." in done.stderr
    assert "resumed from step 6, where it is finished already (max_steps=6)" in done.stderr
    assert done.stderr.splitlines()[-1].strip() == f"attnfocus train resume={run} trainer.max_steps=12"
    assert "already finished" not in first.stderr
    # The best is of the part before: its metrics stand in the table all the same.
    table = [line for line in first.stderr.splitlines() if line.split()[-2:] == ["valid", "test"]]
    assert len(table) == 1
    assert table[0] in done.stderr.splitlines()
    (exact_match,) = [line for line in first.stderr.splitlines() if line.startswith("exact match ")]
    assert exact_match in done.stderr.splitlines()


def test_a_limit_below_what_was_reached_gets_one_above_it(finished: tuple[Path, Any], attnfocus: Command) -> None:
    """Twice three steps would be a run that is finished again: it has six."""
    done = attnfocus("train", f"resume={finished[0]}", "trainer.max_steps=3", "trainer.max_epochs=1")
    assert done.returncode == 0, done.stderr
    line = done.stderr.splitlines()[-1].strip()
    limits = dict(word.removeprefix("trainer.").split("=") for word in line.split() if word.startswith("trainer."))
    assert int(limits["max_steps"]) > 6
    assert int(limits.get("max_epochs", 2)) > 1


def test_a_stopped_run_without_a_best_checkpoint_is_evaluated_by_its_last(
    finished: tuple[Path, Any], attnfocus: Command, tmp_path: Path
) -> None:
    shutil.copytree(finished[0], tmp_path / "stopped")
    (tmp_path / "stopped" / "checkpoints" / "best").unlink()
    (tmp_path / "stopped" / "predictions-test.jsonl").unlink()
    done = attnfocus("evaluate", "run=stopped")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("test, last checkpoint (step 6)")
    assert "stopped: it was stopped before its first evaluation" in done.stderr
    assert "the last one is used." in done.stderr
    assert not (tmp_path / "stopped" / "predictions-test.jsonl").exists()  # those are of the best


def test_resuming_cannot_change_what_was_learnt_from(finished: tuple[Path, Any], attnfocus: Command) -> None:
    done = attnfocus("train", f"resume={finished[0]}", "model.hidden_size=32", "seed=3")
    assert_polite(done, 2)
    assert "model.hidden_size: a resumed run keeps its model.hidden_size" in done.stderr
    assert "seed: a resumed run keeps its seed" in done.stderr


def test_evaluate_gives_the_summary_again_to_the_digit(finished: tuple[Path, Any], attnfocus: Command) -> None:
    run, _ = finished
    done = attnfocus("evaluate", f"run={run}", "split=test", "format=json")
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)
    expected = summary_of(run)["test"]
    assert again["metrics"] == {name: expected[name] for name in again["metrics"]}
    assert again["bleu_signature"] == expected["bleu_signature"]


def test_evaluate_prints_a_table(finished: tuple[Path, Any], attnfocus: Command) -> None:
    done = attnfocus("evaluate", f"run={finished[0]}", "split=valid", "decoding.beam_size=2")
    assert done.returncode == 0, done.stderr
    assert "exact match" in done.stdout
    assert "nrefs:1" in done.stdout


def test_predict_writes_one_line_for_each_line(finished: tuple[Path, Any], attnfocus: Command) -> None:
    lines = ["May 3, 1999", "", "1999年5月3日", "x" * 10_000, "tab\tand \x1b[31mcontrol", "ДЕКАБРЬ", "﷽" * 5]
    done = attnfocus("predict", f"run={finished[0]}", input="\n".join(lines) + "\n")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split("\n")) == len(lines) + 1
    assert done.stdout.split("\n")[1] == ""
    assert "1 input was skipped" in done.stderr


def test_predict_as_jsonl_has_scores_and_alignments(finished: tuple[Path, Any], attnfocus: Command) -> None:
    done = attnfocus("predict", f"run={finished[0]}", "format=jsonl", input="May 3, 1999\n\n")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["source"] == "May 3, 1999"
    assert first["score"] < 0
    cross = first["attention"]["cross"]
    assert len(cross["weights"][0]) == len(cross["queries"])
    if cross["queries"]:
        assert len(cross["weights"][0][0]) == len(first["tokens"])
        assert sum(cross["weights"][0][0]) == pytest.approx(1, abs=0.01)
    assert second["skipped"] == "empty input"


def test_a_missing_input_is_named(finished: tuple[Path, Any], attnfocus: Command) -> None:
    done = attnfocus("predict", f"run={finished[0]}", "input=none.txt")
    assert_polite(done, 2)
    assert "none.txt" in done.stderr


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(b"May 3, 1999\n" * 9)[:-12]], ids=["foreign", "cut off"])
def test_a_damaged_gzip_input_is_named(
    finished: tuple[Path, Any], attnfocus: Command, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "lines.txt.gz").write_bytes(content)
    done = attnfocus("predict", f"run={finished[0]}", "input=lines.txt.gz")
    assert_polite(done, 2)
    assert "lines.txt.gz is not a whole gzip file" in done.stderr


def test_a_damaged_checkpoint_is_refused(finished: tuple[Path, Any], attnfocus: Command, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(finished[0], copy)
    for path in copy.glob("checkpoints/step-*/model.safetensors"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(bytes(content))
    assert_polite(attnfocus("evaluate", f"run={copy}"), 3)


def test_a_hostile_target_in_a_run_directory_is_refused(
    finished: tuple[Path, Any], attnfocus: Command, tmp_path: Path
) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(finished[0], copy)
    config = (copy / "config.yaml").read_text(encoding="utf-8")
    (copy / "config.yaml").write_text(config.replace("attnfocus.models.Seq2Seq", "os.system"), encoding="utf-8")
    done = attnfocus("evaluate", f"run={copy}")
    assert done.returncode == 2
    assert "os.system" in done.stderr
    assert "trust=" in done.stderr


def test_a_run_directory_is_never_mixed(finished: tuple[Path, Any], attnfocus: Command) -> None:
    done = attnfocus("train", *TINY_DATES, f"run_dir={finished[0]}")
    assert_polite(done, 2)
    assert "already holds a run" in done.stderr


def test_a_sweep_has_a_table_and_a_csv_and_survives_a_failed_job(attnfocus: Command, tmp_path: Path) -> None:
    done = attnfocus("train", "-m", *TINY_DATES, "attention=additive,dot", "model.hidden_size=16,17")
    assert done.returncode == 1, done.stderr
    assert "2 of 4 jobs failed" in done.stdout
    assert "hidden_size=17" in done.stdout
    (results,) = tmp_path.glob("outputs/sweeps/*/*/results.csv")
    rows = list(csv.DictReader(results.read_text(encoding="utf-8").splitlines()))
    assert [row["status"] for row in rows] == ["done", "done", "failed", "failed"]
    assert [row["attention"] for row in rows] == ["additive", "dot", "additive", "dot"]
    for row in rows:
        assert (results.parent / row["run_dir"]).is_dir()
        assert (row["status"] == "done") == bool(row["test/exact_match"])
    assert "Traceback" not in done.stderr


def test_a_sweep_of_one_job_has_a_folder_named_by_its_number(attnfocus: Command, tmp_path: Path) -> None:
    done = attnfocus("train", "-m", *TINY_DATES, "paths.outputs=my runs")
    assert done.returncode == 0, done.stderr
    (results,) = tmp_path.glob("my runs/sweeps/*/*/results.csv")
    assert [path.name for path in results.parent.iterdir() if path.is_dir()] == ["0"]
    assert len(list(csv.DictReader(results.read_text(encoding="utf-8").splitlines()))) == 1


def test_runs_started_together_get_folders_of_their_own(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "attnfocus", "train", *TINY_DATES]
    both = [subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    assert len(list(tmp_path.rglob("summary.json"))) == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_says_how_to_go_on(number: signal.Signals, code: int, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "attnfocus", "train", *TINY_DATES, "trainer.max_steps=100000"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("checkpoints/last")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    run = only_run(tmp_path)
    assert f"attnfocus train resume={run.relative_to(tmp_path)}" in said
    assert summary_of(run)["status"] == "interrupted"
    last = (run / "checkpoints" / "last").read_text(encoding="utf-8").strip()
    assert int(last.removeprefix("step-")) == summary_of(run)["steps"]


@pytest.mark.parametrize("model", ["transformer", "rnn_classifier", "pooling_classifier"])
def test_classifiers_run_on_their_own_data(model: str, attnfocus: Command, tmp_path: Path) -> None:
    small = (
        []
        if model == "pooling_classifier"
        else ["dataset.num_train=160", "dataset.num_valid=32", "dataset.num_test=32"]
    )
    done = attnfocus("train", f"model={model}", *small, "trainer.max_epochs=1", "focus.num_samples=1")
    assert done.returncode == 0, done.stderr
    test = summary_of(only_run(tmp_path))["test"]
    assert {"accuracy", "macro_precision", "macro_recall", "macro_f1", "confusion_matrix"} <= set(test)


def test_the_identity_set_is_learnt_within_100_epochs(attnfocus: Command, tmp_path: Path) -> None:
    # Four pictures after each of a hundred steps would take more than two thirds of the time.
    done = attnfocus("train", "model=pooling_classifier", "focus.num_samples=0")
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    summary = summary_of(run)
    assert summary["test"]["accuracy"] == 1.0
    assert summary["epochs"] <= 100
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run)).Reload()
    losses = [event.value for event in events.Scalars("valid/loss")]
    assert len(losses) == summary["epochs"]
    assert losses[-1] < 0.5 * losses[0]
