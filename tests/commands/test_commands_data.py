"""What a user sees of data: at the start of training, by `attnfocus data`, and in the names of rows."""

import csv
import json
import random
import sys
from collections import Counter
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
import yaml
from rich.cells import cell_len
from tests_support import PAPER, Command, assert_for_paper, assert_polite, only_run

from attnfocus.data.rows import Row
from attnfocus.data.split import SplitOptions, split_train
from attnfocus.display.console import plain_console

pytestmark = pytest.mark.slow

LABELLED = ("dataset=labelled_text", "dataset.text_column=text", "dataset.label_column=label")
SHORT = ("model=pooling_classifier", "model.embed_dim=8", "trainer.max_steps=1", "focus.num_samples=0")


def write_csv(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path


def reviews(path: Path, num_good: int = 300, num_bad: int = 100) -> Path:
    """Seven words a row, two of which come once."""
    labels = ["good"] * num_good + ["bad"] * num_bad
    random.Random(4).shuffle(labels)
    rows = [(f"the film number {number} is very {label}", label) for number, label in enumerate(labels)]
    return write_csv(path, rows)


def train(attnfocus: Command, *overrides: str) -> str:
    done = attnfocus("train", *LABELLED, *SHORT, *overrides)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_the_start_says_lengths_unknown_tokens_and_classes(attnfocus: Command, tmp_path: Path) -> None:
    reviews(tmp_path / "r.csv")
    shown = train(attnfocus, "dataset.train=r.csv")
    # One of seven words comes once, so that it is in no other split.
    lines = [
        "train: 400 rows read, 40 moved to valid, 40 moved to test, 320 kept",
        "tokens a row: median 7, 95 % at most 7, longest 7; unknown 14.3 % of valid, 14.3 % of test",
        "2 classes: good 75.0 % of train, bad 25.0 %; always good: 75.0 % of valid",
    ]
    log = (only_run(tmp_path) / "train.log").read_text(encoding="utf-8")
    for line in lines:
        assert line in shown.splitlines()
        assert f": {line}\n" in log
    assert "warning" not in shown.split("attention path")[0]


def test_pairs_have_a_line_for_each_side(attnfocus: Command, tmp_path: Path) -> None:
    pairs = [f"{number:03}{'a' * (number % 9 + 1)}\t{'b c' * (number % 5 + 1)}" for number in range(400)]
    (tmp_path / "p.tsv").write_text("\n".join(pairs) + "\n", encoding="utf-8")
    sizes = ("model.embed_dim=8", "model.hidden_size=8", "trainer.max_steps=1", "focus.num_samples=0")
    given = ("dataset=parallel_text", "dataset.train=p.tsv", "dataset.tokenizer.kind=character")
    done = attnfocus("train", "model=seq2seq", *given, *sizes, "decoding.max_length=3", "trainer.max_epochs=1")
    assert done.returncode == 0, done.stderr
    assert "source tokens a row: median 8, 95 % at most 12, longest 12; unknown 0 % of valid" in done.stderr
    assert "target tokens a row: median 9, 95 % at most 15, longest 15; unknown 0 % of valid" in done.stderr


def test_a_set_of_words_that_come_once_is_warned_of(attnfocus: Command, tmp_path: Path) -> None:
    """`uniq.csv` of the cases: each row is a word that is nowhere else."""
    write_csv(tmp_path / "uniq.csv", [(f"w{number}", "ab"[number % 2]) for number in range(60)])
    shown = train(attnfocus, "dataset.train=uniq.csv", "dataset.tokenizer.min_frequency=2")
    assert (
        "warning: no token of train is known: dataset.tokenizer.min_frequency=2 leaves out what occurs less often. "
        "Use dataset.tokenizer.min_frequency=1 or dataset.tokenizer.kind=bpe." in shown
    )
    again = train(attnfocus, "dataset.train=uniq.csv", "dataset.tokenizer.min_frequency=1")
    assert "no token of train" not in again
    assert "warning: 100 % of the tokens of valid do not occur in train." in again


def test_labels_of_one_row_or_nearly_alike_and_small_splits_are_named(attnfocus: Command, tmp_path: Path) -> None:
    labels = ["Yes"] * 30 + ["yes"] * 20 + ["cafe\u0301"] * 20 + ["café"] * 20 + ["rare"]
    write_csv(tmp_path / "l.csv", [(f"text {number}", label) for number, label in enumerate(labels)])
    shown = train(attnfocus, "dataset.train=l.csv")
    assert "warning: the label rare has a single row, which stays in train: no score is about it." in shown
    alike = (
        "warning: labels that differ in case, blanks or Unicode form alone are classes of their own: "
        "\"Yes\" (24 rows), \"yes\" (16 rows); 'cafe\\u0301' (16 rows), 'caf\\xe9' (16 rows)."
    )
    assert alike in shown
    assert "warning: valid has 9 rows and test has 9 rows: one row is 11.1 % of a score" in shown


def test_a_row_far_longer_than_the_others_is_named_with_both_ways_out(attnfocus: Command, tmp_path: Path) -> None:
    rows = [(f"a film number {number}", "ab"[number % 2]) for number in range(400)]
    rows[7] = ("long " * 900, "a")
    write_csv(tmp_path / "l.csv", rows)
    given = ("dataset.train=l.csv", "dataset.split.seed=1")
    shown = train(attnfocus, *given)
    assert "warning: row train:9 has 900 tokens, 225 times the median: its batch is nearly all padding. " in shown
    assert "dataset.clean.max_words=10 leaves such rows out of train; " in shown
    assert "trainer.batch_unit=tokens trainer.batch_size=260 keeps batches alike in size." in shown
    for way_out in (["dataset.clean.max_words=10"], ["trainer.batch_unit=tokens", "trainer.batch_size=260"]):
        again = train(attnfocus, *given, *way_out)
        assert "times the median" not in again


def test_rows_that_were_drawn_for_test_are_called_so_and_lead_to_their_lines(
    attnfocus: Command, tmp_path: Path
) -> None:
    lines = reviews(tmp_path / "r.csv").read_text(encoding="utf-8").splitlines()
    train(attnfocus, "dataset.train=r.csv", "run_dir=run")
    answers = [json.loads(line) for line in (tmp_path / "run" / "predictions-test.jsonl").read_text().splitlines()]
    assert len({answer["id"] for answer in answers}) == len(answers) == 40
    for answer in answers:
        split, number = answer["id"].split(":")
        assert split == "test"
        assert lines[int(number) - 1].endswith(f",{answer['target']}")
    assert Counter(answer["target"] for answer in answers) == {"good": 30, "bad": 10}
    done = attnfocus("inspect", "run=run", "split=valid", "num_examples=2", "format=json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"id": "valid:') == 2


@pytest.mark.parametrize(("equality", "dropped"), [("tokens", 2), ("input", 1)])
def test_a_training_row_with_the_tokens_of_a_test_row_is_a_leak(
    attnfocus: Command, tmp_path: Path, equality: str, dropped: int
) -> None:
    known = [("Yes , we can", "a"), ("the same", "b")]
    other = [(f"another text {number}", "ab"[number % 2]) for number in range(60)]
    write_csv(tmp_path / "train.csv", [*known, *other])
    write_csv(tmp_path / "test.csv", [("yes, we  can", "a"), ("the same", "b")])
    given = ("dataset.train=train.csv", "dataset.test=test.csv", f"dataset.clean.equality={equality}")
    done = attnfocus("data", *LABELLED, *given)
    assert done.returncode == 0, done.stderr
    assert f", {dropped} also in valid or test dropped" in done.stdout


def test_a_run_of_before_keeps_its_rows_and_its_marks(attnfocus: Command, tmp_path: Path) -> None:
    """Its configuration has none of the new keys, and its fingerprints tell of the names that rows had then."""
    lines = reviews(tmp_path / "r.csv", num_good=60, num_bad=20).read_text(encoding="utf-8").splitlines()
    before = ("dataset.split.stratify=false", "dataset.clean.equality=input")
    train(attnfocus, "dataset.train=r.csv", "run_dir=run", *before)
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text(encoding="utf-8"))
    del config["dataset"]["split"]["stratify"], config["dataset"]["clean"]["equality"]
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    rows = [Row(f"train:{number}", *line.split(",")) for number, line in enumerate(lines, 1) if number > 1]
    splits = split_train({"train": rows}, SplitOptions(valid=0.1, test=0.1))
    marks = {
        split: sha256(b"".join(repr((row.id, row.input, row.target)).encode() for row in rows)).hexdigest()[:16]
        for split, rows in splits.items()
    }
    (tmp_path / "run" / "data" / "fingerprints.json").write_text(json.dumps(marks))
    done = attnfocus("evaluate", "run=run")
    assert done.returncode == 0, done.stderr
    marks["test"] = marks["valid"]
    (tmp_path / "run" / "data" / "fingerprints.json").write_text(json.dumps(marks))
    refused = attnfocus("evaluate", "run=run")
    assert_polite(refused, 3)
    assert "the rows of test are not those that this run has seen" in refused.stderr


def only_look(folder: Path) -> Path:
    (path,) = folder.glob("outputs/data/*/*/data.json")
    return path.parent


def test_data_shows_what_is_in_a_file_and_trains_nothing(attnfocus: Command, tmp_path: Path) -> None:
    reviews(tmp_path / "r.csv")
    done = attnfocus("data", *LABELLED, "dataset.train=r.csv", "dataset.tokenizer.min_frequency=2", *PAPER)
    assert done.returncode == 0, done.stderr
    shown = [line.split() for line in done.stdout.splitlines()]
    for row in (
        "rows 320 40 40",
        "tokens, median 7 7 7",
        "unknown 14.3 % 14.3 % 14.3 %",
        "good 240 75.0 % 30 75.0 % 30 75.0 %",
        "bad 80 25.0 % 10 25.0 % 10 25.0 %",
        "tokens the film number <unk> is very good",
    ):
        assert row.split() in shown, done.stdout
    folder = only_look(tmp_path)
    figures = {f"{name}.{ending}" for name in ("lengths", "classes") for ending in ("pdf", "svg", "txt")}
    assert {path.name for path in folder.iterdir()} == {"data.yaml", "data.json", *figures}
    assert_for_paper(folder, "lengths", 3.3, "median 7 (line)")
    assert_for_paper(folder, "classes", 3.3, "train 320, valid 40, test 40")
    assert str(folder) in done.stderr
    assert list((tmp_path / "outputs").iterdir()) == [tmp_path / "outputs" / "data"]
    again = attnfocus("data", *LABELLED, "dataset.train=r.csv", f"run_dir={folder}")
    assert_polite(again, 2)
    assert "already holds results (data.yaml)" in again.stderr


def test_data_fit_a_screen_of_40_columns(attnfocus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = partial(plain_console, width=40)
    monkeypatch.setattr("attnfocus.commands.data.command.open_console", lambda stream=sys.stderr: narrow(stream))
    labels = ["体育 新闻", "another label that is very long indeed", "c"]
    rows = [(f"第{number}部电影很好看，我们都很喜欢它的故事", labels[number % 3]) for number in range(60)]
    write_csv(tmp_path / "zh.csv", rows)
    done = attnfocus("data", *LABELLED, "dataset.train=zh.csv", "dataset.tokenizer.kind=character", "run_dir=look")
    assert done.returncode == 0, done.stderr
    assert max(map(cell_len, done.stdout.splitlines())) <= 40, done.stdout
    shown = [line.split() for line in done.stdout.splitlines()]
    assert ["体育", "新闻", "16", "33.3", "%"] in shown
    assert shown.count(["test"]) == 2


def test_data_of_pairs_in_chinese_as_json(attnfocus: Command, tmp_path: Path) -> None:
    lines = [f"第{number}部电影很好看\tfilm {number} is good" for number in range(60)]
    lines[0] = f"{'很' * 300}好\tvery good"
    (tmp_path / "zh.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    split = ("dataset.split.valid=2", "dataset.split.test=0", "dataset.split.seed=2")
    given = ("dataset=parallel_text", "dataset.train=zh.tsv", "dataset.tokenizer.kind=character", *split)
    done = attnfocus("data", *given, "format=json", "run_dir=look")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts == json.loads((tmp_path / "look" / "data.json").read_text(encoding="utf-8"))
    assert facts["splits"]["train"]["rows"] == 58
    assert facts["splits"]["train"]["lengths"]["source"]["longest"] == 301
    assert facts["splits"]["train"]["lengths"]["source"]["longest_row"] == "train:1"
    assert facts["splits"]["train"]["classes"] == {}
    assert facts["examples"][1]["tokens"][:2] == ["第", "1"]
    assert {path.name for path in (tmp_path / "look").iterdir()} == {
        "data.yaml",
        "data.json",
        "lengths.png",
        "lengths.txt",
    }


def test_data_of_a_set_that_is_made_on_the_spot(attnfocus: Command, tmp_path: Path) -> None:
    done = attnfocus("data", "model=pooling_classifier")  # whose own set is identity
    assert done.returncode == 0, done.stderr
    assert "positions, longest" in done.stdout
    assert "warning" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["model=seq2seq", *LABELLED, "dataset.train=r.csv"],
            "seq2seq does translation, but dataset labelled_text is for",
        ),
        (["dataset=labeled_text"], "dataset=labeled_text: no such choice. Did you mean labelled_text?"),
        ([*LABELLED, "dataset.trian=r.csv"], "dataset.trian: unknown key. Did you mean dataset.train?"),
        ([*LABELLED, "dataset.train=none.csv"], "dataset.train=none.csv: "),
        ([*LABELLED], "dataset.train is not given"),
        ([*LABELLED, "dataset.train=r.csv", "dataset.split.valid=7.5"], "valid=7.5: above 1 it is a number of inputs"),
        (
            ["dataset=dates", "dataset.task=classification", "trainer.monitor=null"],
            "this set is for translation. Set dataset.task=translation",
        ),
        (["dataset=dates", "resume=run"], "resume: data looks at a data set"),
        (["-m", "dataset=dates,languages"], "-m: sweeps are for train"),
        (["dataset=dates", "format=xml"], "format: must be one of table, json"),
    ],
)
def test_a_mistake_is_answered_before_anything_is_written(
    attnfocus: Command, tmp_path: Path, arguments: list[str], said: str
) -> None:
    reviews(tmp_path / "r.csv")
    done = attnfocus("data", *arguments)
    assert_polite(done, 2)
    assert said in done.stderr
    assert not (tmp_path / "outputs").exists()
