"""Three lines of Python do what the command does."""

from pathlib import Path

import pytest
from tests_support import TINY_DATES, Command, only_run, summary_of

import attnfocus as package
from attnfocus.errors import ConfigError


def test_a_run_is_loaded_evaluated_and_asked(attnfocus: Command, tmp_path: Path) -> None:
    assert attnfocus("train", *TINY_DATES).returncode == 0
    path = only_run(tmp_path)
    run = package.load(path, device="cpu")
    assert run.evaluate("test").metrics["loss"] == summary_of(path)["test"]["loss"]
    lines = [f"{day} May 1999" for day in range(1, 10)]
    one_by_one = [run.predict([line], batch_size=1) for line in lines]
    together = run.predict(lines, need_weights=True)
    assert [next(answer).text for answer in one_by_one] == [answer.text for answer in together]


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is not a run directory \(it has no config.yaml\)"):
        package.load(tmp_path)
