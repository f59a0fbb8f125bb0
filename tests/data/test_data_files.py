"""A user's own files: what is read, and what is said of files that cannot be."""

import contextlib
import csv
import gzip
import io
import json
import string
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from attnfocus.data.clean import CleanOptions
from attnfocus.data.codecs.text_label import TextLabelCodec
from attnfocus.data.codecs.text_pair import TextPairCodec
from attnfocus.data.preparation import CodecChoice, DatasetOptions, prepare
from attnfocus.data.reading.data_files import MissingFileError, find_files, tables_here
from attnfocus.data.reading.lines import ARCHIVE_MARKS, TABLE_MARKS, BadRows, read_lines
from attnfocus.data.reading.tables import Table, table_format
from attnfocus.data.sources.files import LabelledText, ParallelText
from attnfocus.data.split import SplitOptions
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.errors import ConfigError, DataError


def write(path: Path, content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def pairs(source: ParallelText, split: str = "train") -> list[tuple[str, str]]:
    return [(str(row.input), row.target) for row in source.read(Path(), 0).splits[split]]


def message(source: ParallelText | LabelledText) -> str:
    with pytest.raises(DataError) as caught:
        source.read(Path(), 0)
    text = str(caught.value)
    assert len(text.splitlines()) <= 5
    return text


@pytest.mark.parametrize("name", ["rows.tsv", "rows.tsv.gz", "rows.txt", "rows"])
def test_tab_separated_tables_are_read_whatever_their_ending(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, 'ein "Haus\ta house\r\nzwei\ttwo')
    assert pairs(ParallelText(train=path)) == [('ein "Haus', "a house"), ("zwei", "two")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", 'id,de,en\n1,"ein, zwei","one, ""two"""\n2,"drei\nvier",five\n'),
        ("t.csv.gz", 'id,de,en\r\n1,"ein, zwei","one, ""two"""\r\n2,"drei\r\nvier",five\r\n'),
        ("t.tsv", 'id\tde\ten\n1\tein, zwei\tone, "two"\n\n2\tdrei vier\tfive\n'),
        ("t.jsonl", '{"en": "one, \\"two\\"", "de": "ein, zwei"}\n{"de": "drei\\nvier", "en": "five", "x": null}\n'),
    ],
)
def test_columns_are_found_by_name_in_every_format(tmp_path: Path, name: str, content: str) -> None:
    source = ParallelText(train=write(tmp_path / name, content), source_column="de", target_column="en")
    assert pairs(source) == [("ein, zwei", 'one, "two"'), ("drei vier", "five")]


