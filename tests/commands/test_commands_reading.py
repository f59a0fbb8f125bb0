"""Files as people have them, through the whole command: every row that stands there is read, to the letter."""

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests_support import Command, assert_polite, only_run, summary_of

from attnfocus.config.read import load_yaml

TINY = (
    "model=pooling_classifier",
    "model.embed_dim=4",
    "trainer.max_steps=1",
    "trainer.max_epochs=null",
    "focus.num_samples=0",
    "scheduler=constant",
    "dataset.clean.deduplicate=false",
    "dataset.split.valid=0",
    "dataset.split.test=0",
    "trainer.monitor=null",
)
COLUMNS = ("dataset.text_column=text", "dataset.label_column=label")
ROWS = [(f"film {number} was {'good' if number % 2 else 'bad'}", ("neg", "pos")[number % 2]) for number in range(60)]


def table(rows: Sequence[Sequence[str]], separator: str = ",", header: Sequence[str] = ("text", "label")) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


@pytest.fixture
def trained(attnfocus: Command, tmp_path: Path):
    """Writes a file, trains on it; gives what was printed, the number of rows read and the labels."""

    def train(name: str, content: str | bytes, *options: str, source: str = "labelled_text", key: str = "train"):
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        done = attnfocus("train", *TINY, f"dataset={source}", f"dataset.{key}={name}", *options)
        assert done.returncode == 0, done.stderr
        rows = re.search(r"^train: (\d+) rows read", done.stderr, re.MULTILINE)
        labels = json.loads((only_run(tmp_path) / "data" / "codec.json").read_text(encoding="utf-8"))["labels"]
        return done.stderr, int(rows[1]), labels

    return train


def bad_quote(rows: list[tuple[str, str]], place: int) -> str:
    """A table of which one row opens a quote that it does not close."""
    lines = table(rows).splitlines(keepends=True)
    lines[place] = '"' + lines[place]
    return "".join(lines)


def test_a_quote_that_nothing_closes_takes_its_own_row_alone(trained) -> None:
    said, rows, _ = trained("unbal.csv", bad_quote(ROWS, 12), *COLUMNS, "dataset.on_bad_row=skip")
    assert rows == 59
    assert re.search(r"1 bad row skipped, the first: \S*unbal.csv:13:1: not valid csv: its quote is not closed", said)


def test_a_quote_further_down_changes_nothing_of_that(trained) -> None:
    quoted = [*ROWS[:40], ('a "fine" film, said he', "pos"), *ROWS[40:]]
    said, rows, _ = trained("unbal2.csv", bad_quote(quoted, 12), *COLUMNS, "dataset.on_bad_row=skip")
    assert rows == 60
    assert "1 bad row skipped" in said


def test_a_row_with_an_escaped_quote_is_named(attnfocus: Command, tmp_path: Path) -> None:
    lines = table(ROWS).splitlines(keepends=True)
    lines[11] = '"he said \\"fine\\" to me",pos\n'
    (tmp_path / "backslash.csv").write_text("".join(lines))
    done = attnfocus("train", *TINY, "dataset=labelled_text", "dataset.train=backslash.csv", *COLUMNS)
    assert_polite(done, 2)
    assert f"{tmp_path / 'backslash.csv'}:12:1: not valid csv" in done.stderr


def test_a_text_longer_than_python_reads_by_itself(trained) -> None:
    long = " ".join(["lovely film"] * 12_000)
    short = "dataset.clean.max_words=100"  # what is trained on
    assert trained("long.csv", table([*ROWS, (long, "pos")]), *COLUMNS, short)[1] == 61


def test_no_word_of_a_table_is_a_missing_value(trained) -> None:
    labels = ("FAVOR", "AGAINST", "None")
    rows = [(text, labels[number % 3]) for number, (text, _) in enumerate(ROWS)]
    _, number, known = trained("stance.csv", table(rows), source="hub", key="path")
    assert (number, known) == (60, sorted(labels))


