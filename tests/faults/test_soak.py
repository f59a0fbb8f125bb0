"""No kill loses a run or changes its end by one bit: scripts/soak.py; and what it has found before, in small."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from attnfocus.config.read import load_yaml
from attnfocus.events import Best, Evaluated, Progress, TrainingStarted
from attnfocus.layout import CONFIG_FILE
from attnfocus.runs.config import RunConfig
from attnfocus.tracking.metrics_file import MetricsFile
from attnfocus.tracking.tensorboard import TensorBoard
from attnfocus.training import CheckpointStore

ROOT = Path(__file__).resolve().parent.parent.parent
IN_A_SAVE = (  # where a save may die, in its order
    "mkdir checkpoints/.tmp-step-N-N",
    "open checkpoints/.tmp-step-N-N/model.safetensors",
    "fsync checkpoints/.tmp-step-N-N/model.safetensors",
    "fsync checkpoints/.tmp-step-N-N/optimizer.safetensors",
    "fsync checkpoints/.tmp-step-N-N/average.safetensors",
    "fsync checkpoints/.tmp-step-N-N/state.json",
    "fsync checkpoints/.tmp-step-N-N/manifest.json",
    "fsync checkpoints/.tmp-step-N-N",
    "rename checkpoints/step-N to checkpoints/step-N.replaced",
    "rename checkpoints/.tmp-step-N-N to checkpoints/step-N",
    "fsync checkpoints",
    "fsync checkpoints/.tmp-last-N",
    "rename checkpoints/.tmp-last-N to checkpoints/last",
    "rename checkpoints/.tmp-best-N to checkpoints/best",
    "rename checkpoints/step-N to checkpoints/.tmp-step-N-N",
    "unlink checkpoints/.tmp-step-N-N/manifest.json",
    "rmdir checkpoints/.tmp-step-N-N",
)
MODELS = ("seq2seq", "rnn_classifier")  # a mean of the weights in its checkpoints; workers, and a plateau


def script(name: str, *arguments: str, tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / name), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONSAFEPATH": "",
            "OMP_NUM_THREADS": "1",
            "TMPDIR": str(tmp_path),
        },
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_kill_loses_a_run_or_changes_its_end(tmp_path: Path) -> None:
    """Kills in the operations of a save and at random; scripts/soak.py alone has every operation and model."""
    operations = "|".join(f"^{re.escape(name)}$" for name in IN_A_SAVE)
    done = script("soak.py", "--operations", operations, "--kinds", *MODELS, "--random", "2", tmp_path=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"^(\d+) kills, (\d+) runs, 0 problems", done.stdout, re.MULTILINE)
    assert found is not None, done.stdout
    assert int(found[1]) >= 20
    kills = {line.strip().rpartition(" (")[0] for line in done.stdout.splitlines()}
    assert [name for name in IN_A_SAVE if name not in kills] == []


@pytest.mark.slow
def test_the_soak_notices_what_a_resumed_run_forgets(tmp_path: Path) -> None:
    """Negative control: one kill, after a save. Another thing to forget: --lose position."""
    one = ("--kinds", "seq2seq", "--operations", "^fsync checkpoints$", "--random", "0", "--jobs", "1")
    options = (*one, "--lose", "optimizer")
    done = script("soak.py", *options, tmp_path=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "model.safetensors: differs" in done.stderr
    assert "metrics.jsonl: differs" in done.stderr


@pytest.mark.slow
def test_a_checkpoint_every_30_steps_costs_less_than_13_percent(tmp_path: Path) -> None:
    """By the time of a save. What is left of it every 200 steps, on a quiet machine: scripts/checkpoint_cost.py."""
    small = ("dataset.num_valid=20", "dataset.num_test=20", "focus.num_samples=0")  # what comes after the windows
    small += ("dataset.num_train=6000",)  # what comes before them
    done = script("checkpoint_cost.py", "--every", "30", "--pairs", "1", "model=seq2seq", *small, tmp_path=tmp_path)
    assert done.returncode == 0, done.stderr
    found = re.search(r"adds ([+-][\d.]+)% by the time of a save", done.stdout)
    assert found is not None, done.stdout
    assert float(found[1]) < 13, done.stdout


def test_the_saved_configuration_is_whole_whenever_a_run_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"seed": 1, "dataset": {}, "model": {}, "paths": {}}
    RunConfig(values).save(tmp_path)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    for operation in ("fsync", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(os, operation, die)
            with pytest.raises(KeyboardInterrupt):
                RunConfig({**values, "seed": 2}).save(tmp_path)
        assert load_yaml(tmp_path / CONFIG_FILE) == values


def test_a_save_that_died_before_its_pointers_is_finished_by_the_next_resume(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters())
    store = CheckpointStore(tmp_path / "checkpoints")
    for step in (1, 2):
        store.save(step, model, optimizer, {}, is_best=True)
    for name in ("last", "best"):
        (store.folder / name).write_text("step-00000001\n", encoding="utf-8")
    (store.folder / ".tmp-step-00000000-17").mkdir()
    newest = store.newest()
    assert newest is not None
    assert store.finish_save(newest, best_step=2) == newest.path
    assert store.load("last").step == store.load("best").step == 2
    assert sorted(path.name for path in store.folder.iterdir()) == ["best", "last", "step-00000001", "step-00000002"]


def test_a_checkpoint_that_was_put_aside_and_not_replaced_is_put_back(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    store = CheckpointStore(tmp_path / "checkpoints")
    path = store.save(1, model, torch.optim.SGD(model.parameters()), {})
    path.rename(path.with_name(path.name + ".replaced"))
    newest = store.newest()
    assert newest is not None
    assert store.finish_save(newest, best_step=None) == path
    assert store.load("last").step == 1


@pytest.mark.parametrize("is_evaluated", [True, False])
def test_an_evaluation_that_comes_again_is_logged_once(tmp_path: Path, is_evaluated: bool) -> None:
    """A run stopped between a step and its evaluation, resumed, and killed between that evaluation and its save."""
    step = Progress(2, 1, 0.5, 1.0, None, 1.0, 0.1, 1.0, 10.0, is_logged=True)
    evaluation = Evaluated(2, 1, "valid", 1.0, {"loss": 1.0}, True, Best("loss", 1.0, 2))

    def listeners() -> list[MetricsFile | TensorBoard]:
        return [MetricsFile(), TensorBoard()]

    for listener in listeners():
        listener.on_start(TrainingStarted(tmp_path, 4, None, 4))
        listener.on_progress(step)
        listener.on_evaluation(evaluation)
        listener.close()
    for listener in listeners():
        listener.on_start(TrainingStarted(tmp_path, 4, None, 4, resumed_from=2, is_evaluated=is_evaluated))
        if not is_evaluated:
            listener.on_evaluation(evaluation)
        listener.close()
    assert (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").count('"valid"') == 1
    (events,) = tmp_path.glob("events.*")
    content = re.sub(rb"\^[\w./]+", b"", events.read_bytes())  # without the patterns of charts
    assert [content.count(tag) for tag in (b"train/loss", b"valid/loss", b"valid_best/loss")] == [1, 1, 1]
