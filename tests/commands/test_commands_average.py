"""`checkpoint=average`: the mean of a run's newest checkpoints, wherever a checkpoint is asked for."""

from pathlib import Path

import pytest
import torch
from tests_support import TINY_DATES

import attnfocus
from attnfocus.commands.evaluate.command import run as evaluate
from attnfocus.commands.train.command import run as train
from attnfocus.config.overrides import CommandLine
from attnfocus.errors import CheckpointError


def trained(*overrides: str) -> None:
    values = CommandLine("train", ()).compose([*TINY_DATES, "trainer.batch_size=16", *overrides], resolve=True)
    assert train(values, overrides) == 0


@pytest.mark.slow
def test_a_run_is_loaded_and_evaluated_with_the_mean_of_its_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    trained("trainer.save_every_steps=2", "trainer.keep_checkpoints=3", "run_dir=run")
    steps = ["step-00000002", "step-00000004", "step-00000006"]
    parts = [attnfocus.load("run", checkpoint=step, device="cpu").model.state_dict() for step in steps]
    averaged = attnfocus.load("run", checkpoint="average", device="cpu")
    assert averaged.step == 6
    for name, tensor in averaged.model.state_dict().items():
        assert torch.equal(tensor, (sum(part[name].double() for part in parts) / 3).float())
    values = CommandLine("evaluate", ()).compose(["run=run", "checkpoint=average", "device=cpu"], resolve=True)
    assert evaluate(values, []) == 0
    assert f"{averaged.evaluate('test').metrics['loss']:.4g}"[:5] in capsys.readouterr().out
    assert next(iter(averaged.predict(["3 May 1999"]))).skipped is None


@pytest.mark.slow
def test_a_run_with_one_checkpoint_has_no_average(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trained("trainer.max_steps=1", "run_dir=run")
    with pytest.raises(CheckpointError, match=r"There are: step-00000001. This run keeps the newest 2.\nTrain with"):
        attnfocus.load("run", checkpoint="average", device="cpu")
