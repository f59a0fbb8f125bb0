"""Focus in the reports: warnings that are never false, and which numbers of each head are written where."""

import csv
import json
import logging
from pathlib import Path

import pytest
import torch

from attnfocus.commands.sweep.table import JobResult, write_results_csv
from attnfocus.events import Evaluated, Progress, TrainingStarted
from attnfocus.tasks.measures.focus import FocusMeans, focus_table
from attnfocus.tracking.collapse_warning import FocusWatch
from attnfocus.tracking.metrics_file import MetricsFile, logged_heads, logged_metrics

KINDS = {"cross": "cross", "layers.0": "self", "pooling": "pooling"}
EYE = torch.eye(6)
FIRST = torch.zeros(6, 6).index_fill(1, torch.tensor([0]), 1.0)
EQUAL = torch.full((6, 6), 1 / 6)


def evaluated(heads, step=1, split="valid"):
    return Evaluated(step, 1, split, 1.0, {"loss": 1.0}, heads=heads)


def warnings(caplog, weights, *, fraction_done=1.0, times=1):
    """What is said when these maps, by attention (H, Q, K), are seen."""
    watch = FocusWatch()
    watch.on_progress(Progress(1, 1, fraction_done, 1.0, None, 1.0, 0.1, 1.0, 1.0, is_logged=True))
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        for step in range(times):
            watch.on_evaluation(evaluated(focus_table(weights, KINDS).heads(), step))
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("name", ["cross", "layers.0"])
def test_collapse_is_told_once(caplog, name):
    (line,) = warnings(caplog, {name: torch.stack((FIRST, FIRST.roll(2, dims=1)))}, times=3)
    assert line.startswith(f"step 0: attention {name} has collapsed")
    assert warnings(caplog, {name: FIRST[None]}, fraction_done=0.0)


@pytest.mark.parametrize("name", ["cross", "layers.0"])
def test_alignments_and_single_heads_at_rest_are_no_collapse(caplog, name):
    assert not warnings(caplog, {name: EYE[None]})
    assert not warnings(caplog, {name: torch.stack((FIRST, EYE))})
    assert not warnings(caplog, {name: torch.stack((FIRST, EQUAL))})
    assert not warnings(caplog, {name: FIRST[None, :1]})  # one query has no other to differ from
    assert not warnings(caplog, {name: FIRST[None, :, :1]})  # one key: nothing to choose from


def test_a_pooling_that_always_looks_at_one_end_has_collapsed(caplog):
    assert "the first position" in warnings(caplog, {"pooling": EYE[None, :1]})[0]
    assert "the last position" in warnings(caplog, {"pooling": EYE[None, 5:]})[0]
    means = FocusMeans()
    places = torch.stack((EYE[:1], EYE[3:4], EYE[5:])).unsqueeze(1)  # another word in each example
    means.add("pooling", "pooling", places, torch.tensor([6, 6, 6]), None)
    watch = FocusWatch()
    caplog.clear()
    watch.on_evaluation(evaluated(means.table().heads()))
    assert not caplog.records


def test_uniform_weights_are_told_once_half_of_the_run_is_over(caplog):
    assert not warnings(caplog, {"cross": EQUAL[None]}, fraction_done=0.4)
    (line,) = warnings(caplog, {"cross": EQUAL[None]}, fraction_done=0.5, times=2)
    assert "still uniform" in line
    assert not warnings(caplog, {"cross": torch.stack((EQUAL, EYE))})
    nearly = torch.softmax(torch.linspace(0, 1, 6), 0).expand(6, 6)
    assert not warnings(caplog, {"cross": nearly[None]})


def test_entropy_that_is_lost_while_the_loss_rises_is_told(caplog):
    def said(*evaluations):
        watch = FocusWatch()
        caplog.clear()
        for step, (loss, entropies) in enumerate(evaluations):
            heads = {"layers.0": {"normalized_entropy": entropies}, "layers.1": {"normalized_entropy": (0.5, 0.9)}}
            watch.on_evaluation(Evaluated(step, 1, "valid", 1.0, {"loss": loss}, heads=heads))
        return [record.getMessage() for record in caplog.records]

    (line,) = said((2.0, (0.6, 0.4)), (1.0, (0.5, 0.3)), (1.5, (0.03, 0.01)), (1.6, (0.03, 0.01)))
    assert line.startswith(
        "step 2: attention layers.0 lost its entropy, 0.40 -> 0.02 (1: uniform), while the loss rose"
    )
    assert "from 1 to 1.5: focus.sigma_reparametrization=true" in line
    assert not said((2.0, (0.6, 0.4)), (1.0, (0.02, 0.01)), (1.5, (0.02, 0.01)))  # sharp, and the loss had fallen
    assert not said((1.0, (0.6, 0.4)), (1.5, (0.02, 0.4)))  # one head of two
    assert not said((1.0, (0.6, 0.4)), (1.05, (0.02, 0.01)))


def test_logits_that_explode_are_told_once(caplog):
    watch = FocusWatch()
    for step, largest in enumerate((99.0, 130.0, 400.0)):
        watch.on_evaluation(evaluated({"cross": {"max_logit": (3.0, largest)}}, step))
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("step 1: attention cross has logits up to 130")


def test_a_test_split_or_no_heads_are_not_judged(caplog):
    FocusWatch().on_evaluation(evaluated(focus_table({"cross": FIRST[None]}, KINDS).heads(), split="test"))
    FocusWatch().on_evaluation(evaluated({}))
    assert not caplog.records


def test_each_head_is_one_short_list_in_metrics_jsonl(tmp_path: Path):
    file = MetricsFile()
    file.on_start(TrainingStarted(tmp_path, 10, None, 10))
    heads = focus_table({"cross": torch.stack((EYE, EQUAL)), "layers.0": EYE[None]}, KINDS).heads()
    file.on_evaluation(evaluated(heads))
    file.on_evaluation(evaluated({}, step=2))
    file.close()
    first, second = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    assert list(first["focus/heads"]) == ["cross", "layers.0"]
    assert first["focus/heads"]["cross"]["effective_positions"] == [1.0, 6.0]
    measures = {"effective_positions", "distance", "first_mass", "normalized_entropy"}
    assert set(first["focus/heads"]["layers.0"]) == measures
    assert "focus/heads" not in second
    assert logged_metrics(tmp_path / "metrics.jsonl", 1, "valid") == {"loss": 1.0}


def test_a_hundred_heads_stay_a_line_that_can_be_read():
    torch.manual_seed(0)
    names = [f"layers.{depth}" for depth in range(12)]
    heads = focus_table({name: torch.rand(12, 20, 20) for name in names}, dict.fromkeys(names, "self")).heads()
    assert len(json.dumps(logged_heads(heads))) < 7000


def test_results_csv_keeps_the_measures_that_sum_up(tmp_path: Path):
    test = {"bleu": 1.0, "focus/effective_positions": 2.0, "focus/diagonality": 0.5}
    write_results_csv(tmp_path / "results.csv", [JobResult(0, {}, "done", tmp_path, test=test)])
    (row,) = csv.DictReader((tmp_path / "results.csv").read_text().splitlines())
    assert row["test/focus/effective_positions"] == "2.0"
    assert "test/focus/diagonality" not in row