def test_a_header_beside_numbered_columns_can_be_skipped(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", "en\tde\none\teins\n")
    assert pairs(ParallelText(train=path, source_column=1, target_column=0, header=True)) == [("eins", "one")]
    assert len(pairs(ParallelText(train=path, header=False))) == 2


def test_two_files_are_paired_line_by_line(tmp_path: Path) -> None:
    source, target = write(tmp_path / "a.de", "eins\nzwei\u2028drei\n"), write(tmp_path / "a.en.gz", "one\ntwo\n")
    valid = write(tmp_path / "v.tsv", "vier\tfour\n")
    data = ParallelText(train=source, train_target=target, valid=valid).read(Path(), 0)
    assert [row.id for row in data.splits["train"]] == ["train:1", "train:2"]
    assert [row.target for row in data.splits["valid"]] == ["four"]
    assert data.splits["train"][1].input == "zwei\u2028drei"  # a line ends at a line feed and nowhere else


def test_other_encodings_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    latin = write(tmp_path / "l.tsv", "caf\xe9\tcoffee\n".encode("latin-1"))
    assert pairs(ParallelText(train=latin, encoding="latin-1")) == [("café", "coffee")]
    wide = write(tmp_path / "w.tsv", "你好\thello\n".encode("utf-16"))
    assert pairs(ParallelText(train=wide, encoding="utf-16")) == [("你好", "hello")]
    marked = write(tmp_path / "m.csv", b"\xef\xbb\xbfde,en\neins,one\n")
    assert pairs(ParallelText(train=marked, source_column="de", target_column="en")) == [("eins", "one")]


field = st.text(st.sampled_from(string.ascii_letters + " ,;\"\t'äß你"), min_size=1).filter(str.strip)


@given(st.lists(st.tuples(field, field), min_size=1, max_size=8))
def test_whatever_csv_and_json_write_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    folder = tmp_path_factory.mktemp("tables")
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    assert pairs(ParallelText(train=write(folder / "t.csv", text.getvalue()))) == rows
    lines = "\n".join(json.dumps({"a": a, "b": b}) for a, b in rows)
    path = write(folder / "t.jsonl", lines)
    assert pairs(ParallelText(train=path, source_column="a", target_column="b")) == rows


def test_bad_rows_are_named_by_file_line_and_column(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", b"eins\tone\nzwei\n\tthree\nvier\tf\xff\xfeur\nf\xc3\xbcnf\tfive\tx\nsechs\t \n")
    text = message(ParallelText(train=path))
    assert "5 bad rows, the first 3 of them:" in text
    assert f"{path}:2:5: 1 columns, where the first row has 2" in text
    assert f"{path}:3:1: column 0 is empty" in text
    assert f"{path}:4:7: byte 0xff is not utf-8" in text
    assert "dataset.on_bad_row=skip" in text


@pytest.mark.parametrize(
    ("name", "content", "place", "reason"),
    [
        ("t.csv", 'a,b\nx,"two\nlines"\n"y\nz",\n', "5:4", "column 'b' is empty"),
        ("t.csv", 'a,b\nx,y\nz,"never closed\nq,r\n', "3:1", "not valid csv"),
        ("t.jsonl", '{"a": "x", "b": "y"}\n{"a": "x", "b" "y"}\n', "2:16", "delimiter"),
        ("t.jsonl", '{"a": "x"}\n', "1:1", "no 'b' among its keys 'a'"),
        ("t.jsonl", '{"a": "x", "b": ["y"]}\n', "1:1", "'b' must be a text, got [\"y\"]"),
        ("t.jsonl", '{"a": "x", "b": "\\ud800"}\n', "1:1", "half a surrogate pair"),
        ("t.jsonl", "[1]\n", "1:1", "not a JSON object"),
        ("t.jsonl", "[" * 100_000 + "\n", "1:1", "nested too deep"),
        ("t.jsonl", b'{"a": "x", "b": "\xff"}\n', "1:18", "byte 0xff is not utf-8"),
    ],
)
def test_each_format_places_its_bad_rows(
    tmp_path: Path, name: str, content: str | bytes, place: str, reason: str
) -> None:
    path = write(tmp_path / name, content)
    text = message(ParallelText(train=path, source_column="a", target_column="b"))
    assert f"1 bad row:\n  {path}:{place}: " in text
    assert reason in text


def test_bad_rows_can_be_skipped_and_are_then_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", b"eins\tone\nzwei\n\xff\tthree\nvier\tfour\n")
    data = ParallelText(train=path, on_bad_row="skip").read(Path(), 0)
    assert [row.id for row in data.splits["train"]] == ["train:1", "train:4"]
    assert data.notes == [f"2 bad rows skipped, the first: {path}:2:5: 1 columns, where the first row has 2"]


def test_files_of_different_length_are_refused_even_when_skipping(tmp_path: Path) -> None:
    source, target = write(tmp_path / "a.de", "a\nb\nc\n"), write(tmp_path / "a.en", "a\nb\n")
    text = message(ParallelText(train=source, train_target=target, on_bad_row="skip"))
    assert f"{source} has 3 lines and {target} has 2" in text
    assert f"{source}:3:1" in text


def test_an_empty_side_of_a_line_pair_is_a_bad_row(tmp_path: Path) -> None:
    source, target = write(tmp_path / "a.de", "a\n\nc\n"), write(tmp_path / "a.en", "a\nb\n  \n")
    text = message(ParallelText(train=source, train_target=target))
    assert f"{source}:2:1: empty line" in text
    assert f"{target}:3:1: empty line" in text


def test_a_missing_file_names_key_and_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    train = write(tmp_path / "t.tsv", "a\tb\n")
    text = message(ParallelText(train=train, valid="no such.tsv"))
    assert text.startswith(f"dataset.valid=no such.tsv: {tmp_path / 'no such.tsv'} does not exist")
    assert text.endswith(
        "Tables in this folder: t.tsv. Give a path that is absolute or relative to the current folder."
    )
    (tmp_path / "empty").mkdir()
    assert "is a folder, not a file, and holds no tables" in message(ParallelText(train=str(tmp_path / "empty")))
    assert "dataset.train_target=x: " in message(ParallelText(train=train, train_target="x"))


@pytest.mark.parametrize(
    ("there", "missing", "near"),
    [
        (["train.py"], "train.csv", ""),
        (["train.py", "train.tsv"], "train.csv", "train.tsv"),
        (["train.tsv", "train.csv.gz"], "trian.csv.gz", "train.csv.gz"),
        (["corpus.de", "corpus.en"], "corpsu.en", "corpus.en"),
        (["corpus", "corpus.log"], "corpsu", "corpus"),
        (["reviews.csv"], "prices.csv", ""),
        (["reviews.jsonl", "reviews.csv"], "review.csv", "reviews.csv"),
    ],
)
def test_a_missing_file_is_answered_by_a_near_one_that_may_hold_data(
    tmp_path: Path, there: list[str], missing: str, near: str
) -> None:
    for name in there:
        (tmp_path / name).touch()
    with pytest.raises(MissingFileError) as caught:
        find_files(str(tmp_path / missing), "dataset.train")
    assert caught.value.near == (str(tmp_path / near) if near else "")
    assert ("Did you mean" in str(caught.value)) == bool(near)


def test_a_folder_that_cannot_be_listed_is_no_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv").touch()

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(MissingFileError, match="does not exist"):
        find_files(str(tmp_path / "s.csv"), "dataset.train")
    with pytest.raises(DataError, match="cannot be listed: Permission denied"):
        find_files(str(tmp_path), "dataset.train")
    assert tables_here(tmp_path) == []


def test_a_missing_column_names_what_there_is(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "de,en\neins,one\n")
    text = message(ParallelText(train=path, source_column="de", target_column="fr"))
    assert "dataset.target_column=fr: not in the first line" in text
    assert "Its columns: de ('eins'); en ('one')" in text
    text = message(ParallelText(train=path, target_column=7))
    assert "dataset.target_column=7: " in text
    assert "0 ('de', 'eins'); 1 ('en', 'one')" in text


@pytest.mark.slow
def test_damaged_and_explosive_gzip_files_are_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b"%d\tx\n" % number for number in range(2000)))
    cut = tmp_path / "cut.tsv.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    assert "not a whole gzip file" in message(ParallelText(train=str(cut)))
    plain = tmp_path / "plain.tsv.gz"
    plain.write_text("a\tb\n")
    assert "not a whole gzip file" in message(ParallelText(train=str(plain)))
    bomb = tmp_path / "bomb.tsv.gz"
    with gzip.open(bomb, "wb", compresslevel=6) as file:
        for _ in range(101):
            file.write(b"a\t" + b"b" * 999_997 + b"\n")
    assert "unpacks to more than 200 times its size" in message(ParallelText(train=str(bomb)))
    endless = write(tmp_path / "endless.tsv", "x" * 10_000_001)
    assert "a line of more than 10000000 characters" in message(ParallelText(train=endless))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "dataset.train is not given"),
        ({"train": "a", "test_target": "b"}, "dataset.test_target is given without dataset.test"),
        ({"train": "a", "encoding": "utf-9"}, "dataset.encoding=utf-9"),
        ({"train": "a", "encoding": "base64"}, "dataset.encoding=base64"),
        ({"train": "a", "source_column": "de", "target_column": 1}, "both columns by name, or both by number"),
        ({"train": "a", "source_column": -1}, "counted from 0"),
        ({"train": "a", "source_column": 1}, "are the same column, 1"),
        ({"train": "a", "source_column": "a", "target_column": "b", "header": False}, "have no names"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_before_a_file_is_opened(options: dict, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        ParallelText(**options)


def test_numbered_columns_of_jsonl_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", '{"a": "b"}\n')
    text = message(ParallelText(train=path, source_column=0))
    assert "have names, not numbers" in text
    assert "a ('b')" in text


def test_labelled_texts_are_read_with_labels_of_any_type(tmp_path: Path) -> None:
    train = write(tmp_path / "t.jsonl", '{"t": "good", "l": 1}\n{"t": "bad", "l": 0}\n')
    valid = write(tmp_path / "v.jsonl", '{"t": "fine", "l": "1"}\n')
    source = LabelledText(train=train, valid=valid, text_column="t", label_column="l")
    splits = source.read(Path(), 0).splits
    assert [(row.input, row.target) for row in splits["train"]] == [("good", "1"), ("bad", "0")]
    assert splits["valid"][0].target == "1"


@pytest.mark.parametrize(("name", "place"), [("v.tsv", "2:5"), ("v.csv", "2:5")])
def test_a_label_that_train_lacks_is_a_bad_row_that_lists_the_known_ones(tmp_path: Path, name: str, place: str) -> None:
    separator = "," if name.endswith("csv") else "\t"
    train = write(tmp_path / "t.tsv", "".join(f"x{number}\tl{number:02}\n" for number in range(12)))
    valid = write(tmp_path / name, f"abc{separator}l00\nabc{separator}l99\n")
    text = message(LabelledText(train=train, valid=valid))
    assert f"{valid}:{place}: label 'l99' does not occur in train (l00, l01, " in text
    assert "l09, ...)" in text
    skipped = LabelledText(train=train, valid=valid, on_bad_row="skip").read(Path(), 0)
    assert len(skipped.splits["valid"]) == 1


def test_an_empty_train_table_is_not_blamed_on_the_labels_of_others(tmp_path: Path) -> None:
    train, valid = write(tmp_path / "t.tsv", ""), write(tmp_path / "v.tsv", "x\ta\n")
    assert message(LabelledText(train=train, valid=valid)) == (
        f"dataset.train={train}: the file has no rows. Give a file that has some."
    )


def test_a_table_of_a_header_alone_is_named_as_empty(tmp_path: Path) -> None:
    train = write(tmp_path / "t.csv", "source,target\n")
    assert f"dataset.train={train}: the file has no rows." in message(ParallelText(train=train))


def test_the_file_of_a_similar_name_is_proposed(tmp_path: Path) -> None:
    write(tmp_path / "reviews.csv", "x,a\n")
    write(tmp_path / "other.csv", "x,a\n")
    with pytest.raises(MissingFileError) as raised:
        find_files(str(tmp_path / "review.tsv"), "dataset.train")
    problem = raised.value.args[0]
    assert problem.instead == (f"dataset.train={tmp_path / 'reviews.csv'}",)
    with pytest.raises(MissingFileError, match=r"Tables in this folder: other.csv, reviews.csv\.") as raised:
        find_files(str(tmp_path / "mine.csv"), "dataset.train")
    assert raised.value.args[0].instead is None


@pytest.mark.parametrize(
    ("encoding", "text", "shown"),
    [
        ("gb18030", "今天\t好\nabc\t1\n明天\t坏\n", "今天 好"),
        ("cp1252", "été\tà\nabc\t1\n„Straße“\tb\n", "été à"),
        ("cp1252", "naïve\ta\nabc\t1\n", "naïve a"),
        ("cp1251", "Привет мир\tда\nabc\t1\n", "Привет мир да"),
        ("shift_jis", "これはペンです\tはい\nabc\t1\n", "これはペンです はい"),
    ],
)
@pytest.mark.parametrize("has_header", [False, True])
def test_a_file_in_another_encoding_is_answered_by_the_one_that_fits(
    tmp_path: Path, encoding: str, text: str, shown: str, has_header: bool
) -> None:
    columns = {"text_column": "é类", "label_column": "label"} if has_header else {}
    path = write(tmp_path / "t.tsv", (f"{text.splitlines()[0]}\n" * has_header + text).encode(encoding))
    said = message(LabelledText(train=path, **columns))
    assert f"{path}:1:" in said
    assert f": byte 0x{shown.encode(encoding)[0 if encoding != 'cp1252' or shown[0] != 'n' else 2]:02x} is not" in said
    assert said.splitlines()[-1].startswith(f"Read as {encoding}, it says '{shown[:10]}")
    assert f"add dataset.encoding={encoding}; others: " in said
    assert "on_bad_row" not in said


def test_utf_8_is_suggested_where_another_encoding_was_given(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", "今天\t好\n")
    assert "Read as utf-8, it says '今天" in message(LabelledText(train=path, encoding="ascii"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_files_with_a_mark_of_utf_16_are_read_and_those_without_are_named(tmp_path: Path, encoding: str) -> None:
    text = "gut, sehr\tja\nschlecht\tnein\n"
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    path = write(tmp_path / "t.tsv", (mark + text).encode(encoding))
    rows = LabelledText(train=path).read(Path(), 0).splits["train"]
    assert [(row.input, row.target) for row in rows] == [("gut, sehr", "ja"), ("schlecht", "nein")]
    if encoding == "utf-16-be":
        path = write(tmp_path / "u.tsv", text.encode(encoding))
        assert "It looks like UTF-16: dataset.encoding=utf-16-be" in message(LabelledText(train=path))


def test_what_is_no_text_is_refused_whatever_is_skipped(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", b"\x7fELF\x02\x01\x01\0\0\0\0\0\tx\n")
    assert "is not a text file in utf-8" in message(LabelledText(train=path, on_bad_row="skip"))


def test_rows_that_are_bad_for_several_reasons_get_all_ways_out(tmp_path: Path) -> None:
    text = message(ParallelText(train=write(tmp_path / "t.tsv", b"a\tb\n\xff\tc\nd\n")))
    assert "dataset.on_bad_row=skip" in text
    assert "dataset.encoding=" in text


def test_skipping_rows_of_another_encoding_says_how_to_read_them(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", "今天\t好\n明天\t坏\n".encode("gb18030"))
    (note,) = LabelledText(train=path, on_bad_row="skip").read(Path(), 0).notes
    assert note.startswith("2 bad rows skipped")
    assert "Read as gb18030, it says '今天 好" in note


def test_a_wide_encoding_without_its_mark_is_a_message(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", "a\tb\n")
    assert "dataset.encoding" in message(ParallelText(train=path, encoding="utf-16"))


@pytest.mark.parametrize(("split", "other"), [("train", "valid"), ("test", "train")])
def test_the_lines_of_one_side_alone_get_the_option_for_the_other(tmp_path: Path, split: str, other: str) -> None:
    alone, pair = write(tmp_path / "a.de", "eins\nzwei\n"), write(tmp_path / "p.tsv", "a\tb\n")
    text = message(ParallelText(**{split: alone, other: pair}))  # type: ignore[arg-type]
    assert f"{alone} is a single column, without any tab" in text
    assert f"dataset.{split}_target=FILE" in text
    assert "_target" not in message(LabelledText(train=alone))


def test_a_label_named_by_a_header_is_placed_too(tmp_path: Path) -> None:
    train = write(tmp_path / "t.csv", "text,label\nx,a\ny,b\n")
    test = write(tmp_path / "v.csv", 'text,label\n"long, text",c\n')
    text = message(LabelledText(train=train, test=test, text_column="text", label_column="label"))
    assert f"{test}:2:14: label 'c'" in text


def test_formats_are_told_by_the_ending() -> None:
    names = {"a.csv": "csv", "a.CSV.gz": "csv", "a.jsonl": "jsonl", "a.ndjson.gz": "jsonl", "a.txt": "tsv", "a": "tsv"}
    assert {name: table_format(Path(name)) for name in names} == names


@given(st.binary(max_size=200))
def test_no_bytes_crash_a_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    refused = (*ARCHIVE_MARKS, *((0, mark) for mark, _ in TABLE_MARKS))
    assume(b"\0" not in content and not any(content[offset:].startswith(mark) for offset, mark in refused))
    path = tmp_path_factory.mktemp("bytes") / "t"
    path.write_bytes(content)
    bad = BadRows("skip")
    found = read_lines(path, "utf-8", bad)
    assert sum(line is None for line in found) == bad.total
    for kind in ("tsv", "csv"):
        with contextlib.suppress(DataError):  # the first line has one column
            Table(path, (0, 1), kind).read(BadRows("skip"))
    with contextlib.suppress(DataError):  # an array that is broken
        assert Table(path, ("a",), "jsonl").read(BadRows("skip")) == []
    with contextlib.suppress(DataError):  # guesses
        LabelledText(train=str(path), on_bad_row="skip").read(Path(), 0)


GROUPS = "text,label,person\n" + "".join(f"t{n} x,{'ab'[n % 2]},p{n // 4}\n" for n in range(40))


@pytest.mark.parametrize("task", ["classification", "regression", "translation"])
def test_rows_of_a_group_stay_together_in_every_table(tmp_path: Path, task: str) -> None:
    content = GROUPS if task != "regression" else GROUPS.replace(",a,", ",1,").replace(",b,", ",2.5,")
    path = write(tmp_path / "t.csv", content)
    if task == "translation":
        source = ParallelText(train=path, source_column="text", target_column="label", group_column="person")
    else:
        source = LabelledText(train=path, group_column="person").for_task(task)
    rows = source.read(tmp_path, 0).splits["train"]
    assert [(row.input, row.group) for row in rows[:5]] == [(f"t{n} x", f"p{n // 4}") for n in range(5)]
    splits = SplitOptions(valid=2, test=3)
    choice = CodecChoice([TextPairCodec if task == "translation" else TextLabelCodec])
    tokens = TokenizerOptions(kind="whitespace", min_frequency=1)
    options = DatasetOptions(task=task, split=splits, tokenizer=tokens, clean=CleanOptions(deduplicate=False))
    prepared = prepare(source, options, tmp_path, 0, choice)
    groups = {split: {row.group for row in examples.rows} for split, examples in prepared.splits.items()}
    assert {split: len(each) for split, each in groups.items()} == {"train": 5, "valid": 2, "test": 3}
    assert len(set.union(*groups.values())) == 10  # no group is in two
    assert {len(examples.rows) for examples in prepared.splits.values()} == {20, 8, 12}


def test_groups_are_named_by_a_column_of_train(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", GROUPS)
    assert "dataset.group_column=who: not in the first line of" in message(LabelledText(train=path, group_column="who"))
    empty = write(tmp_path / "e.csv", GROUPS.replace("b,p0", "b,"))
    assert "e.csv:3:8: column 'person' is empty" in message(LabelledText(train=empty, group_column="person"))
    test = write(tmp_path / "test.csv", "text,label\nt x,a\n")
    other = LabelledText(train=path, test=test, group_column="person")
    assert [row.group for row in other.read(tmp_path, 0).splits["test"]] == [""]
    with pytest.raises(ConfigError, match=r"dataset\.train_target names lines"):
        ParallelText(train=path, train_target=path, group_column="person")
