"""A set of Hugging Face `datasets` through a whole run."""

from pathlib import Path

import datasets
import pytest

import attnfocus
from attnfocus.commands.train.command import run as train
from attnfocus.config.overrides import CommandLine

pytestmark = pytest.mark.slow


def test_a_run_on_a_local_set_is_evaluated_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    labels = datasets.ClassLabel(names=["bad", "good"])
    rows = [{"review": f"{labels.names[number % 2]} film {number}", "grade": number % 2} for number in range(80)]
    table = datasets.Dataset.from_list(rows).cast_column("grade", labels)
    datasets.DatasetDict(train=table, test=table.select(range(10))).save_to_disk("set")
    options = ["dataset=hub", "dataset.path=set", "dataset.text_column=review", "dataset.label_column=grade"]
    small = ["model=rnn_classifier", "model.embed_dim=8", "model.hidden_size=8", "trainer.max_steps=2"]
    overrides = [*options, "dataset.test_split=test", *small, "run_dir=run"]
    assert train(CommandLine("train", ()).compose(overrides, resolve=True), overrides) == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    run = attnfocus.load("../run", device="cpu")
    evaluation = run.evaluate("test")
    assert evaluation.extras["labels"] == ["bad", "good"]
    assert len(evaluation.predictions) == 10
