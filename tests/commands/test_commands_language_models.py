"""A language model through the real command: trained, gone on with, looked into, compared."""

import json
from pathlib import Path

import pytest
from tests_support import Command, summary_of

TINY = (
    "dataset.num_train=64",
    "dataset.num_valid=8",
    "dataset.num_test=8",
    "model.embed_dim=16",
    "trainer.max_epochs=2",
    "trainer.batch_size=16",
    "focus.num_samples=0",
)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["language_model", "rnn_language_model"])
def test_a_run_trains_resumes_writes_and_shows_where_it_looked(model: str, attnfocus: Command, tmp_path: Path) -> None:
    given = (f"model={model}", *TINY, "scheduler=constant")
    done = attnfocus("train", *given, "run_dir=whole", "report=true")
    assert done.returncode == 0, done.stderr
    assert "alignment error rate" in done.stderr
    run = tmp_path / "whole"
    summary = summary_of(run)
    assert set(summary["test"]) >= {"loss", "perplexity", "accuracy", "exact_match", "alignment_error_rate"}
    assert (run / "report.html").exists()

    halted = attnfocus("train", *given, "trainer.max_epochs=1", "run_dir=half")
    assert halted.returncode == 0, halted.stderr
    again = attnfocus("train", "resume=half", "trainer.max_epochs=2")
    assert again.returncode == 0, again.stderr
    assert summary_of(tmp_path / "half")["test"] == summary["test"]

    evaluated = attnfocus("evaluate", f"run={run}", "format=json")
    assert json.loads(evaluated.stdout)["metrics"]["loss"] == summary["test"]["loss"]
    answers = attnfocus("predict", f"run={run}", input="k1 v2 k3 v4 k1\nk3 v4\n")
    assert answers.returncode == 0, answers.stderr
    assert [len(line.split()) for line in answers.stdout.splitlines()] == [1, 1]  # the token that is asked
    looked = attnfocus("inspect", f"run={run}", "num_examples=1", "format=json")
    assert looked.returncode == 0, looked.stderr
    assert list(run.glob("inspect/*/index.html"))

    named = json.loads((run / "heads.json").read_text(encoding="utf-8"))
    kinds = {
        name: [head["kind"] for head in named["heads"] if head["attention"] == name]
        for name in summary["test"]["head_kinds"]
    }
    assert kinds == summary["test"]["head_kinds"]
    assert json.loads(looked.stdout)["head_kinds"] == kinds
    cost = attnfocus("evaluate", f"run={run}", "heads=true", "heads_examples=3")
    assert cost.returncode == 0, cost.stderr
    assert "first 3 examples of test (loss" in cost.stdout
    saved = json.loads((run / "heads.json").read_text(encoding="utf-8"))
    assert all(set(head["costs"]) == {"loss", "exact_match"} for head in saved["heads"])
    assert saved["step"] == named["step"]
    pair = ("text=k1 v2 k3", "corrupted=k1 v2 v4", f"output={tmp_path / 'pair'}")
    patched = attnfocus("inspect", f"run={run}", *pair, "files=[html,png,json,csv]")
    assert patched.returncode == 0, patched.stderr
    assert "patch heads" in patched.stdout
    assert "less" in patched.stdout
    facts = json.loads((tmp_path / "pair" / "inspect.json").read_text(encoding="utf-8"))
    maps = {each["method"]: each for each in facts["examples"][0]["maps"]}
    assert set(maps) == {"patch_heads", "patch_positions", "patch_states"}
    assert maps["patch_positions"]["keys"] == ["<bos>", "k1", "v2", "k3/v4"]
    assert len(maps["patch_heads"]["weights"][0]) == len(kinds)
    for given, said in (
        (("text=k1", "method=patch_heads"), "corrupted='...'"),
        (("text=k1", "corrupted=k1 v2"), "corrupted: has 3 tokens, and the clean text 2"),
        (("text=k1", "corrupted=v2", "minus=1"), "corrupted and minus: choose one"),
        (("corrupted=v2",), "goes with one text="),
    ):
        refused = attnfocus("inspect", f"run={run}", *given)
        assert refused.returncode == 2
        assert said in refused.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("attention=coverage",), "goes by the steps of a decoder through a source"),
        (("attention=linformer",), "must not look ahead"),
        (("attention=local", "attention.pattern.axes=2"), "axes=2 is for images"),
        (("dataset=dates",), "language_model does language_modeling and ranking, but dataset dates is for translation"),
        (("decoding.replace_unknown=true",), "copies words of a source, which a language model has not"),
        (("focus.coverage.weight=0.1",), "language_modeling has no decoder"),
        (("trainer.class_weights=balanced",), "is for classification"),
    ],
)
def test_what_a_language_model_cannot_do_is_refused(given: tuple[str, ...], said: str, attnfocus: Command) -> None:
    refused = attnfocus("train", "model=language_model", *given)
    assert refused.returncode == 2
    assert said in refused.stderr
