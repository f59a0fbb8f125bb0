"""Files of data that a command line names and that are not there: all are named, and the way out is said once."""

import re
from pathlib import Path

import pytest
import yaml

from attnfocus.config.folder import shipped_folder
from attnfocus.config.targets import find_target
from attnfocus.data.sources.embedded import EmbeddedSource, without_files
from attnfocus.errors import UserError
from attnfocus.runs.given_files import require_files

LABELLED = {"_target_": "attnfocus.data.LabelledText", "task": "classification"}
DATASETS = shipped_folder() / "dataset"
WAY_OUT = "Give a path that is absolute or relative to the current folder."
SETS = "Sets that need no file: dataset=canvas, dataset=identity, dataset=languages, dataset=listops."


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def said(**values: object) -> str:
    with pytest.raises(UserError) as caught:
        require_files(values)
    return str(caught.value)


def test_one_file_is_answered_with_other_sets_only_where_the_set_is_chosen() -> None:
    for key in ("train", "valid_target", "test"):
        assert said(dataset={**LABELLED, "train": ".", key: "a.csv"}).endswith(f"\n{WAY_OUT} {SETS}")
        assert said(dataset={key: "a.csv"}, run="latest").endswith(f"a.csv does not exist.\n{WAY_OUT}")


def test_sets_that_need_no_file_are_named_by_themselves() -> None:
    assert without_files("translation") == "Sets that need no file: dataset=dates."
    assert "dataset=recall" in without_files("language_modeling")
    named = set(re.findall(r"dataset=(\w+)", without_files()))
    nodes = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in DATASETS.glob("*.yaml")}
    targets = {
        name: node["dataset"]["_target_"] for name, node in nodes.items() if "_target_" in node.get("dataset", {})
    }
    sources = {name: find_target("dataset._target_", target) for name, target in targets.items()}
    made_here = {name for name, each in sources.items() if isinstance(each, type) and issubclass(each, EmbeddedSource)}
    assert named == made_here == {name for name, each in sources.items() if getattr(each, "preset", None) == name}
    assert without_files("tagging") == without_files()


def test_several_files_have_one_way_out(tmp_path: Path) -> None:
    names = {"train": "a.csv", "valid": "b.csv", "test": "c.csv"}
    text = said(dataset={**LABELLED, **names})
    assert text.splitlines() == [
        "3 problems in the configuration:",
        *(f"  dataset.{key}={name}: {tmp_path / name} does not exist." for key, name in names.items()),
        f"{WAY_OUT} {SETS}",
    ]


def test_the_tables_of_each_folder_are_named_once_and_at_the_end(tmp_path: Path) -> None:
    for name in ("other/reviews.csv", "third/rows.csv"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    names = {"train": "third/x.csv", "valid": "other/a.csv", "valid_target": "b", "test": "other/review.csv"}
    lines = said(dataset=names | {"test_target": "other/y.csv"}).splitlines()
    assert [line.strip().partition(" ")[0] for line in lines] == [
        "5",
        "dataset.valid=other/a.csv:",
        "dataset.valid_target=b:",
        "dataset.test=other/review.csv:",
        "dataset.train=third/x.csv:",
        "Tables",
        "dataset.test_target=other/y.csv:",
        "Tables",
    ]
    assert lines[3].endswith("does not exist. Did you mean other/reviews.csv?")
    assert lines[5] == f"Tables in this folder: rows.csv. {WAY_OUT}"
    assert lines[7] == f"Tables in this folder: reviews.csv. {WAY_OUT}"


def test_a_file_and_an_input_are_both_named() -> None:
    text = said(dataset={"test": "a.csv"}, input="b.csv")
    assert "b.csv: file not found" in text
    assert text.endswith(WAY_OUT)
