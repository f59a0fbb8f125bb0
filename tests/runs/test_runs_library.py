"""Three lines of Python do what the command does."""

from pathlib import Path

import pytest
import torch
from tests_support import TINY_DATES, Command, only_run, summary_of

import attnfocus as package
from attnfocus.cli import main
from attnfocus.errors import ConfigError

pytestmark = pytest.mark.slow


def test_a_run_is_loaded_evaluated_and_asked(attnfocus: Command, tmp_path: Path) -> None:
    assert attnfocus("train", *TINY_DATES).returncode == 0
    path = only_run(tmp_path)
    run = package.load(path, device="cpu")
    assert run.evaluate("test").metrics["loss"] == summary_of(path)["test"]["loss"]
    lines = [f"{day} May 1999" for day in range(1, 10)]
    one_by_one = [run.predict([line], batch_size=1) for line in lines]
    together = run.predict(lines, need_weights=True)
    assert [next(answer).text for answer in one_by_one] == [answer.text for answer in together]


def test_the_names_of_the_library_are_listed_before_they_are_loaded() -> None:
    assert set(package.__all__) <= set(dir(package))


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is not a run directory \(it has no config.yaml\)"):
        package.load(tmp_path)


def test_a_run_on_relative_paths_is_evaluated_from_another_folder(attnfocus: Command, tmp_path: Path) -> None:
    lines = [f"{'good' if number % 2 else 'bad'} {number}\t{number % 2}" for number in range(100)]
    (tmp_path / "mine.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    small = ("model.embed_dim=8", "model.hidden_size=8", "trainer.max_steps=2", "focus.num_samples=0")
    done = attnfocus("train", "model=rnn_classifier", "dataset=labelled_text", "dataset.train=mine.tsv", *small)
    assert done.returncode == 0, done.stderr
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    again = attnfocus("evaluate", f"run={only_run(tmp_path)}", cwd=elsewhere)
    assert again.returncode == 0, again.stderr
    assert "true \\ answer" in again.stdout


def test_the_python_of_the_readme_runs(attnfocus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # it saves what it has seen
    assert attnfocus("train", *TINY_DATES).returncode == 0
    page = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0].replace("RUN_DIR", str(only_run(tmp_path)))
    exec(compile(code, "README.md", "exec"), {})


def test_torch_is_told_that_a_run_must_be_deterministic(here: Path) -> None:
    options = [*TINY_DATES, "dataset.languages=[en]", "trainer.max_steps=1", "trainer.deterministic=true"]
    try:
        assert main(["train", "model=seq2seq", *options]) == 0
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
