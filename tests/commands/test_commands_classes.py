"""Texts with labels through the real command: weights of classes, figures of each class, and the baselines."""

import csv
import json
import random
import resource
from pathlib import Path
from typing import Any

import pytest
from sklearn import metrics as sk
from tests_support import Command, assert_polite, only_run, summary_of

from attnfocus.cli import main
from attnfocus.commands.train import linear_baseline as module
from attnfocus.commands.train.linear_baseline import fit_linear, some_rows
from attnfocus.data.rows import Row
from attnfocus.display.classes import ClassTable
from attnfocus.runs.class_files import CLASSES_FILE, save_classes
from attnfocus.tasks.measures.classes import by_class

WORDS = {"positive": ("good", "fine", "great"), "negative": ("bad", "awful"), "so, so": ("odd", "meh")}
SMALL = (
    "model=rnn_classifier",
    "dataset=labelled_text",
    "dataset.train=train.tsv",
    "dataset.valid=valid.tsv",
    "dataset.test=test.tsv",
    "model.embed_dim=8",
    "model.hidden_size=8",
    "optimizer.lr=0.05",
    "trainer.batch_size=16",
    "focus.num_samples=0",
)


def write_splits(folder: Path) -> None:
    """Most rows are positive; words tell the labels apart, but for one word in ten."""
    draw = random.Random(0)
    for split, count in (("train", 120), ("valid", 30), ("test", 40)):
        lines = []
        for number in range(count):
            label = draw.choices(list(WORDS), weights=(6, 3, 1))[0]
            word = draw.choice(WORDS[label if draw.random() < 0.9 else "positive"])
            lines.append(f"a {word} film number {split}{number}\t{label}")
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run with all of it, and what its command showed."""
    from command_here import run_here

    folder = tmp_path_factory.mktemp("classes")
    write_splits(folder)
    options = ("trainer.class_weights=balanced", "trainer.loss=focal", "baseline=linear", "trainer.max_epochs=3")
    done = run_here(["train", *SMALL, *options], folder)
    assert done.returncode == 0, done.stderr
    return only_run(folder), done.stderr


def answers_of(run: Path) -> tuple[list[str], list[str]]:
    lines = [json.loads(line) for line in (run / "predictions-test.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line["target"] for line in lines], [line["prediction"] for line in lines]


@pytest.mark.slow
def test_the_summary_has_each_class_as_scikit_learn_counts_it(trained: tuple[Path, str]) -> None:
    test, (targets, answers) = summary_of(trained[0])["test"], answers_of(trained[0])
    labels = test["labels"]
    expected = sk.precision_recall_fscore_support(targets, answers, labels=labels, zero_division=0)
    for name, values in zip(("precision", "recall", "f1", "rows"), expected, strict=True):
        assert [each[name] for each in test["classes"]] == pytest.approx(list(values), abs=1e-6)
    assert [each["label"] for each in test["classes"]] == labels
    for name in ("precision", "recall", "f1"):
        mean = sum(each[name] for each in test["classes"]) / len(labels)
        assert test[f"macro_{name}"] == pytest.approx(mean, abs=1e-6)
    assert test["majority"]["label"] == "positive"
    assert test["majority"]["accuracy"] == pytest.approx(targets.count("positive") / len(targets), abs=1e-6)


@pytest.mark.slow
def test_the_summary_has_a_line_for_each_row_of_the_matrix(trained: tuple[Path, str]) -> None:
    lines = [line.strip() for line in (trained[0] / "summary.json").read_text(encoding="utf-8").splitlines()]
    test = summary_of(trained[0])["test"]
    assert all(json.dumps(row) in {line.rstrip(",") for line in lines} for row in test["confusion_matrix"])
    assert len(lines) < 110 + 2 * len(test["labels"])


def test_files_hold_the_classes_the_matrix_and_its_figure(trained: tuple[Path, str]) -> None:
    run, _ = trained
    head, *lines = csv.reader((run / "classes-test.csv").read_text(encoding="utf-8").splitlines())
    test = summary_of(run)["test"]
    assert head[:5] == ["class", "rows", "precision", "recall", "f1"]
    assert head[5:] == [f"answered {label}" for label in test["labels"]]
    assert [[int(count) for count in line[5:]] for line in lines] == test["confusion_matrix"]
    assert (run / "confusion-test.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_screen_shows_classes_and_both_baselines_beside_the_accuracy(trained: tuple[Path, str]) -> None:
    run, shown = trained
    lines = shown.splitlines()
    [place] = [number for number, line in enumerate(lines) if line.startswith("accuracy ")]
    baseline = summary_of(run)["baseline"]
    assert lines[place + 1].split()[:2] == ["majority", "baseline"]
    assert lines[place + 2].split()[:2] == ["linear", "baseline"]
    figures = [float(figure) for figure in lines[place + 2].split()[2:]]
    assert figures == pytest.approx([baseline["accuracy"]["valid"], baseline["accuracy"]["test"]], abs=1e-4)
    assert any(line.split() == ["class", "rows", "precision", "recall", "f1", "taken", "for"] for line in lines)
    assert any(line.startswith("true \\ answer") for line in lines)


@pytest.mark.slow
def test_the_linear_baseline_learns_the_same_rows(trained: tuple[Path, str]) -> None:
    baseline = summary_of(trained[0])["baseline"]
    assert (baseline["name"], baseline["rows"], baseline["of_rows"]) == ("linear", 120, 120)
    assert baseline["c"] in (1, 10, 100)
    assert baseline["accuracy"]["test"] > summary_of(trained[0])["test"]["majority"]["accuracy"] + 0.1


@pytest.mark.slow
def test_evaluate_shows_the_same_of_any_split(trained: tuple[Path, str], capsys: Any) -> None:
    run, _ = trained
    assert main(["evaluate", f"run={run}"]) == 0
    shown = capsys.readouterr().out
    assert "always positive, the commonest label: accuracy" in shown
    assert "taken for" in shown
    assert main(["evaluate", f"run={run}", "format=json", "split=valid"]) == 0
    assert [each["label"] for each in json.loads(capsys.readouterr().out)["classes"]] == sorted(WORDS)


@pytest.mark.slow
def test_a_run_with_weights_goes_on_as_if_it_had_not_been_stopped(here: Path) -> None:
    write_splits(here)
    options = [*SMALL, "trainer.class_weights=balanced", "trainer.accumulate_steps=2", "trainer.evaluate_every_steps=3"]
    assert main(["train", *options, "trainer.max_steps=6", "run_dir=whole"]) == 0
    assert main(["train", *options, "trainer.max_steps=3", "run_dir=parts"]) == 0
    assert main(["train", "resume=parts", "trainer.max_steps=6"]) == 0
    assert summary_of(here / "parts")["test"] == summary_of(here / "whole")["test"]
    assert main(["train", *SMALL, *options[-2:], "trainer.max_steps=6", "run_dir=plain"]) == 0
    assert summary_of(here / "plain")["test"]["loss"] != summary_of(here / "whole")["test"]["loss"]


@pytest.mark.slow
def test_ctrl_c_in_the_baseline_leaves_the_finished_run_as_it_is(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from attnfocus.commands.train import run_report

    def press(*given: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_report, "linear_baseline", press)
    write_splits(here)
    assert main(["train", *SMALL, "trainer.max_steps=1", "baseline=linear", "run_dir=run"]) == 130
    summary = summary_of(here / "run")
    assert summary["status"] == "completed"
    assert "accuracy" in summary["test"]
    assert "baseline" not in summary


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["trainer.class_weights=balanced"], "trainer.class_weights=balanced: is for classification"),
        (["trainer.loss=focal"], "must be one of cross_entropy for translation, got focal"),
        (["trainer.focal_gamma=1"], "Add trainer.loss=focal"),
        (["trainer.class_weights=balancd"], "Did you mean balanced?"),
        (
            ["baseline=linear"],
            "baseline=linear: is a classifier of texts and signals, and the dataset is for translation",
        ),
        (["baseline=liner"], "Did you mean linear?"),
        (["model=pooling_classifier", "baseline=linear"], "this set holds vectors"),
    ],
)
def test_what_makes_no_sense_is_refused(attnfocus: Command, options: list[str], said: str) -> None:
    done = attnfocus("train", *options)
    assert_polite(done, 2)
    assert said in done.stderr


def test_without_scikit_learn_the_way_to_install_it_is_said(
    attnfocus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_splits(tmp_path)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    done = attnfocus("train", *SMALL, "baseline=linear")
    assert_polite(done, 2)
    assert "pip install 'attnfocus[baseline]'" in done.stderr
    assert not (tmp_path / "outputs").exists()


def test_of_a_large_set_some_rows_of_every_label_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CHARACTERS", 1000)
    rows = [Row(str(number), "x" * 100, "rare" if number == 7 else str(number % 2)) for number in range(100)]
    kept = some_rows(rows)
    assert len(kept) in (10, 11)
    assert {row.target for row in kept} == {"rare", "0", "1"}
    assert some_rows(rows[:9]) == rows[:9]
    monkeypatch.setattr(module, "MAX_WORK", 900)  # 3 classes: 300 characters
    assert len(some_rows(rows)) in (3, 4, 5)


@pytest.mark.slow
def test_the_c_that_is_best_on_valid_is_taken_and_10_where_there_is_no_valid() -> None:
    rows = [Row(str(n), f"{'good' if n % 2 else 'bad'} {n}", str(n % 2)) for n in range(40)]
    said: list[str] = []
    model = fit_linear(rows, rows, said.append)
    assert model.c == 1  # all are right: the strongest penalty
    assert len(said) == 4
    assert fit_linear(rows, []).c == 10
    odd = fit_linear([Row("1", "!!", "a"), Row("2", "??", "b")], [])
    assert odd.accuracy([Row("3", "!!", "a")]) == 1  # signs are words, too


def test_files_of_classes_that_cannot_be_written_cost_themselves_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / CLASSES_FILE).write_text("of other weights")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        save_classes(tmp_path, table(3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "could not be written" in caplog.text
    assert not list(tmp_path.iterdir())


def table(num_classes: int) -> ClassTable:
    labels = [f"label {number}" for number in range(num_classes)]
    matrix = [[0] * num_classes for _ in labels]
    for number in range(num_classes):
        matrix[number][number] = 5
        matrix[number][(number + 1) % num_classes] = number % 7
    return ClassTable(labels, matrix, by_class(matrix, labels))


@pytest.mark.parametrize("width", [80, 40, 20])
def test_the_table_of_classes_fits_the_screen(width: int) -> None:
    lines = table(3).lines(width)
    assert max(map(len, lines)) <= width
    assert len(lines) == 4
    assert "f1" in lines[0]


def test_of_many_classes_the_worst_are_shown() -> None:
    shown = table(30)
    lines = shown.lines(80)
    assert len(lines) == 7
    assert lines[-1] == "and 25 classes with a higher F1"
    worst = min(each["f1"] for each in shown.classes)
    assert float(lines[1].split()[5]) == pytest.approx(worst, abs=1e-3)


def test_a_class_that_never_occurs_has_no_figures() -> None:
    classes = by_class([[3, 0, 0], [1, 0, 0], [0, 0, 0]], ["a", "b", "c"])
    assert classes[1] == {"label": "b", "rows": 1, "precision": 0.0, "recall": 0.0, "f1": 0.0}
    assert classes[2] == {"label": "c", "rows": 0, "precision": None, "recall": None, "f1": None}
