"""`focus/drift`: how far maps move between evaluations; a resumed run measures what an uninterrupted one does."""

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests_support import TINY_DATES

from attnfocus.data import Row
from attnfocus.data.codecs.base import Encoded
from attnfocus.events import Evaluated, RolledBack, TrainingStarted
from attnfocus.layout import MAPS_FOLDER, MAPS_HISTORY_FILE
from attnfocus.models.base import Place
from attnfocus.tasks import Evaluation
from attnfocus.tracking.focus_drift import MAX_NUMBERS, FocusDrift, drift, few_enough
from attnfocus.tracking.map_history import read_history

EYE = torch.eye(3)[None, None]


def test_drift_by_hand():
    """From one key to another: 1. Of two attentions one moves wholly, one not at all: 1/2."""
    moved = EYE.roll(1, dims=-1)
    assert drift({"cross": EYE}, {"cross": EYE}) == pytest.approx(0, abs=1e-6)
    assert drift({"cross": EYE}, {"cross": moved}) == pytest.approx(1)
    assert drift({"cross": EYE, "self": EYE}, {"cross": moved, "self": EYE}) == pytest.approx(0.5)


def test_padding_does_not_count():
    padded = torch.nn.functional.pad(EYE, (0, 2, 0, 2))
    assert drift({"cross": padded}, {"cross": padded.roll(1, dims=-1)}) == pytest.approx(1)


def test_maps_of_other_examples_are_not_compared():
    assert drift({"cross": EYE}, {"cross": EYE[..., :2]}) is None
    assert drift({"cross": EYE}, {"other": EYE}) is None
    assert drift({"cross": 0 * EYE}, {"cross": EYE}) is None


def test_large_maps_are_of_fewer_examples():
    assert few_enough({"a": torch.zeros(4, 1, 512, 512)})["a"].shape[0] == 4
    assert few_enough({"a": torch.zeros(4, 2, 512, 512), "b": torch.zeros(4, 2, 512, 512)})["a"].shape[0] == 1
    assert few_enough({"a": torch.zeros(1, 1, 2, MAX_NUMBERS)}) == {}


class Looking(torch.nn.Linear):
    """What is asked of a model: what its weights mean."""

    num_prepended = 0

    def __init__(self) -> None:
        super().__init__(1, 1)

    def places_of(self, names: Iterable[str]) -> dict[str, Place]:
        return {name: Place(name, "pooling", "learned", "input") for name in names}


class Toy:
    """A run directory with evaluations at steps, whose maps look at key `step` of 9."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        example = Encoded("0", np.zeros(9, dtype=np.int64), 0, 1, Row("0", "a", "b"))
        self.drift = FocusDrift(folder, SimpleNamespace(splits={"valid": [example]}), 1)

    def evaluate(self, step: int) -> float | None:
        maps = {"cross": torch.nn.functional.one_hot(torch.tensor([[[step]]]), 9).float()}
        task = SimpleNamespace(
            maps=lambda model, batch: maps,
            axis_lengths=lambda batch: {"input": torch.tensor([9])},
            codec=SimpleNamespace(input_tokens=lambda ids: ["a" for _ in ids]),
        )
        evaluation = self.drift.added(Evaluation({}, []), task, Looking())
        self.drift.on_evaluation(Evaluated(step, 1, "valid", 1.0, {}))
        return evaluation.metrics.get("focus/drift")

    def kept(self) -> list[int]:
        return sorted(int(path.stem[-8:]) for path in (self.folder / "focus").glob("maps-*"))

    def history(self) -> list[int]:
        return list(read_history(self.folder).kept)


def started(step: int | None, is_evaluated: bool = True) -> TrainingStarted:
    return TrainingStarted(Path(), None, None, 1, step, is_evaluated)


def test_a_resumed_run_compares_with_the_evaluation_before_its_checkpoint(tmp_path):
    first = Toy(tmp_path)
    first.drift.on_start(started(None))
    assert first.evaluate(1) is None
    assert [first.evaluate(step) for step in (2, 3, 4)] == pytest.approx([1.0] * 3)
    assert first.kept() == [2, 3, 4]
    assert first.history() == [1, 2, 3, 4]
    again = Toy(tmp_path)
    again.drift.on_start(started(3))
    assert again.kept() == [2, 3]
    assert again.history() == [1, 2, 3]
    assert again.evaluate(3) == pytest.approx(0, abs=1e-6)
    unevaluated = Toy(tmp_path)
    unevaluated.drift.on_start(started(3, is_evaluated=False))
    assert unevaluated.kept() == [2]
    assert unevaluated.history() == [1, 2]
    assert unevaluated.evaluate(2) == pytest.approx(0, abs=1e-6)
    unevaluated.evaluate(3)
    unevaluated.drift.on_rollback(RolledBack(2))
    assert unevaluated.kept() == [2]
    assert unevaluated.history() == [1, 2]


def test_a_damaged_file_or_a_full_disk_ends_no_run(tmp_path, caplog):
    run = Toy(tmp_path)
    run.evaluate(1)
    for path in (tmp_path / "focus").iterdir():
        path.write_bytes(b"damaged")
    again = Toy(tmp_path)
    again.drift.on_start(started(1))
    assert again.evaluate(2) is None
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "focus").write_text("in the way")
    blocked = Toy(tmp_path / "other")
    with caplog.at_level(logging.WARNING):
        assert [blocked.evaluate(1), blocked.evaluate(2)] == [None, pytest.approx(1.0)]
    assert len(caplog.records) == 1


@pytest.mark.slow
def test_resuming_changes_no_drift(attnfocus, tmp_path):
    command = ["train", "model=seq2seq", *TINY_DATES, "trainer.evaluate_every_steps=2", "trainer.max_epochs=null"]
    command += ["focus.num_samples=1"]  # whose maps the drift is between

    def drifts(run):
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        return {line["step"]: line.get("focus/drift") for line in lines if line["split"] == "valid"}

    assert attnfocus(*command, "trainer.max_steps=8", "run_dir=whole").returncode == 0
    assert attnfocus(*command, "trainer.max_steps=4", "run_dir=part").returncode == 0
    done = attnfocus("train", "resume=part", "trainer.max_steps=8")
    assert done.returncode == 0, done.stderr
    found = drifts(tmp_path / "whole")
    assert list(found) == [2, 4, 6, 8]
    assert found[2] is None
    assert all(0 < found[step] < 1 for step in (4, 6, 8))
    assert drifts(tmp_path / "part") == found
    kept = [(tmp_path / run / MAPS_FOLDER / MAPS_HISTORY_FILE).read_bytes() for run in ("whole", "part")]
    assert kept[0] == kept[1]
    of_each = read_history(tmp_path / "whole").common()
    assert [len(of["cross"]) for of in of_each] == [4]
    assert of_each[0]["cross"].shape[2] == len("2012-12-30") + 1  # with the token that ends it
