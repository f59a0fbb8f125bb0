"""Inputs of a trained run: when a file is a table, and which of its columns holds them."""

import io
from pathlib import Path
from typing import Any

import pytest

from attnfocus.data.reading.input_layouts import InputLayout, InputOptions, OwnTables, input_layout, table_like
from attnfocus.data.reading.inputs import Input, inputs_of_lines
from attnfocus.errors import ConfigError, DataError

TEXTS = OwnTables(key="dataset.text_column")
PAIRS = OwnTables(key="dataset.source_column")


def laid_out(path: Path, content: str, own: OwnTables, **options: Any) -> InputLayout:
    path.write_text(content, encoding="utf-8")
    return input_layout(str(path), InputOptions(encoding="utf-8", **options), own)


def read(layout: InputLayout) -> list[tuple[str, str]]:
    with layout.open() as inputs:
        return [(each.id, each.text) for each in inputs if each is not None]


@pytest.mark.parametrize(
    ("own", "content", "inputs"),
    [
        (TEXTS, "id,text,label\n1,a,x\n", [("2", "a")]),
        (TEXTS, "a,1\nb,2\n", [("1", "a"), ("2", "b")]),
        (TEXTS, "text\na\n", [("2", "a")]),
        (TEXTS, "title,category\na,x\n", [("2", "a")]),
        (TEXTS, "x;text\n1;a, b\n2;c\n", [("2", "a, b"), ("3", "c")]),
        (PAIRS, "de,en\na,x\n", [("2", "a")]),
        (PAIRS, "de\na\n", [("2", "a")]),
        (PAIRS, "id,source,target\n1,a,x\n", [("2", "a")]),
        (OwnTables(key="dataset.text_column", column="b", train="t.csv"), "a,b\n1,x\n", [("2", "x")]),
        (OwnTables(key="dataset.text_column", column=1, train="t.csv"), "a,b\n1,x\n", [("1", "b"), ("2", "x")]),
        (
            OwnTables(key="dataset.text_column", column=1, train="t.csv", options={"header": True}),
            "a,b\n1,x\n",
            [("2", "x")],
        ),
        (OwnTables(key="dataset.text_column", options={"header": False}), "text\na\n", [("1", "text"), ("2", "a")]),
    ],
)
def test_the_column_is_that_of_the_run_or_what_the_first_row_says(
    tmp_path: Path, own: OwnTables, content: str, inputs: list[tuple[str, str]]
) -> None:
    layout = laid_out(tmp_path / "new.csv", content, own)
    assert read(layout) == inputs
    assert layout.notes[0].startswith(f"{tmp_path / 'new.csv'} is read as csv, its column ")


@pytest.mark.parametrize(
    ("own", "content", "target"),
    [
        (OwnTables(key="dataset.text_column", train="t.csv"), "stars,review,label\n1,a,x\n", "x"),
        (OwnTables(key="dataset.source_column", train="t.csv"), "de,en\na,x\n", "x"),
        (OwnTables(key="dataset.text_column", train="t.csv"), "text\na\n", ""),
        (OwnTables(key="dataset.text_column", column="b", target="a", train="t.csv"), "a,b\nx,1\n", "x"),
        (TEXTS, "text,label\na,x\n", ""),  # of a run without tables of its own
    ],
)
def test_what_is_right_is_read_where_training_would_find_it(
    tmp_path: Path, own: OwnTables, content: str, target: str
) -> None:
    with laid_out(tmp_path / "new.csv", content, own).open() as inputs:
        assert [each.target for each in inputs if each is not None] == [target]


def test_names_of_json_are_taken_where_the_run_has_numbers(tmp_path: Path) -> None:
    numbered = OwnTables(key="dataset.text_column", column=0, train="t.csv")
    assert read(laid_out(tmp_path / "n.jsonl", '{"x": 1, "text": "a"}\n', numbered)) == [("1", "a")]
    dotted = OwnTables(key="dataset.source_column", column="translation.de")
    assert read(laid_out(tmp_path / "d.jsonl", '{"translation": {"de": "a"}}\n', dotted)) == [("1", "a")]


