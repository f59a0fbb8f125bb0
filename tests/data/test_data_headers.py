"""A first row that names the columns is never taken as data without a word, and data never called names lightly."""

import json
from pathlib import Path

import pytest

from attnfocus.data.reading.headers import look_like_names
from attnfocus.data.sources.files import LabelledText, ParallelText
from attnfocus.errors import DataError


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


NUMBERED = {"text_column": 0, "label_column": 1}


def test_names_that_are_read_as_data_are_said_in_one_line_with_the_way_to_use_them(tmp_path: Path) -> None:
    (note,) = notes(tmp_path, ending="csv", options=NUMBERED, train="text,label\ngood,1\nbad,0\n")
    assert note.startswith("warning: train.csv: its first row (text, label)")
    assert "dataset.text_column=text dataset.label_column=label" in note
    assert "\n" not in note
    options = {"source_column": 0, "target_column": 1}
    (note,) = notes(tmp_path, kind=ParallelText, options=options, train="de\ten\na\tb\n")
    assert "dataset.source_column=de dataset.target_column=en" in note


@pytest.mark.parametrize(
    ("header", "labels", "why"),
    [
        ("Bewertung;Urteil", ["gut", "schlecht"], "its label is in no other row"),
        ("review_body,stars", ["1", "2", "3", "4", "5.0", "6"], "its label is no number"),
        ("Bewertung;gut", ["gut", "schlecht"], None),
        ("Ein Satz über einen Film, der gefiel;mittel", ["gut", "schlecht"], None),
    ],
)
def test_a_first_row_whose_label_is_like_no_other_is_said(
    tmp_path: Path, header: str, labels: list[str], why: str | None
) -> None:
    separator = ";" if ";" in header else ","
    rows = "".join(f"film {n}{separator}{labels[n % len(labels)]}\n" for n in range(11))
    said = [note for note in notes(tmp_path, ending="csv", train=f"{header}\n{rows}") if note.startswith("warning")]
    if why is None:
        assert said == []
        return
    (note,) = said
    assert why in note
    assert "dataset.header=true" in note
    data = LabelledText(train=str(tmp_path / "train.csv"), header=True).read(Path(), 0)
    assert len(data.splits["train"]) == 11
    assert not [note for note in data.notes if note.startswith("warning")]
    (note,) = notes(tmp_path, ending="csv", train=f"{header}\n{rows}", valid=rows)[-1:]
    assert "If it names the columns, remove it" in note


def test_languages_in_their_own_words_are_said(tmp_path: Path) -> None:
    (note,) = notes(tmp_path, kind=ParallelText, train="Deutsch\tenglish\nein Film\ta film\n")
    assert "dataset.header=true" in note
    assert notes(tmp_path, kind=ParallelText, train="eins\tenglish\nein Film\ta film\n") == []


def test_the_columns_asked_for_are_named_wherever_they_stand(tmp_path: Path) -> None:
    options = {"text_column": 2, "label_column": 1}
    (note,) = notes(tmp_path, options=options, train="id\tlabel\ttext\n1\ta\tx\n2\tb\ty\n")
    assert "dataset.text_column=text dataset.label_column=label" in note


def test_one_warning_serves_all_files_and_using_it_ends_it(tmp_path: Path) -> None:
    files = {"train": "text\tlabel\ngood\t1\nbad\t0\n", "valid": "text\tlabel\nfine\t1\n"}
    assert len(notes(tmp_path, options=NUMBERED, **files)) == 1
    assert notes(tmp_path, options={"text_column": "text", "label_column": "label"}, **files) == []
    assert notes(tmp_path, options={**NUMBERED, "header": True}, **files) == []
    assert notes(tmp_path, options={"header": False}, **files) == []


def test_a_first_row_that_only_some_files_have_is_to_be_removed(tmp_path: Path) -> None:
    (note,) = notes(tmp_path, train="good\tlabel\nbad\t0\n", valid="text\tlabel\nfine\t0\n")
    assert note.startswith("warning: valid.tsv")
    assert "Remove it" in note
    assert "dataset.text_column" not in note


