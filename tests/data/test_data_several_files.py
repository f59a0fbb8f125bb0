"""`dataset.train` may be a list of files, a pattern or a folder: one split, in one order, every row with its own id."""

from pathlib import Path

import pytest

from attnfocus.data.sources.files import LabelledText, ParallelText
from attnfocus.errors import ConfigError, DataError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("part-10.tsv", "part-2.tsv", "part-1.csv"):
        Path(name).write_text(f"{name}\tx\nmore of {name}\ty\n".replace("\t", "," if "csv" in name else "\t"))
    Path("notes.md").write_text("no table")
    Path(".hidden.tsv").write_text("no table")
    return tmp_path


def ids(train, split: str = "train", **options) -> list[str]:
    rows = LabelledText(train=train, **options).read(Path(), 0).splits[split]
    assert len({row.id for row in rows}) == len(rows)
    return [row.id for row in rows]


PART_2, PART_10 = ["train:part-2.tsv:1", "train:part-2.tsv:2"], ["train:part-10.tsv:1", "train:part-10.tsv:2"]


def test_the_order_is_that_of_the_list_or_of_the_names(folder: Path) -> None:
    assert ids(["part-10.tsv", "part-2.tsv"]) == PART_10 + PART_2
    assert ids("part-*.tsv") == PART_2 + PART_10
    assert ids(str(folder)) == ["train:part-1.csv:1", "train:part-1.csv:2", *PART_2, *PART_10]
    assert ids(["part-10.tsv", "part-*.tsv"]) == PART_10 + PART_2  # each file once
    assert ids("**/part-2.tsv") == ["train:1", "train:2"]  # one file, named as ever
    assert ids(["part-2.tsv"]) == ["train:1", "train:2"]


def test_an_empty_file_says_nothing_about_columns(folder: Path) -> None:
    Path("a.csv").write_text("")
    Path("b.csv").write_text("label,text\nx,good\n")
    rows = LabelledText(train=["a.csv", "b.csv"]).read(Path(), 0).splits["train"]
    assert [(row.id, row.input, row.target) for row in rows] == [("train:b.csv:2", "good", "x")]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder: Path) -> None:
    Path("part-[1].tsv").write_text("a\tx\n")
    assert ids("part-[1].tsv") == ["train:1"]


def test_files_of_one_name_are_told_apart_by_their_folders(folder: Path) -> None:
    for name in ("a", "b"):
        Path(name).mkdir()
        Path(name, "x.tsv").write_text("one\tx\n")
    assert ids("*/x.tsv") == ["train:a/x.tsv:1", "train:b/x.tsv:1"]


def test_bad_rows_and_labels_name_their_file(folder: Path) -> None:
    Path("bad.tsv").write_text("alone\n")
    with pytest.raises(DataError, match=r"the first line of .*/bad.tsv is a single column"):
        ids(["part-2.tsv", "bad.tsv"])
    Path("v1.tsv").write_text("a\tx\n")
    Path("v2.tsv").write_text("a\tz\n")
    with pytest.raises(DataError, match=r"v2.tsv:1:3: label 'z' does not occur in train \(x, y\)"):
        ids("part-2.tsv", valid=["v1.tsv", "v2.tsv"])


def test_a_folder_with_files_of_other_splits_is_refused_with_the_line_to_give(folder: Path) -> None:
    Path("set").mkdir()
    for name in ("train.csv", "dev.csv", "my_test.csv"):
        Path("set", name).write_text("a,x\n")
    with pytest.raises(DataError) as error:
        ids("set")
    assert "holds files of other splits (dev.csv, my_test.csv)" in str(error.value)
    assert "dataset.train=set/train.csv dataset.valid=set/dev.csv dataset.test=set/my_test.csv" in str(error.value)
    assert ids("set/*.csv")  # whoever names a pattern means it


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        ("nothing-*.tsv", r"dataset.train=nothing-\*.tsv: no file fits .*/nothing-\*.tsv"),
        (["part-2.tsv", "no.tsv"], r"dataset.train=no.tsv: .*/no.tsv does not exist"),
        ("[数据.csv,part-2.tsv]", r"a list needs quotes around and inside: \"dataset.train=\['a.csv','b.csv'\]\""),
        ("empty", r"is a folder, not a file, and holds no tables"),
    ],
)
def test_what_is_not_there_is_named(folder: Path, train, expected: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(DataError, match=expected):
        ids(train)
    with pytest.raises(ConfigError, match=r"dataset.train is not given"):
        LabelledText(train=[])


def test_pairs_of_files_belong_together_by_their_places(folder: Path) -> None:
    for n in (1, 2):
        Path(f"s{n}.de").write_text(f"eins {n}\n")
        Path(f"s{n}.en").write_text(f"one {n}\n")
    rows = ParallelText(train="s*.de", train_target=["s1.en", "s2.en"]).read(Path(), 0).splits["train"]
    assert [(row.id, row.input, row.target) for row in rows] == [
        ("train:s1.de:1", "eins 1", "one 1"),
        ("train:s2.de:1", "eins 2", "one 2"),
    ]
    with pytest.raises(DataError, match=r"dataset.train names 2 files and dataset.train_target 1"):
        ParallelText(train="s*.de", train_target="s1.en").read(Path(), 0)
