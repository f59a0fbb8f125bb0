"""W&B and MLflow for real, where they are installed; without a network, without a login."""

import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests_support import TINY_DATES, only_run, summary_of

from attnfocus.cli import main
from attnfocus.errors import ConfigError
from attnfocus.events import (
    Best,
    Evaluated,
    Listener,
    OptionValue,
    Progress,
    RunFacts,
    TrainingEnded,
    TrainingStarted,
)
from attnfocus.tracking.services import MLflow, WandB

needs_wandb = pytest.mark.skipif(find_spec("wandb") is None, reason="needs wandb: pip install 'attnfocus[wandb]'")
needs_mlflow = pytest.mark.skipif(find_spec("mlflow") is None, reason="needs mlflow: pip install 'attnfocus[mlflow]'")
pytestmark = pytest.mark.filterwarnings("ignore")  # theirs

OPTIONS: dict[str, OptionValue] = {"model": "seq2seq", "optimizer.lr": 0.001, "seed": None}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is logged in, and what is written to the home folder is seen."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in [name for name in os.environ if name.startswith(("WANDB_", "MLFLOW_"))]:
        monkeypatch.delenv(name)


def play(tracker: Listener, run_dir: Path, steps: range, resumed_from: int | None = None, ends: bool = True) -> None:
    facts = RunFacts({"model": "seq2seq"}, OPTIONS, {"bleu": "max"})
    tracker.on_start(TrainingStarted(run_dir, 10, None, 10, resumed_from, facts=facts))
    for step in steps:
        tracker.on_progress(Progress(step, 1, step / 10, 1.0, None, 1 / step, 1e-3, 0.5, 100.0, is_logged=True))
    best = Best("bleu", 30.0, 2)
    tracker.on_evaluation(Evaluated(steps[-1], 1, "valid", 1.0, {"bleu": 30.0, "loss": float("nan")}, True, best))
    if ends:
        tracker.on_end(TrainingEnded(steps[-1], 1, 1.0, "max_steps reached", best))
        tracker.on_evaluation(Evaluated(2, 1, "test", 1.0, {"bleu": 29.0, "focus/top_mass": 0.5}))
    tracker.close()


def wandb_records(run_dir: Path) -> list[Any]:
    """What the files for `wandb sync` hold; its service may write them up to the end of the run a while later."""
    from wandb.proto.wandb_internal_pb2 import Record

    found = []
    for path in sorted(run_dir.glob("wandb/offline-run-*/*.wandb")):
        for _ in range(300):
            records = [Record.FromString(data) for data in pieces(path.read_bytes())]
            if any(record.WhichOneof("record_type") == "exit" for record in records):
                break
            time.sleep(0.1)
        found += records
    return found


def pieces(content: bytes) -> Iterator[bytes]:
    """The records of a file in the format of LevelDB's logs, after 7 bytes of its own: blocks of 32 KiB, with a crc,
    a length and a kind (1 whole, 2 first, 3 middle, 4 last) before each part.
    """
    place, record = 7, b""
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:  # too short for a part
            place += 32768 - place % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        record += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            yield record
            record = b""


def history(records: list[Any]) -> list[dict[str, str]]:
    rows = [record.history for record in records if record.WhichOneof("record_type") == "history"]
    return [{(item.key or item.nested_key[0]): item.value_json for item in row.item} for row in rows]


@needs_wandb
def test_wandb_writes_the_run_below_its_directory_and_nowhere_else(tmp_path: Path) -> None:
    run_dir = tmp_path / "a run"
    run_dir.mkdir()
    play(WandB(project="p", tags=["x"]), run_dir, range(1, 4))
    records = wandb_records(run_dir)
    (run,) = [record.run for record in records if record.WhichOneof("record_type") == "run"]
    assert (run.project, run.run_id, run.display_name, list(run.tags)) == ("p", "a-run", "a run", ["x"])
    options = {update.key or update.nested_key[0]: update.value_json for update in run.config.update}
    assert options["optimizer.lr"] == "0.001"
    rows = history(records)
    assert [float(row["train/loss"]) for row in rows if "train/loss" in row][:2] == [1.0, 0.5]
    (test,) = [row for row in rows if "test/bleu" in row]
    assert [float(test[name]) for name in ("test/bleu", "step", "focus/test/top_mass")] == [29.0, 2.0, 0.5]
    assert [record.exit.exit_code for record in records if record.WhichOneof("record_type") == "exit"] == [0]
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []


