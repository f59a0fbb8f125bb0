"""Tables in the forms that people have them in: separators, quotes, JSON, parquet, Excel."""

import gzip
import json
import sys
from pathlib import Path

import pytest

from attnfocus.data.reading import binary_tables, delimited, objects
from attnfocus.data.sources.files import LabelledText
from attnfocus.errors import ConfigError, DataError

HEADER = {"text_column": "text", "label_column": "label"}
ROWS = [("good, nice", "pos"), ("bad", "neg"), ("fine; well", "pos"), ("dull", "neg")]


def read(path: Path, **options):
    """(input, target) of each row, and what is noted."""
    data = LabelledText(train=str(path), **options).read(Path(), 0)
    return [(row.input, row.target) for row in data.splits["train"]], data.notes


def failure(path: Path, **options) -> str:
    with pytest.raises(DataError) as error:
        read(path, **options)
    assert len(str(error.value).splitlines()) <= 5
    return str(error.value)


@pytest.fixture
def file(tmp_path: Path):
    def write(content: str | bytes, name: str = "t.csv") -> Path:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return tmp_path / name

    return write


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "t.csv.gz"])
@pytest.mark.parametrize(
    ("separator", "plural"), [("\t", "tabs"), (",", "commas"), (";", "semicolons"), ("|", "pipes"), ("|||", "'|||'")]
)
def test_the_first_lines_show_the_separator(file, name: str, separator: str, plural: str) -> None:
    rows = [(text.replace(separator, ""), label) for text, label in ROWS]
    path = file("".join(separator.join(row) + "\n" for row in rows), name)
    found, notes = read(path)
    assert found == rows
    expected = "," if "csv" in name else "\t"
    assert [note for note in notes if "separated by" in note] == (
        [] if separator == expected else [note for note in notes if f"columns separated by {plural}" in note]
    )
    assert len(notes) == (separator != expected)


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("t.tsv", "a, b\tc\nd, e\tf\n", [("a, b", "c"), ("d, e", "f")]),  # commas fit as well
        ("t.tsv", "a, b\tc\nd, e\nf, g\th\ni, j\tk\nl, m\tn\n", None),  # one bad row of five
        ("t.csv", "a;b,c\nd;e,f\n", [("a;b", "c"), ("d;e", "f")]),
        ("t.csv", 'a;b\n"c; d";e\nf, g;h\n', [("a", "b"), ("c; d", "e"), ("f, g", "h")]),
        ("t.csv", '"a, b\nc";d\n"e, f";g\n', [("a, b c", "d"), ("e, f", "g")]),
    ],
)
def test_a_separator_is_guessed_only_where_the_expected_one_does_not_fit(file, name, content, rows) -> None:
    if rows is None:
        assert "1 bad row" in failure(file(content, name))
    else:
        assert read(file(content, name))[0] == rows


@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_a_guess_stays_where_some_rows_are_bad(file, name: str) -> None:
    path = file("text;label\na;x\nno label\nb, c;y\n", name)
    rows, notes = read(path, on_bad_row="skip")
    assert rows == [("a", "x"), ("b, c", "y")]
    assert f"1 bad row skipped, the first: {path}:3:9: 1 columns, where the first row has 2" in notes[0]
    assert "single column" in failure(file("Well; a text\nand; more\nlast\n", name))  # no names


@pytest.mark.parametrize(
    ("line", "column", "separator"),
    [
        ("x;text", "text", ";"),
        ("x,text;y", "text;y", ","),
        ("x;y|text", "text", "|"),
        ("x\ttext", "other", "\t"),
        ("x,y;text", "text", ";"),
        ("good;pos", 0, ";"),
        ("good; a film", 0, ","),  # a text alone
        ("good;pos", 2, ","),
        ("sep=;", 0, ";"),
    ],
)
def test_one_line_shows_the_separator_of_a_pipe(line: str, column: str | int, separator: str) -> None:
    expected = delimited.Dialect(",", quotes=True)
    assert delimited.guessed_by_first(f"{line}\n", expected, None, column).separator == separator


def test_names_of_columns_may_stand_between_blanks(file) -> None:
    path = file("id, text , label\n1,a,x\n2,,y\n")
    rows, notes = read(path, on_bad_row="skip")
    assert rows == [("a", "x")]
    assert f"{path}:3:3: column ' text ' is empty" in notes[0]
    assert "'dataset.text_column= text '" in notes[1]
    assert read(path, **HEADER, on_bad_row="skip")[0] == rows


def test_a_guess_looks_at_no_more_than_a_part(file) -> None:
    long = "a, b;" * 400_000
    assert read(file(f"{long}\tx\n{long}\ty\n", "t.tsv"))[0] == [(long, "x"), (long, "y")]


