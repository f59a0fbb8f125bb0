"""Signals by every verb: a number is learned from them, predicted from a path, and the weights are drawn over them."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from tests_support import assert_equal_weights, commands_run_in

from attnfocus.cli import main

pytestmark = pytest.mark.slow


def test_signals_by_every_verb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands_run_in(tmp_path, monkeypatch)
    random = np.random.default_rng(0)
    lines = ["id,a,b,label,who"]
    for number in range(40):
        worth = random.normal()
        samples = random.normal(worth, 1, (random.integers(6, 12), 2))
        lines += [f"s{number},{a:.3f},{b:.3f},{worth:.3f},p{number // 5}" for a, b in samples]
    Path("signals.csv").write_text("\n".join(lines))
    small = ("dataset=series", "dataset.task=regression", "dataset.train=signals.csv", "dataset.group_column=who",
             "model=transformer", "model.pooling=attention", "model.embed_dim=16", "model.feedforward_dim=16",
             "model.input.patch_size=2", "trainer.max_steps=7", "trainer.batch_size=8", "focus.num_samples=1",
             "report=false")  # fmt: skip
    assert main(["train", *small, "run_dir=run"]) == 0
    assert main(["train", *small, "run_dir=parts", "trainer.max_steps=3"]) == 0  # in the midst of an epoch
    assert main(["train", "resume=parts", "trainer.max_steps=7"]) == 0
    assert_equal_weights(Path("run"), Path("parts"))
    summary = json.loads(Path("run/summary.json").read_text())
    assert {"mse", "mae", "r2", "mean_baseline"} <= summary["test"].keys()
    np.save("one.npy", samples)
    capsys.readouterr()
    assert main(["predict", "run=run", "input=one.npy"]) == 0
    of_array = float(capsys.readouterr().out)
    np.save("two.npy", samples)
    Path("bad.npy").write_bytes(b"no array")
    assert main(["predict", "run=run", "input=[one.npy,bad.npy,two.npy]"]) == 0
    answers = capsys.readouterr()
    both = [float(line) for line in answers.out.split("\n") if line]
    assert both == pytest.approx([of_array, of_array], rel=1e-5)  # a batch of two
    assert "1 input was skipped" in answers.err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"one.npy\n"), encoding="utf-8"))
    assert main(["predict", "run=run", "input=-"]) == 0
    assert float(capsys.readouterr().out) == of_array
    Path("one.csv").write_text("a,b\n" + "\n".join(f"{a!r},{b!r}" for a, b in samples.tolist()))
    assert main(["predict", "run=run", "input=one.csv"]) == 0
    assert float(capsys.readouterr().out) == pytest.approx(of_array, rel=1e-5)
    assert main(["inspect", "run=run", "num_examples=1"]) == 0
    assert "signal of " in capsys.readouterr().out
    assert list(Path("run/inspect").rglob("*pooling.png"))
    assert '"picture"' in next(Path("run/inspect").rglob("index.html")).read_text()
    assert main(["evaluate", "run=run", "dataset.test=signals.csv"]) == 0
    assert "the mean of train: mse" in capsys.readouterr().out
    assert main(["train", *small, "run_dir=second", "seed=2"]) == 0
    capsys.readouterr()
    assert main(["compare", "run", "second", "format=json", "run_dir=table"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["sections"][0]["configurations"]
    assert row["run_dirs"] == ["run", "second"]
    assert main(["train", *small, "run_dir=other", "dataset.label_column=who"]) == 2
    assert "'p0' is no finite number" in capsys.readouterr().err
