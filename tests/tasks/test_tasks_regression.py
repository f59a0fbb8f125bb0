"""Regression: errors by hand, numbers standardized by train alone, what is refused, by every verb."""

import csv
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tasks_toys import attention
from tests_support import commands_run_in

from attnfocus.cli import main
from attnfocus.commands.compare.significance import sign_flip_p
from attnfocus.data import LabelledText, Row, load_codec
from attnfocus.data.batches import collate
from attnfocus.data.codecs.text_number import TextNumberCodec
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.errors import CheckpointError, ConfigError, DataError
from attnfocus.explanation.attribution import AttributionOptions, attribute
from attnfocus.explanation.faithfulness import measure_faithfulness
from attnfocus.models import PoolingClassifier
from attnfocus.tasks import RegressionTask
from attnfocus.tasks.measures.numbers import number_metrics

WORTH = {"good": 2, "bad": -2, "fine": 1, "the": 0}
ROWS = [Row(f"train:{n}", text, str(number)) for n, (text, number) in enumerate(
    [("good the fine", 10), ("bad bad the", 30), ("fine the", 20), ("the good good good", 40)]
)]  # fmt: skip


def task_and_model(loss=None):
    codec = TextNumberCodec.learn(ROWS, TokenizerOptions(min_frequency=1))
    torch.manual_seed(0)
    model = PoolingClassifier(attention=attention("additive"), embed_dim=8, **codec.dims())
    return RegressionTask(codec, loss=loss), model


def test_metrics_by_hand():
    # errors 1, -2, 3; the targets' mean is 4, their squared distances 4, 0, 4
    found = number_metrics([3.0, 2.0, 9.0], [2.0, 4.0, 6.0])
    assert found == pytest.approx({"mse": 14 / 3, "mae": 2.0, "r2": 1 - 14 / 8})
    assert set(number_metrics([1.0], [2.0])) == {"mse", "mae"}  # without a spread there is no r2


@pytest.mark.parametrize("loss", [None, "mae"])
def test_the_model_sees_standardized_numbers_and_people_their_own(loss):
    task, model = task_and_model(loss)
    assert task.codec.scale == (25.0, pytest.approx(np.sqrt(125)))
    examples = task.codec.encode_rows(ROWS)
    batch = collate(examples)
    assert batch.targets.dtype == torch.float32
    assert batch.targets.tolist() == pytest.approx([(number - 25) / np.sqrt(125) for number in (10, 30, 20, 40)])
    model.eval()
    outputs = model(batch.inputs, batch.input_lengths).logits.squeeze(-1)
    errors = outputs - batch.targets
    step = task.step(model, batch)
    assert step.num_targets == 4
    assert step.loss_sum.item() == pytest.approx((errors.abs() if loss else errors.square()).sum().item(), rel=1e-5)
    evaluation = task.evaluate(model, [batch])
    assert evaluation.metrics["mse"] == pytest.approx(125 * errors.square().mean().item(), rel=1e-4)
    assert evaluation.metrics["loss"] == pytest.approx(step.loss_sum.item() / 4, rel=1e-5)
    assert [float(each.text) for each in evaluation.predictions] == pytest.approx(
        (outputs * np.sqrt(125) + 25).tolist(), rel=1e-5
    )
    assert evaluation.extras["mean_baseline"] == pytest.approx({"number": 25.0, "mse": 125.0, "mae": 10.0})
    assert task.remarks(ROWS[:2], "mse", None) == ["without a model, always 25, the mean of train: mse 125, mae 10"]


def test_the_scale_is_of_train_alone_and_saved(tmp_path):
    codec = TextNumberCodec.learn(ROWS[:2], TokenizerOptions(min_frequency=1))
    codec.check("test", [Row("test:0", "good", "1e6")])
    codec.save(tmp_path)
    again = load_codec(tmp_path, [TextNumberCodec])
    assert again.scale == codec.scale == (20.0, 10.0)
    assert again.target_of(ROWS[3]) == 2.0
    (tmp_path / "codec.json").write_text((tmp_path / "codec.json").read_text().replace("[20.0, 10.0]", "[20.0, 0.0]"))
    with pytest.raises(CheckpointError, match="deviation above 0"):
        load_codec(tmp_path, [TextNumberCodec])


@pytest.mark.parametrize("target", ["many", "nan", "inf", "1_000", "1,5", ""])
def test_what_is_no_number_is_named(target):
    task, _ = task_and_model()
    with pytest.raises(DataError, match=r"valid row valid:7 has the target .*, which is no finite number such as 3.5"):
        task.codec.check("valid", [ROWS[0], Row("valid:7", "good", target)])
    assert not task.codec.is_known(target)


