"""Sets of Hugging Face `datasets`, from local files and folders alone: nothing asks the network."""

import csv
import json
import re
import socket
import sys
from pathlib import Path

import datasets
import pytest

from attnfocus.data import HubPairs, HubText, LabelledText
from attnfocus.errors import ConfigError, DataError

LABELLED = [{"text": f"film {number}", "label": number % 2, "stars": number} for number in range(12)]
PAIRS = [{"translation": {"de": f"Satz {number}", "en": f"sentence {number}"}} for number in range(12)]


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError(f"the network was asked: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


@pytest.fixture
def table() -> datasets.Dataset:
    return datasets.Dataset.from_list(LABELLED).cast_column("label", datasets.ClassLabel(names=["bad", "good"]))


def texts(source, split="train"):
    return [(row.input, row.target) for row in source.read(Path(), 0).splits[split]]


NAMED = [(row["text"], ("bad", "good")[row["label"]]) for row in LABELLED]
NUMBERED = [(row["text"], str(row["label"])) for row in LABELLED]


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.jsonl", "rows.json", "rows.parquet"])
def test_files_of_every_kind_are_read(tmp_path, table, name):
    path = tmp_path / name
    if path.suffix == ".parquet":
        table.to_parquet(path)
    elif path.suffix in (".json", ".jsonl"):
        lines = [json.dumps(row) for row in LABELLED]
        path.write_text("\n".join(lines) if path.suffix == ".jsonl" else f"[{','.join(lines)}]")
    else:
        separator = "," if path.suffix == ".csv" else "\t"
        path.write_text("\n".join(separator.join(map(str, row)) for row in [LABELLED[0], *map(dict.values, LABELLED)]))
    source = HubText(path=str(path))
    assert texts(source) == (NAMED if path.suffix == ".parquet" else NUMBERED)  # parquet keeps the names of classes
    assert source.read(Path(), 0).splits["train"][2].id == "train:3"


def test_a_folder_of_data_files_and_one_that_save_to_disk_wrote(tmp_path, table):
    files = tmp_path / "files"
    files.mkdir()
    for split in ("train", "test"):
        table.to_parquet(files / f"{split}.parquet")
    table.save_to_disk(tmp_path / "one")
    datasets.DatasetDict(train=table, validation=table.select(range(3))).save_to_disk(tmp_path / "several")
    assert texts(HubText(path=str(files), test_split="test"), "test") == NAMED
    assert texts(HubText(path=str(tmp_path / "one"))) == NAMED
    several = HubText(path=str(tmp_path / "several"), valid_split="validation")
    assert texts(several, "valid") == NAMED[:3]
    assert several.read(Path(), 0).notes == []
    notes = HubText(path=str(tmp_path / "several")).read(Path(), 0).notes
    assert notes == [f"{tmp_path / 'several'}: its splits validation are not used"]


@pytest.mark.parametrize("streaming", [False, True])
def test_the_first_rows_alone_also_streamed(tmp_path, table, streaming):
    table.to_parquet(tmp_path / "rows.parquet")
    assert texts(HubText(path=str(tmp_path / "rows.parquet"), streaming=streaming, max_rows=5)) == NAMED[:5]
    with pytest.raises(ConfigError, match=r"dataset.streaming=true needs dataset.max_rows"):
        HubText(path="owner/set", streaming=True)


def test_dotted_paths_reach_inside_a_column(tmp_path):
    datasets.Dataset.from_list(PAIRS).save_to_disk(tmp_path / "pairs")
    expected = [(row["translation"]["de"], row["translation"]["en"]) for row in PAIRS]
    assert texts(HubPairs(path=str(tmp_path / "pairs"))) == expected
    turned = HubPairs(path=str(tmp_path / "pairs"), source_column="translation.en", target_column="translation.de")
    assert texts(turned) == [(en, de) for de, en in expected]
    with pytest.raises(DataError, match=r"no 'fr' among its keys of 'translation' 'de', 'en'"):
        HubPairs(path=str(tmp_path / "pairs"), source_column="translation.fr").read(Path(), 0)


def test_rows_that_cannot_be_used_are_named_or_skipped(tmp_path):
    rows = [
        {"text": "fine", "label": 1},
        {"text": " ", "label": 0},
        {"text": "two\nlines", "label": -1},
        {"text": None},
    ]
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    datasets.Dataset.from_list(rows, features=features).save_to_disk(tmp_path / "rows")
    with pytest.raises(DataError) as error:
        HubText(path=str(tmp_path / "rows")).read(Path(), 0)
    message = str(error.value)
    assert message.startswith("3 bad rows")
    assert "rows:train:2:1: 'text' is empty" in message
    assert "rows:train:3:1: column label is -1: these rows have no labels" in message
    assert "rows:train:4:1: 'text' must be a text, got null" in message
    skipping = HubText(path=str(tmp_path / "rows"), on_bad_row="skip")
    assert texts(skipping) == [("fine", "yes")]
    assert skipping.read(Path(), 0).notes[0].startswith("3 bad rows skipped")


def test_what_is_not_there_is_named_with_what_is(tmp_path, table):
    table.save_to_disk(tmp_path / "one")
    here = str(tmp_path / "one")
    with pytest.raises(DataError, match=r"dataset.test_split=test: .* has the splits train. .* or null to draw rows"):
        HubText(path=here, test_split="test").read(Path(), 0)
    with pytest.raises(DataError, match=r"dataset.text_column=txt: the columns are text, label, stars. Give one"):
        HubText(path=here, text_column="txt").read(Path(), 0)
    with pytest.raises(DataError, match=r"dataset.path=owner/nothing: cannot be read: .*\nGive a name on the hub"):
        HubText(path="owner/nothing").read(Path(), 0)
    with pytest.raises(ConfigError, match=r"dataset.path is not given. Give a name on the hub"):
        HubText()
    (tmp_path / "rows.xlsx").touch()
    with pytest.raises(DataError, match=r"rows.xlsx: unknown kind of file. Give one that ends in .csv"):
        HubText(path=str(tmp_path / "rows.xlsx")).read(Path(), 0)


def test_a_folder_with_a_script_runs_none_of_it(tmp_path):
    folder = tmp_path / "scripted"
    folder.mkdir()
    (folder / "scripted.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(DataError, match="cannot be read"):
        HubText(path=str(folder)).read(Path(), 0)
    assert not (tmp_path / "ran").exists()


def test_without_the_extra_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ConfigError, match=r"need an extra: pip install 'attnfocus\[hub\]'"):
        HubText(path="owner/set").read(Path(), 0)


LETTERS = [("NA", "001"), ('"quo te', "None"), ("null", "1.50"), ("x, y", "002")]
HIDDEN = '---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: "train.*"\n---\n'
TYPED = HIDDEN.replace("configs:", "dataset_info:\n  features:\n  - {name: text, dtype: string}\n"
                       "  - {name: label, dtype: string}\nconfigs:")  # fmt: skip


def exact(folder: Path, ending: str) -> Path:
    """A table of texts and labels that are no numbers and never missing."""
    path = folder / f"train.{ending}"
    with path.open("w", encoding="utf-8", newline="") as file:
        if ending == "tsv":  # in which quotes mean nothing
            file.writelines("\t".join(row) + "\n" for row in [("text", "label"), *LETTERS])
        elif ending == "csv":
            csv.writer(file).writerows([("text", "label"), *LETTERS])
        else:
            file.writelines(json.dumps(dict(zip(("text", "label"), row, strict=True))) + "\n" for row in LETTERS)
    return path


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
@pytest.mark.parametrize("how", ["file", "folder"])
def test_what_stands_in_a_file_is_given_to_the_letter(tmp_path, ending, how):
    path = exact(tmp_path, ending)
    assert texts(HubText(path=str(path if how == "file" else tmp_path))) == LETTERS
    pairs = HubPairs(path=str(path), source_column="label", target_column="text", max_rows=2)
    assert texts(pairs) == [("001", "NA"), ("None", '"quo te')]


@pytest.mark.parametrize(("ending", "readme"), [("csv", HIDDEN), ("csv", TYPED), ("tsv", HIDDEN), ("tsv", TYPED)])
def test_the_library_reads_to_the_letter_too_where_a_page_says_what_is_what(tmp_path, ending, readme):
    exact(tmp_path, ending)
    (tmp_path / "README.md").write_text(readme)
    assert texts(HubText(path=str(tmp_path))) == LETTERS


def test_runs_begun_before_read_as_the_library_does(tmp_path):
    path = exact(tmp_path, "csv")
    with pytest.raises(DataError, match=r"train:2:1: 'label' must be a text, got null"):
        HubText(path=str(path), reader=1).read(Path(), 0)


def test_text_files_need_no_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert texts(HubText(path=str(exact(tmp_path, "csv")))) == LETTERS


def test_files_of_a_folder_are_splits_by_their_names(tmp_path):
    for name in ("train-10", "train-9", "dev", "sub/test"):
        path = tmp_path / f"{name}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"text,label\n{name},x\n,y\n{name} again,z\n")
    source = HubText(path=str(tmp_path), valid_split="validation", test_split="test", on_bad_row="skip")
    data = source.read(Path(), 0)
    assert [row.input for row in data.splits["train"]] == ["train-9", "train-9 again", "train-10", "train-10 again"]
    assert [row.id for row in data.splits["train"]] == ["train:1", "train:3", "train:4", "train:6"]  # bad ones count
    assert [row.input for row in data.splits["valid"] + data.splits["test"]] == [
        "dev", "dev again", "sub/test", "sub/test again"
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"has the splits validation, test, train. Give one of them"):
        HubText(path=str(tmp_path), test_split="nothing").read(Path(), 0)


def test_a_folder_without_names_of_splits_is_all_train(tmp_path):
    for name in ("b", "a"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": name, "label": 1}) + "\n")
    assert texts(HubText(path=str(tmp_path))) == [("a", "1"), ("b", "1")]


@pytest.mark.parametrize(
    ("kind", "header", "notes"),
    [
        (HubText, ("review", "sentiment"), "dataset.text_column=review dataset.label_column=sentiment"),
        (HubPairs, ("de", "en"), "dataset.source_column=de dataset.target_column=en"),
        (HubPairs, ("source", "target"), "dataset.source_column=source dataset.target_column=target"),
        (HubPairs, ("source", "translation"), "dataset.source_column=source dataset.target_column=translation"),
        (HubText, ("text", "label"), ""),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "readme"])
def test_columns_that_are_not_named_are_those_that_the_set_calls_so(tmp_path, kind, header, notes, ending):
    rows = [dict(zip(header, row, strict=True)) for row in LETTERS]
    path = tmp_path / ("train.csv" if ending == "readme" else f"train.{ending}")
    if ending == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    elif ending == "parquet":
        datasets.Dataset.from_list(rows).to_parquet(path)
    else:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([header, *LETTERS])
    if ending == "readme":  # the library reads it
        (tmp_path / "README.md").write_text(HIDDEN)
    source = kind(path=str(tmp_path if ending == "readme" else path))
    assert texts(source) == LETTERS
    said = " ".join(source.read(Path(), 0).notes)
    assert notes in said
    assert bool(notes) == bool(said)


def test_what_no_name_says_is_asked_for_with_the_columns(tmp_path):
    (tmp_path / "t.csv").write_text("stars,comment of it\n5,fine\n1,bad\n")
    with pytest.raises(DataError) as error:
        HubText(path=str(tmp_path / "t.csv")).read(Path(), 0)
    assert "They are: stars ('5', '1'); comment of it ('fine', 'bad')." in str(error.value)
    assert "Give dataset.text_column=NAME and dataset.label_column=NAME." in str(error.value)
    wide = [*(f"column_{number}" for number in range(57)), "review_text", "a", "my_label"]
    (tmp_path / "wide.csv").write_text(f"{','.join(wide)}\n{','.join('x' * 60)}\n")
    for source in (HubText(path=str(tmp_path / "wide.csv")), LabelledText(train=str(tmp_path / "wide.csv"))):
        with pytest.raises(DataError) as error:
            source.read(Path(), 0)
        shown = str(error.value).split("They are: ")[1].split("\n")[0]
        assert re.match(r"(review_text|57) \(('review_text', )?'x'\); (my_label|59) \(", shown)
        assert shown.endswith("; and 50 more.")
    with pytest.raises(DataError, match=r"such as dataset\.text_column=review_text,"):
        HubText(path=str(tmp_path / "wide.csv"), text_column="review", label_column="a").read(Path(), 0)
    (tmp_path / "t.jsonl").write_text(json.dumps({"id": "1", "translation": {"de": "ja", "en": "yes"}}) + "\n")
    assert texts(HubPairs(path=str(tmp_path / "t.jsonl"))) == [("ja", "yes")]  # as sets of the hub are