@needs_wandb
def test_wandb_marks_a_run_that_did_not_end_as_failed(tmp_path: Path) -> None:
    play(WandB(), tmp_path, range(1, 2), ends=False)
    codes = [record.exit.exit_code for record in wandb_records(tmp_path) if record.WhichOneof("record_type") == "exit"]
    assert codes == [1]


@needs_wandb
def test_a_resumed_run_is_the_same_run_for_wandb(tmp_path: Path) -> None:
    play(WandB(), tmp_path, range(1, 3), ends=False)
    play(WandB(), tmp_path, range(3, 5), resumed_from=2)
    runs = [record.run for record in wandb_records(tmp_path) if record.WhichOneof("record_type") == "run"]
    assert len({run.run_id for run in runs}) == 1


@needs_wandb
def test_online_without_a_login_is_an_error_and_no_question(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nobody is logged in"):
        WandB(mode="online")


def mlflow_runs(store: Path) -> list[Any]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    (experiment,) = [each for each in client.search_experiments() if each.name == "attnfocus"]
    return list(client.search_runs([experiment.experiment_id]))


@needs_mlflow
def test_mlflow_writes_into_a_file_that_runs_share(tmp_path: Path) -> None:
    store = tmp_path / "outputs" / "mlflow.db"
    for name in ("it's a run", "another"):
        (tmp_path / name).mkdir()
    play(MLflow(str(store), tags={"x": "y"}), tmp_path / "it's a run", range(1, 4))
    play(MLflow(str(store)), tmp_path / "another", range(1, 2), ends=False)
    failed, finished = mlflow_runs(store)
    assert (finished.info.run_name, finished.info.status) == ("it's a run", "FINISHED")
    assert (failed.info.run_name, failed.info.status) == ("another", "FAILED")
    assert finished.data.params == {"model": "seq2seq", "optimizer.lr": "0.001", "seed": "None"}
    assert finished.data.metrics["test/bleu"] == 29.0
    assert finished.data.metrics["focus/test/top_mass"] == 0.5
    assert finished.data.tags["x"] == "y"
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []
    play(MLflow(str(store)), tmp_path / "it's a run", range(4, 6), resumed_from=3)
    assert len(mlflow_runs(store)) == 2
    assert not (tmp_path / "mlruns").exists()


@needs_wandb
@needs_mlflow
def test_a_run_with_both_hears_of_no_fault_and_ends_with_the_test(
    tmp_path: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ["tracker=[wandb,mlflow]", "tracker.wandb.group=seeds"]
    assert main(["train", *TINY_DATES, *chosen]) == 0
    said = capsys.readouterr()
    assert "stopped" not in said.err + said.out
    run = only_run(here)
    assert "tracker" not in (run / "config.yaml").read_text(encoding="utf-8")
    (test,) = [row for row in history(wandb_records(run)) if "test/bleu" in row]
    assert float(test["test/bleu"]) == summary_of(run)["test"]["bleu"]
    (known,) = mlflow_runs(here / "outputs" / "mlflow.db")
    assert known.data.metrics["test/bleu"] == summary_of(run)["test"]["bleu"]


@pytest.mark.slow
def test_a_missing_package_is_an_error_with_the_line_that_installs_it(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('wandb', 'mlflow', 'mlflow.tracking'): sys.modules[name] = None\n"
        "from attnfocus.cli import main\n"
        "sys.exit(main(['train', 'tracker=[wandb,mlflow]']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "tracker.wandb: needs an extra: pip install 'attnfocus[wandb]'." in done.stderr
    assert "tracker.mlflow: needs an extra: pip install 'attnfocus[mlflow]'." in done.stderr
    assert list(tmp_path.glob("*")) == [tmp_path / "home"]  # before data are read