def test_lines_of_one_column_are_no_table(file) -> None:
    text = failure(file("A sentence.\nAnother one, longer, with commas.\n", "t.txt"))
    assert "single column, without any tab" in text
    assert "dataset.separator=comma, semicolon, tab" in text


@pytest.mark.parametrize(
    ("given", "content"),
    [
        ("semicolon", "a;b\nc;d\n"),
        (";", "a;b\nc;d\n"),
        ("\\t", "a\tb\nc\td\n"),
        ("tab", "a\tb\nc\td\n"),
        ("space", "a b\nc d\n"),
        ("@", "a@b\nc@d\n"),
        (" ||| ", "a ||| b\nc ||| d\n"),
    ],
)
def test_a_separator_that_is_given_is_used_without_a_word(file, given: str, content: str) -> None:
    assert read(file(content), separator=given) == ([("a", "b"), ("c", "d")], [])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"separator": "colon"},
            "dataset.separator=colon: must be one of tab, comma, semicolon, pipe, space, or",
        ),
        ({"separator": '"'}, "that are no letters, digits or quotes"),
        ({"separator": ""}, "must be one of"),
        ({"separator": ",", "format": "jsonl"}, "is for tsv and csv. Leave it null"),
        ({"separator": "||", "quotes": True}, "dataset.quotes=true: only fields that one character separates"),
    ],
)
def test_separators_that_cannot_be_meant_are_refused(options: dict, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        LabelledText(train="a.csv", **options)


def test_the_line_that_tells_excel_what_separates_is_no_row(file) -> None:
    path = file('sep=;\r\ntext;label\r\n"a; b";x\r\nc;\r\n')
    rows, notes = read(path, on_bad_row="skip")
    assert rows == [("a; b", "x")]
    assert f"{path}:4:3: column 'label' is empty" in notes[0]


def test_quotes_mean_something_in_tsv_when_it_is_said(file) -> None:
    content = '"a\tb"\tc\n"d ""e"""\tf\n'
    assert read(file('"a"\tc\n"d\tf\n', "t.tsv"))[0] == [('"a"', "c"), ('"d', "f")]
    assert read(file(content, "t.tsv"), quotes=True)[0] == [("a\tb", "c"), ('d "e"', "f")]
    assert read(file('"a",c\n"d,f\n'), quotes=False)[0] == [('"a"', "c"), ('"d', "f")]


LINES = [f"a film {n},{'pos' if n % 2 else 'neg'}\n" for n in range(30)]


def with_lines(**changed: str) -> str:
    lines = list(LINES)
    for place, line in changed.items():
        lines[int(place[1:])] = f"{line}\n"
    return "".join(lines)


@pytest.mark.parametrize(
    "changed",
    [
        {"_5": '"open,pos'},  # to the end of the file
        {"_5": '"open,pos', "_9": '"a ""good"" film",pos'},  # to a quote in a row of its own
        {"_5": '"open,pos', "_9": 'a "good" film,pos'},
        {"_5": '"open,pos', "_9": '5" of film,pos'},
        {"_5": '"open,pos', "_9": 'a good film",pos,x'},  # closed, with a column too many
        {"_5": '"open,pos', "_6": '"a, b",pos'},
        {"_29": '"open,pos'},
    ],
)
def test_a_quote_that_is_not_closed_loses_its_own_row_alone(file, changed: dict) -> None:
    bad = 1 + any(line.endswith(",x") for line in changed.values())
    path = file(with_lines(**changed))
    rows, notes = read(path, on_bad_row="skip")
    assert len(rows) == 30 - bad
    assert notes[0].startswith(f"{bad} bad row")
    assert f"{path}:{int(next(iter(changed))[1:]) + 1}:1: not valid csv" in failure(path)


def test_two_quotes_that_are_not_closed_lose_two_rows(file) -> None:
    rows, notes = read(file(with_lines(_5='"open,pos', _15='"open too,neg', _25='"and,pos')), on_bad_row="skip")
    assert len(rows) == 27
    assert notes[0].startswith("3 bad rows skipped")


def test_a_bad_row_of_several_lines_counts_them(file) -> None:
    """Lines of prose inside quotes are no rows: they go with the row that is wrong."""
    path = file(with_lines(_5='"first line\nsecond, of, three\nthird",pos,one too many'))
    rows, notes = read(path, on_bad_row="skip")
    assert len(rows) == 29
    assert notes[0].startswith("1 bad row (3 lines) skipped")
    assert "3 columns, where the first row has 2" in notes[0]


def test_a_row_that_runs_over_lines_that_look_like_rows_is_said(file) -> None:
    path = file(with_lines(_5='"open,pos', _10='nice 5",pos'))
    rows, notes = read(path)
    assert len(rows) == 25
    assert f"warning: {path}:6: this row runs up to line 11 inside its quotes" in notes[0]
    assert read(file(with_lines(_5='"a letter\nwith, two, commas\nand, none\n\nover lines",pos')))[1] == []


def test_a_first_row_that_is_broken_is_never_passed_over_for_the_next(file) -> None:
    path = file('"text,label\na,b\n')
    assert f"{path}:1:1: not valid csv" in failure(path, **HEADER, on_bad_row="skip")


def test_reading_lines_again_has_an_end(file, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "_MAX_READ_AGAIN", 100)
    path = file(with_lines(_5='"open,pos'))
    assert "too many rows open a quote that nothing closes" in failure(path, on_bad_row="skip")


def test_rules_of_before_read_as_before(file) -> None:
    """`reader=1`, which runs have that were begun before: no guess, and a quote takes all lines up to the next one."""
    rows, _ = read(file(with_lines(_5='"open,pos')), on_bad_row="skip", reader=1)
    assert len(rows) == 5
    assert "single column, without any comma" in failure(file("a;b\nc;d\n"), reader=1)
    assert "field larger than field limit (131072)" in failure(file(f"a,b\n{'c' * 140_000},d\n"), reader=1)
    content = '{"t": "a", "l": 1}\n{"t": "b", "l": 1.5}\n{"t": "c", "l": true}\n{"t": "d", "l": "x"}\n'
    options = {"text_column": "t", "label_column": "l", "on_bad_row": "skip"}
    assert read(file(content, "t.jsonl"), reader=1, **options)[0] == [("a", "1"), ("d", "x")]
    assert len(read(file(content, "t.jsonl"), **options)[0]) == 4


def test_a_text_of_many_characters_is_read(file) -> None:
    long = "lovely film " * 20_000
    for name, separator in (("t.csv", ","), ("t.tsv", "\t")):
        assert read(file(f"a{separator}b\n{long}{separator}c\n", name))[0] == [("a", "b"), (long, "c")]


ARRAY = [{"text": f"film {n}", "label": ["pos", "neg"][n % 2], "more": {"x": [n, "é"]}} for n in range(9)]
WANTED = [(row["text"], row["label"]) for row in ARRAY]


@pytest.mark.parametrize("name", ["t.json", "t.jsonl", "t.json.gz"])
@pytest.mark.parametrize("indent", [None, 1])
def test_an_array_of_objects_is_read_and_its_rows_are_counted(file, name: str, indent: int | None) -> None:
    path = file("\n " + json.dumps(ARRAY, indent=indent, ensure_ascii=False), name)
    assert read(path, **HEADER)[0] == WANTED
    ids = [row.id for row in LabelledText(train=str(path), **HEADER).read(Path(), 0).splits["train"]]
    assert ids == [f"train:{n}" for n in range(1, 10)]


def test_lines_of_objects_are_read_from_json_too(file) -> None:
    assert read(file("".join(f"{json.dumps(row)}\n" for row in ARRAY), "t.json"), **HEADER)[0] == WANTED


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
def test_an_array_is_read_in_whatever_parts_it_comes(indent: int | None, size: int) -> None:
    text = json.dumps([*ARRAY, {}, {"a": "]}, {\n"}], indent=indent)
    parts = (text[start : start + size] for start in range(0, len(text), size))
    found = list(objects.array_rows(parts, Path("t.json")))
    assert [row[2].get("text") for row in found] == [*(row["text"] for row in ARRAY), None, None]
    assert [row[4] for row in found] == list(range(1, 12))
    lines = text.split("\n")
    for line, raw, _, column, _ in found:
        assert lines[line - 1][column - 1 :].startswith(raw.split("\n")[0])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            '[{"text": "a", "label": "x"},\n {"text": "b" "label": "y"}]',
            ":2:15: not valid JSON: Expecting ',' delimiter",
        ),
        ('[{"text": "a", "label": "x"}\n {"text": "b"}]', ":2:2: not valid JSON: a comma or ] must follow"),
        ('[{"text": "a", "label": "x"},\n {"text": "b", "lab', ":2:16: not valid JSON: Unterminated string"),
        ('[{"text": "a", "label": "x"},\n', "its array is not closed by ]: the file is cut off"),
        ('[{"text": "a", "label": "x"},\n 5]', ":2:2: not a JSON object"),
        ('[{"text": "a", "label": "x"},\n {"text": "b", "label": null}]', ":2:2: 'label' must be a text, got null"),
        ('[{"text": "a", "label": "x"},\n {"text": "b", "label": NaN}]', ":2:2: 'label' must be a text, got NaN"),
        ('[{"text": "a", "label": "x"},\n {"text": "b", "label": ' + "[" * 50_000, ":2:2: not valid JSON: nested too"),
    ],
)
def test_a_broken_array_is_placed(file, content: str, expected: str) -> None:
    assert expected in failure(file(content, "t.json"), **HEADER)