@pytest.mark.slow
def test_no_word_of_a_pair_is_a_missing_value(attnfocus: Command, tmp_path: Path) -> None:
    pairs = [("de", "en"), ("ich", "I"), ("Na", "NA"), ("nichts", "null"), ("keine", "None")]
    (tmp_path / "pairs_na.tsv").write_text("".join("\t".join(pair) + "\n" for pair in pairs))
    sizes = ("model.hidden_size=4", "dataset.tokenizer.kind=whitespace", "dataset.tokenizer.min_frequency=1")
    plain = ("dataset.tokenizer.lowercase=false", "dataset.tokenizer.shared=false")
    done = attnfocus(
        "train", "model=seq2seq", *TINY[1:], *sizes, "dataset=hub_pairs", "dataset.path=pairs_na.tsv", *plain
    )
    assert done.returncode == 0, done.stderr
    assert "train: 4 rows read, 4 kept" in done.stderr
    words = (only_run(tmp_path) / "data" / "target_tokenizer.json").read_text(encoding="utf-8")
    assert all(f'"{target}"' in words for _, target in pairs[1:])


def test_an_exact_name_of_a_column_wins_over_a_dotted_path(trained) -> None:
    header = ("reviews.text", "reviews.rating")
    columns = ("dataset.text_column=reviews.text", "dataset.label_column=reviews.rating")
    content = table([(text, f"{number % 2}") for number, (text, _) in enumerate(ROWS)], header=header)
    assert trained("dotted.csv", content, *columns, source="hub", key="path")[1:] == (60, ["0", "1"])


@pytest.mark.parametrize(
    ("name", "values", "labels"),
    [
        ("floatlab.jsonl", (1.0, 5.0), ["1.0", "5.0"]),
        ("boollab.jsonl", (True, False), ["false", "true"]),
        ("floatlab.csv", (1.0, 5.0), ["1.0", "5.0"]),
    ],
)
def test_labels_of_json_are_numbers_or_true_and_false(trained, name: str, values: tuple, labels: list[str]) -> None:
    rows = [(text, values[number % 2]) for number, (text, _) in enumerate(ROWS)]
    if name.endswith(".csv"):
        content = table([(text, str(value)) for text, value in rows], header=("text", "stars"))
    else:
        content = "".join(f"{json.dumps({'text': text, 'stars': value})}\n" for text, value in rows)
    columns = ("dataset.text_column=text", "dataset.label_column=stars")
    assert trained(name, content, *columns)[1:] == (60, labels)


def test_a_separator_that_is_not_that_of_the_ending_is_said(trained) -> None:
    said, rows, labels = trained("semi.csv", table(ROWS, ";"), *COLUMNS)
    assert (rows, labels) == (60, ["neg", "pos"])
    assert "semi.csv: its first lines show columns separated by semicolons" in said


def test_a_pretty_printed_array_is_read_without_a_word_on_columns(trained) -> None:
    content = json.dumps([dict(zip(("text", "label"), row, strict=True)) for row in ROWS], indent=1)
    said, rows, labels = trained("pretty.json", content)
    assert (rows, labels) == (60, ["neg", "pos"])
    assert "pretty.json: dataset.text_column=text dataset.label_column=label, since its columns are called so" in said


def test_parquet_is_read(trained) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    written = io.BytesIO()
    parquet.write_table(pa.table({"text": [text for text, _ in ROWS], "label": [n % 2 for n in range(60)]}), written)
    assert trained("t.parquet", written.getvalue(), *COLUMNS)[1:] == (60, ["0", "1"])


def test_a_pattern_is_saved_by_its_whole_path(trained, tmp_path: Path) -> None:
    (tmp_path / "part-10.csv").write_text(table(ROWS))
    assert trained("part-9.csv", table(ROWS), "dataset.train=part-*.csv")[1] == 120
    assert load_yaml(only_run(tmp_path) / "config.yaml")["dataset"]["train"] == str(tmp_path / "part-*.csv")


@pytest.mark.slow
def test_a_run_begun_before_keeps_its_columns_and_rules_with_the_same_command(
    trained, tmp_path: Path, attnfocus: Command
) -> None:
    """Its configuration has numbers for columns and no rules of reading: what the first row says stays data."""
    before = ("dataset.text_column=0", "dataset.label_column=1", "dataset.reader=1", "dataset.train=t.tsv")
    rows = trained("t.tsv", table(ROWS, "\t"), *before, "dataset.header=null")[1]
    assert rows == 61
    config = only_run(tmp_path) / "config.yaml"
    text = config.read_text(encoding="utf-8")
    assert "  reader: 1\n" in text
    config.write_text(text.replace("  reader: 1\n", ""), encoding="utf-8")
    command = ("train", *TINY, "dataset=labelled_text", "dataset.train=t.tsv", "trainer.max_steps=2")
    done = attnfocus(*command, "resume=auto")
    assert done.returncode == 0, done.stderr
    assert summary_of(only_run(tmp_path))["steps"] == 2
    assert "train: 61 rows read" in done.stderr