@pytest.mark.parametrize(
    ("kind", "header", "columns"),
    [
        (LabelledText, "text,label", ("text", "label")),
        (LabelledText, "label,id,text", ("text", "label")),
        (LabelledText, "title,Text,label,label_name", ("Text", "label")),
        (LabelledText, "review,sentiment", ("review", "sentiment")),
        (LabelledText, "标签,文本", ("文本", "标签")),
        (LabelledText, "Source,Target", ("Source", "Target")),
        (ParallelText, "source,target", ("source", "target")),
        (ParallelText, "tgt,src", ("src", "tgt")),
        (ParallelText, "id,en,de", ("en", "de")),
        (ParallelText, "Deutsch,source,target", ("source", "target")),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_columns_that_the_first_row_names_are_used_and_said(
    tmp_path: Path, kind: type, header: str, columns: tuple[str, str], ending: str
) -> None:
    names = header.split(",")
    rows = [{name: f"{name} {n}" for name in names} for n in range(3)]
    lines = [header, *(",".join(row.values()) for row in rows)] if ending == "csv" else map(json.dumps, rows)
    path = tmp_path / f"t.{ending}"
    path.write_text("\n".join(lines), encoding="utf-8")
    data = kind(train=str(path)).read(Path(), 0)
    read = [(row.input, row.target) for row in data.splits["train"]]
    assert read == [(row[columns[0]], row[columns[1]]) for row in rows]
    (note,) = data.notes
    assert all(f"_column={column}" in note for column in columns)


@pytest.mark.parametrize(
    "header",
    [
        ["good film", "pos"],
        ["text", "text"],
        ["id", "text"],  # the second is the text, and none is the label
    ],
)
def test_a_first_row_that_does_not_say_which_is_data(tmp_path: Path, header: list[str]) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("\n".join("\t".join(row) for row in (header, ["x"] * len(header))))
    rows = LabelledText(train=str(path)).read(Path(), 0).splits["train"]
    assert [(row.input, row.target) for row in rows] == [(header[0], header[1]), ("x", "x")]


def test_of_more_than_two_columns_none_is_guessed(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,reviews.text,stars\n1,good,5\n2,bad,1\n", encoding="utf-8")
    with pytest.raises(DataError) as error:
        LabelledText(train=str(path)).read(Path(), 0)
    lines = str(error.value).splitlines()
    assert lines[0].startswith("dataset.text_column and dataset.label_column: not given, and ")
    assert lines[1] == "They are: 0 ('id', '1', '2'); 1 ('reviews.text', 'good', 'bad'); 2 ('stars', '5', '1')."
    assert "dataset.text_column=NUMBER (or a NAME of the first row)" in lines[2]
    rows = LabelledText(train=str(path), text_column="reviews.text", label_column="stars").read(Path(), 0).splits
    assert [row.target for row in rows["train"]] == ["5", "1"]


def test_a_first_row_in_another_encoding_is_answered_by_the_encoding(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("编号,内容,类别\n1,好,a\n".encode("gb18030"))
    told = r"t.csv:1:1: byte 0xb1 is not utf-8\nRead as gb18030, it says .*add dataset.encoding=gb18030"
    with pytest.raises(DataError, match=told):
        LabelledText(train=str(path), on_bad_row="skip").read(Path(), 0)
    rows = LabelledText(train=str(path), encoding="gb18030").read(Path(), 0).splits["train"]
    assert [(row.input, row.target) for row in rows] == [("好", "a")]


def test_columns_that_are_given_by_number_stay_data(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("text\tlabel\ngood\t1\n", encoding="utf-8")
    for options in (NUMBERED, {"label_column": 1}, {"header": False}):
        rows = LabelledText(train=str(path), **options).read(Path(), 0).splits["train"]
        assert [(row.input, row.target) for row in rows] == [("text", "label"), ("good", "1")]


def test_one_name_that_is_given_goes_with_the_other_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,opinion,label\n1,good,a\n", encoding="utf-8")
    rows = LabelledText(train=str(path), text_column="opinion").read(Path(), 0).splits["train"]
    assert [(row.input, row.target) for row in rows] == [("good", "a")]
    path.write_text("a,b\nx,y\n", encoding="utf-8")
    source = LabelledText(train=str(path), text_column="a", header=True)
    with pytest.raises(DataError, match=r"dataset.label_column: not given, .*\nThey are: a \('x'\); b \('y'\)."):
        source.read(Path(), 0)


def test_named_values_without_known_names_show_three_short_values_each(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    rows = [
        {"tweet": f"a long text {n} that nobody wants to see whole", "stance": n, "more": list(range(99))}
        for n in range(9)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(DataError) as error:
        LabelledText(train=str(path)).read(Path(), 0)
    lines = str(error.value).splitlines()
    assert lines[0].startswith("dataset.text_column and dataset.label_column: not given")
    assert (
        "tweet ('a long text 0 tha...', 'a long text 1 tha...', 'a long text 2 tha...'); stance ('0', '1', '2')"
        in lines[1]
    )
    assert lines[2] == "Give dataset.text_column=NAME and dataset.label_column=NAME."
    assert len(str(error.value)) < 600