def test_equal_numbers_are_nothing_to_learn():
    with pytest.raises(DataError, match="all 2 training rows have the number 3: there is nothing to learn"):
        TextNumberCodec.learn([Row("1", "a", "3"), Row("2", "b", "3.0")], TokenizerOptions(min_frequency=1))


@pytest.mark.parametrize("option", ["r_drop", "label_smoothing"])
def test_what_is_for_probabilities_is_refused(option):
    with pytest.raises(ValueError, match=option):
        RegressionTask(None, **{option: 0.1})
    with pytest.raises(ValueError, match="must be one of mse, mae for regression, got cross_entropy"):
        RegressionTask(None, loss="cross_entropy")


def test_leaving_a_token_out_moves_the_number_by_what_it_is_said_to():
    task, model = task_and_model()
    examples = task.codec.encode_rows(ROWS)[:1]
    said = attribute(task, model, examples, "leave_one_out", AttributionOptions(leave_out="remove"))[0]
    model.eval()
    ids = examples[0].inputs.tolist()
    whole = model(torch.tensor([ids]), torch.tensor([3])).logits.item()
    without = model(torch.tensor([ids[1:]]), torch.tensor([2])).logits.item()
    assert said.scores[0, 0] == pytest.approx(whole - without, abs=1e-5)
    text = task.evaluate(model, [collate(examples)]).predictions[0].text
    assert said.query_tokens == (text,)
    assert float(text) == pytest.approx(whole * task.codec.scale.deviation + 25, rel=1e-5)
    gradients = attribute(task, model, examples, "integrated_gradients")[0]
    assert gradients.error is not None
    assert gradients.error < 0.05
    with pytest.raises(ConfigError, match="compares probabilities of answers"):
        measure_faithfulness(task, model, examples, num_examples=1, seed=0, split="test")


def test_the_randomization_test_is_that_over_all_signs():
    ours, theirs = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.5, 3.0, 2.5, 6.0, 7.0, 7.0]
    differences = np.subtract(theirs, ours)
    signs = itertools.product((-1, 1), repeat=6)
    exact = np.mean([abs(np.dot(each, differences)) >= abs(differences.sum()) - 1e-9 for each in signs])
    assert sign_flip_p(ours, theirs, 5000) == pytest.approx(exact, abs=0.02)
    assert sign_flip_p(ours, ours, 100) == 1.0


def write_table(path: Path, count: int = 60, bad: str = "") -> None:
    random = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for _ in range(count):
            words = random.choice(list(WORTH), 6).tolist()
            writer.writerow([" ".join(words), 100 + 10 * sum(map(WORTH.__getitem__, words))])
        if bad:
            writer.writerow(["good", bad])


def test_bad_rows_are_named_by_file_and_row(tmp_path):
    write_table(tmp_path / "table.csv", 3, bad="many")
    source = LabelledText(train=str(tmp_path / "table.csv")).for_task("regression")
    with pytest.raises(DataError, match=r"table.csv.*5.*'many' is no finite number such as 3.5"):
        source.read(tmp_path, 0)
    skipping = LabelledText(train=str(tmp_path / "table.csv"), on_bad_row="skip").for_task("regression")
    assert len(skipping.read(tmp_path, 0).splits["train"]) == 3


@pytest.mark.slow
def test_numbers_by_every_verb(tmp_path, monkeypatch, capsys):
    commands_run_in(tmp_path, monkeypatch)
    write_table(tmp_path / "table.csv")
    small = ("dataset=labelled_text", "dataset.task=regression", "dataset.train=table.csv", "model.embed_dim=8",
             "model=pooling_classifier", "trainer.max_steps=4", "report=false", "focus.num_samples=1")  # fmt: skip
    assert main(["train", *small, "run_dir=one"]) == 0
    assert "without a model, always" in capsys.readouterr().err
    assert main(["train", *small, "run_dir=two", "trainer.loss=mae"]) == 0
    summary = json.loads((tmp_path / "one/summary.json").read_text())
    assert summary["test"]["mean_baseline"]["mse"] > 0
    assert summary["best"]["metric"] == "mse"
    assert main(["evaluate", "run=one"]) == 0
    assert "the mean of train: mse" in capsys.readouterr().out
    assert main(["evaluate", "run=one", "faithfulness=true"]) == 2
    (tmp_path / "inputs.txt").write_text("good good\n")
    assert main(["predict", "run=one", "input=inputs.txt"]) == 0
    assert float(capsys.readouterr().out) > 0
    assert main(["inspect", "run=one", "method=leave_one_out", "num_examples=1"]) == 0
    assert "(in the data: " in capsys.readouterr().out
    assert main(["compare", "runs=[one,two]"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "mae ↓" in line]
    assert 0 < float(lines[-1].split()[-1]) <= 1