def test_a_dotted_path_reaches_inside_and_an_exact_name_wins(file) -> None:
    rows = [
        {"a": {"text": "inner", "more": [{"label": "x"}]}, "n": 1.50},
        {"a": {"text": "inner", "more": [{"label": "x"}]}, "a.text": "outer", "n": -2},
    ]
    path = file("".join(f"{json.dumps(row)}\n" for row in rows), "t.jsonl")
    columns = {"text_column": "a.text", "label_column": "a.more.0.label"}
    assert read(path, **columns)[0] == [("inner", "x"), ("outer", "x")]
    assert read(path, text_column="a.text", label_column="n")[0] == [("inner", "1.5"), ("outer", "-2")]
    text = failure(path, text_column="a.txt", label_column="n")
    assert "no 'txt' among its keys of 'a' 'text', 'more'" in text
    assert "no 'x' in 'n'" in failure(path, text_column="a.text", label_column="n.x")


def test_numbers_stay_as_they_are_written(file) -> None:
    path = file('{"text": "a", "label": 1.50}\n{"text": "b", "label": 1e3}\n{"text": "c", "label": 007}\n', "t.jsonl")
    assert [label for _, label in read(path, **HEADER, on_bad_row="skip")[0]] == ["1.50", "1e3"]
    digits = "9" * 5000  # more than Python makes an integer of
    assert read(file(f'{{"text": "a", "label": {digits}}}\n', "t.jsonl"), **HEADER)[0] == [("a", digits)]


