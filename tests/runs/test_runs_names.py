"""A run is named in Python as on the command line."""

import shutil
from pathlib import Path

import pytest

import attnfocus
from attnfocus.errors import ConfigError
from attnfocus.runs.claim import new_run_dir

FIXTURE = Path(__file__).parent / "fixtures" / "run-format-1"


def test_latest_and_a_part_of_a_name_load_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "outputs" / "2026-11-30" / "10-00-00_old_a123"
    run.parent.mkdir(parents=True)
    shutil.copytree(FIXTURE, run)
    monkeypatch.chdir(tmp_path)
    assert attnfocus.load("latest").path == run
    assert attnfocus.load("a123").path == run
    with pytest.raises(ConfigError, match="no run below outputs has b999 in its name"):
        attnfocus.load("b999")


def test_no_new_name_of_a_run_is_a_number(tmp_path: Path) -> None:
    names = [new_run_dir(None, str(tmp_path), "model").name.rpartition("_")[2] for _ in range(40)]
    assert all(name[0] in "abcdef" and len(name) == 4 for name in names)


def test_overrides_are_a_list_of_texts() -> None:
    with pytest.raises(ConfigError, match=r"Write overrides=\['trainer.max_steps=5'\]"):
        attnfocus.train(overrides={"trainer.max_steps": 5})  # type: ignore[arg-type]
