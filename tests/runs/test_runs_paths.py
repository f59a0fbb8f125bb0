"""Where paths stand: whole in config.yaml, and nobody's home in what is given away."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from tests_support import Command

from attnfocus.config.read import load_yaml
from attnfocus.files import path_from, short_path

SAVED = Path(__file__).parent / "fixtures" / "run-format-1"


def test_a_run_of_files_is_evaluated_from_any_folder(attnfocus: Command, tmp_path: Path) -> None:
    (tmp_path / "rows.tsv").write_text("".join(f"a b {n}\tc d\n" for n in range(30)), encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    sizes = ("model.embed_dim=8", "model.hidden_size=8", "decoding.max_length=4", "focus.num_samples=0")
    options = ("dataset=parallel_text", "dataset.train=rows.tsv", "model=seq2seq", "trainer.max_steps=1", "run_dir=run")
    done = attnfocus("train", *options, *sizes)
    assert done.returncode == 0, done.stderr
    assert load_yaml(tmp_path / "run" / "config.yaml")["dataset"]["train"] == str(tmp_path / "rows.tsv")
    done = attnfocus("evaluate", "run=../run", "split=train", cwd=tmp_path / "elsewhere")
    assert done.returncode == 0, done.stderr


def test_what_is_given_away_tells_no_home(attnfocus: Command, tmp_path: Path) -> None:
    home = tmp_path / "home" / "me"
    run = Path(shutil.copytree(SAVED, home / "runs" / "one"))
    other = Path(shutil.copytree(SAVED, home / "runs" / "two"))
    shown = attnfocus("inspect", f"run={run}", "num_examples=1", "output=pages", cwd=home, HOME=str(home))
    assert shown.returncode == 0, shown.stderr
    done = attnfocus("compare", str(run), str(other), "run_dir=found", cwd=home, HOME=str(home))
    assert done.returncode == 0, done.stderr
    written = [*(home / "pages").iterdir(), *(home / "found").iterdir()]
    assert {"index.html", "inspect.json", "results.csv", "results.json", "compare.png"} <= {p.name for p in written}
    for path in written:
        if path.name != "compare.yaml":  # a configuration, which has whole paths
            assert str(home).encode() not in path.read_bytes(), path
    (row,) = csv.DictReader((home / "found" / "results.csv").read_text(encoding="utf-8").splitlines())
    assert (home / "found" / row["run_dirs"]).resolve() == run
    left_out = json.loads((home / "found" / "results.json").read_text(encoding="utf-8"))["left_out"]
    assert left_out == {"../runs/two": "same configuration and seed 1 as ~/runs/one"}


def test_paths_are_named_as_from_a_folder_and_from_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert path_from(Path("/runs/sweep"), Path("/runs/sweep/0_a")) == "0_a"
    assert path_from(Path("/runs/found"), Path("/runs/one")) == "../one"
    assert short_path(Path("/home/me/runs/one")) == "~/runs/one"
    assert short_path(Path("/home/metoo/one")) == "/home/metoo/one"