@pytest.fixture
def parquet_file(tmp_path: Path):
    import pyarrow as pa
    from pyarrow import parquet

    def write(**columns) -> Path:
        parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
        return tmp_path / "t.parquet"

    return write


def test_parquet_is_read_by_name_number_and_dotted_path(parquet_file) -> None:
    inner = [{"y": "p"}, {"y": "q"}, {"y": "r"}]
    path = parquet_file(text=["a", "b\nc", "d"], label=[1.5, 2.0, 3.0], ok=[True, False, True], x=inner)
    assert read(path)[0] == [("a", "1.5"), ("b c", "2.0"), ("d", "3.0")]
    assert read(path, text_column=0, label_column=2)[0] == [("a", "true"), ("b c", "false"), ("d", "true")]
    assert read(path, text_column="text", label_column="x.y")[0] == [("a", "p"), ("b c", "q"), ("d", "r")]
    path = parquet_file(**{"a.text": ["a"], "label": ["x"]})
    assert read(path, text_column="a.text", label_column="label")[0] == [("a", "x")]


def test_what_is_wrong_with_parquet_is_said(parquet_file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet_file(text=["a", None], label=["x", "y"])
    assert f"{path}:2:1: 'text' must be a text, got null" in failure(path)
    assert "has names, not numbers" not in failure(path, text_column=0, label_column=5)
    assert "text ('a', 'None')" in failure(path, text_column=0, label_column=5)
    other = tmp_path / "t.csv"
    other.write_bytes(path.read_bytes())
    assert "is a parquet file, not text. Let its name end in .parquet" in failure(other)
    monkeypatch.setattr(binary_tables, "MAX_ROWS_ALWAYS_FINE", 1)
    monkeypatch.setattr(binary_tables, "MAX_GZIP_RATIO", 0)
    assert "are 2 rows of " in failure(path)
    path.write_bytes(b"PAR1 and nothing else")
    assert "cannot be read as parquet" in failure(path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "reading parquet needs pyarrow: pip install pyarrow" in failure(path)


def test_a_sheet_of_excel_is_read(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["id", "text", "label"], [1, "a\nb", True], [None], [2, "c", 5], [3, "d", None], [4, "e", "=1"]):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    rows, notes = read(tmp_path / "t.xlsx", on_bad_row="skip")
    assert rows == [("a b", "true"), ("c", "5")]
    assert "dataset.text_column=text dataset.label_column=label" in "".join(notes)


def test_excel_without_its_library_or_damaged_is_named(file, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file(b"PK\x03\x04", "t.xlsx")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert "needs openpyxl: pip install openpyxl. Or save the sheet as CSV UTF-8" in failure(path)
