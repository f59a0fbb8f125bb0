"""docs/models.md: the model of its example is trained, measured, inspected and loaded in a user's folder."""

import json
import re
from pathlib import Path

import pytest
from tests_support import Command, assert_polite, only_run

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
TINY = (
    "dataset.num_train=200",
    "dataset.num_valid=40",
    "dataset.num_test=40",
    "dataset.tokenizer.vocab_size=200",
    "dataset.languages=[de,fr]",
    "dataset.num_names=2",
    "trainer.max_steps=3",
    "trainer.max_epochs=null",
    "model.embed_dim=16",
    "focus.num_samples=1",
)


def block(language: str) -> str:
    """The one block of the page in this language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_example_trains_and_its_oddly_named_attentions_are_measured(attnfocus: Command, tmp_path: Path) -> None:
    (tmp_path / "my_models.py").write_text(block("python"), encoding="utf-8")
    (tmp_path / "my_configs" / "model").mkdir(parents=True)
    (tmp_path / "my_configs" / "model" / "blocks.yaml").write_text(block("yaml"), encoding="utf-8")
    trusted = ("trust=[my_models]",)
    command = ("train", "--config-dir", "my_configs", *trusted, "model=blocks", "attention=multi_head", *TINY)
    own = {"PYTHONPATH": f"{PAGE.parents[1]}:{tmp_path}"}
    done = attnfocus(*command, "focus.entropy.weight=0.1", "focus.entropy.attentions=[reader]", **own)
    assert done.returncode == 0, done.stderr
    assert "'trust=[my_models]'" in done.stdout + done.stderr  # the lines to copy work as they stand
    run = only_run(tmp_path)
    heads = json.loads((run / "summary.json").read_text(encoding="utf-8"))["test"]["focus_heads"]
    assert list(heads) == ["blocks.0.mixer", "blocks.1.mixer", "reader"]
    assert "distance" in heads["blocks.0.mixer"]
    assert "distance" not in heads["reader"]
    choice = ("layer=blocks.0.mixer", "method=[attention,attention_rollout]", "text=Anna Schmidt", "output=out")
    done = attnfocus("inspect", f"run={run}", *trusted, *choice, **own)
    assert done.returncode == 0, done.stderr
    assert "attention, blocks.0.mixer" in done.stdout
    (example,) = json.loads((tmp_path / "out" / "inspect.json").read_text(encoding="utf-8"))["examples"]
    (shown, rollout) = example["maps"]
    assert shown["queries"] == shown["keys"] == rollout["keys"]

    (tmp_path / "my_models.py").write_text(block("python").replace("(Classifier)", "(nn.Module)"), encoding="utf-8")
    done = attnfocus(*command, **own)
    assert_polite(done, 2)
    assert "my_models.BlockClassifier is no model" in done.stderr
    assert "attnfocus.models.base.Classifier" in done.stderr