def test_a_table_that_does_not_say_its_column_is_shown(tmp_path: Path) -> None:
    unnamed = OwnTables(key="dataset.text_column", train="t.csv")
    with pytest.raises(ConfigError, match=r"does not say which of its columns is meant.\nIts columns: a \('1'\); b"):
        laid_out(tmp_path / "new.csv", "a,b,c\n1,2,3\n", unnamed)
    assert read(laid_out(tmp_path / "new.csv", "a,b,c\n1,2,3\n", unnamed, column="c")) == [("2", "3")]


@pytest.mark.parametrize(
    ("name", "content", "is_table"),
    [
        ("new.txt", "a b\nc d\n", False),
        ("new", "a\tb\n", False),
        ("new.tsv", "a\tb\n", True),
        ("new.dat", "x\ttext\n1\ta\n", True),
        ("new.dat", "some text\nmore\n", False),
        ("new.dat", "a\tb\n", False),
    ],
)
def test_a_file_is_a_table_by_its_ending_or_by_being_like_that_of_the_run(
    tmp_path: Path, name: str, content: str, is_table: bool
) -> None:
    own = OwnTables(key="dataset.text_column", column="text", train="/data/train.dat")
    try:
        layout = laid_out(tmp_path / name, content, own)
    except ConfigError:  # a table, without that column
        assert is_table
    else:
        assert (layout.table is not None) == is_table


def test_what_was_said_of_the_format_in_training_counts_for_files_of_that_ending(tmp_path: Path) -> None:
    own = OwnTables(key="dataset.text_column", column=0, format="csv", train="/data/train.txt")
    assert read(laid_out(tmp_path / "new.txt", '"a, b",1\n', own)) == [("1", "a, b")]
    assert read(laid_out(tmp_path / "new.lst", '"a, b",1\n', own)) == [("1", '"a, b",1')]


def test_the_first_line_of_a_table_is_known() -> None:
    named = OwnTables(key="dataset.text_column", column="body")
    assert table_like("id,body", named) == "csv"
    assert table_like('"id","body"', named) == "csv"
    assert table_like("id\tbody", named) == "tsv"
    assert table_like('{"id": 1, "body": "x"}', named) == "jsonl"
    assert table_like("nobody, it seems, came", named) is None
    assert table_like("body", named) is None
    assert table_like("{", named) is None


@pytest.mark.parametrize(
    ("content", "encoding", "texts"),
    [
        (b"a\r\nb\n\nc", "utf-8", ["a", "b", "", "c"]),
        ("\ufeffa\n".encode(), "utf-8", ["a"]),
        ("a\n\u5929\n".encode("utf-16"), "utf-8", ["a", "\u5929"]),
        ("\u5929\n".encode("gb18030"), "gb18030", ["\u5929"]),
        (b"", "utf-8", []),
    ],
)
def test_lines_are_decoded_as_files_of_training_are(content: bytes, encoding: str, texts: list[str]) -> None:
    binary: Any = io.BytesIO(content)
    assert [each.text for each in inputs_of_lines(binary, Path("x"), encoding) if each is not None] == texts


def test_bytes_that_cannot_be_decoded_mark_their_line_alone() -> None:
    binary: Any = io.BytesIO(b"a\nb\xff\nc\n")
    first, second, third = (each for each in inputs_of_lines(binary, Path("x"), "utf-8") if each is not None)
    assert (first.problem, third.problem) == (None, None)
    assert second == Input("2", "b\N{REPLACEMENT CHARACTER}", "byte 0xff in column 2 is not utf-8")
    odd: Any = io.BytesIO(b"\xff\xfea\x00\x00")
    with pytest.raises(DataError, match=r"not utf-8 .*encoding="):
        list(inputs_of_lines(odd, Path("x"), "utf-8"))
