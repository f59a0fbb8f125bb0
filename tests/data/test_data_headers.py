"""A first row that names the columns is never taken as data without a word, and data never called names lightly."""

from pathlib import Path

import pytest

from attnfocus.data.reading.headers import look_like_names
from attnfocus.data.sources.files import LabelledText, ParallelText


def notes(folder: Path, *, kind: type = LabelledText, ending: str = "tsv", options: dict | None = None, **files: str):
    """What is noted of a set of tables, given as split -> text."""
    paths = {}
    for split, text in files.items():
        path = folder / f"{split}.{ending}"
        path.write_text(text, encoding="utf-8")
        paths[split] = str(path)
    return kind(**paths, **(options or {})).read(Path(), 0).notes


@pytest.mark.parametrize(
    "cells",
    [
        ("text", "label"),
        ("Text", "Label"),
        ("review_text", "airline_sentiment"),
        ("source", "target"),
        ("de", "en"),
        ("English", "Chinese"),
        ("文本", "标签"),
        ("label", "sentence1"),
    ],
)
def test_names_that_people_give_to_columns_are_known(cells: tuple[str, str]) -> None:
    assert look_like_names(cells)


@pytest.mark.parametrize(
    "cells",
    [
        (),
        ("good", "1"),
        ("text", "1"),
        ("The text", "positive"),
        ("text message received", "spam"),
        ("label", "Label"),  # the same word on both sides: a dictionary
        ("", "label"),
        ("1", "2"),
        ("这部电影很好", "正面"),
        ("eins", "one"),
    ],
)
def test_data_are_not_taken_for_names(cells: tuple[str, ...]) -> None:
    assert not look_like_names(cells)


def test_names_that_are_read_as_data_are_said_in_one_line_with_the_way_to_use_them(tmp_path: Path) -> None:
    (note,) = notes(tmp_path, ending="csv", train="text,label\ngood,1\nbad,0\n")
    assert note.startswith("warning: train.csv: its first row (text, label)")
    assert "dataset.text_column=text dataset.label_column=label" in note
    assert "\n" not in note
    (note,) = notes(tmp_path, kind=ParallelText, train="de\ten\na\tb\n")
    assert "dataset.source_column=de dataset.target_column=en" in note


def test_the_columns_asked_for_are_named_wherever_they_stand(tmp_path: Path) -> None:
    options = {"text_column": 2, "label_column": 1}
    (note,) = notes(tmp_path, options=options, train="id\tlabel\ttext\n1\ta\tx\n2\tb\ty\n")
    assert "dataset.text_column=text dataset.label_column=label" in note


def test_one_warning_serves_all_files_and_using_it_ends_it(tmp_path: Path) -> None:
    files = {"train": "text\tlabel\ngood\t1\nbad\t0\n", "valid": "text\tlabel\nfine\t1\n"}
    assert len(notes(tmp_path, **files)) == 1
    assert notes(tmp_path, options={"text_column": "text", "label_column": "label"}, **files) == []
    assert notes(tmp_path, options={"header": True}, **files) == []
    assert notes(tmp_path, options={"header": False}, **files) == []


def test_a_first_row_that_only_some_files_have_is_to_be_removed(tmp_path: Path) -> None:
    (note,) = notes(tmp_path, train="good\tlabel\nbad\t0\n", valid="text\tlabel\nfine\t0\n")
    assert note.startswith("warning: valid.tsv")
    assert "Remove it" in note
    assert "dataset.text_column" not in note


def test_what_is_read_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("text\tlabel\ngood\t1\n", encoding="utf-8")
    rows = LabelledText(train=str(path)).read(Path(), 0).splits["train"]
    assert [(row.input, row.target) for row in rows] == [("text", "label"), ("good", "1")]
