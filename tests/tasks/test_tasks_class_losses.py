"""Focal loss and weights of classes: the formulas as loops in float64, and sums that parts of a batch add up to."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from tasks_toys import LABELLED, batches, label_codec, rows

from attnfocus.data.rows import Row
from attnfocus.models import Classifier, ClassifierOutput
from attnfocus.runs.assembly import balanced_weights
from attnfocus.tasks import ClassificationTask
from attnfocus.tasks.class_losses import focal_factors

WEIGHTS = [0.5, 2.0, 0.75]


class Table(Classifier):
    """Logits in float64 from a learned row for each example, found by its token ids."""

    def __init__(self, codec: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        inputs = [tuple(codec.encode_input(text, "").inputs.tolist()) for text, _ in LABELLED]
        self.places = {key: place for place, key in enumerate(inputs)}
        self.table = torch.nn.Parameter(2 * torch.randn(len(LABELLED), 3, dtype=torch.float64))

    def forward(self, inputs: Any, lengths: Any, need_weights: bool = False) -> ClassifierOutput:
        keys = [tuple(row[:length].tolist()) for row, length in zip(inputs, lengths.tolist(), strict=True)]
        return ClassifierOutput(self.table[[self.places[key] for key in keys]], {})


def by_loops(logits: Sequence[Sequence[float]], targets: Sequence[int], gamma: float, smoothing: float) -> float:
    total = 0.0
    for scores, target in zip(logits, targets, strict=True):
        norm = math.log(sum(math.exp(score) for score in scores))
        loss = 0.0
        for number, score in enumerate(scores):
            share = smoothing / 3 + (1 - smoothing) * (number == target)
            loss -= share * (score - norm)
        total += WEIGHTS[target] * (1 - math.exp(scores[target] - norm)) ** gamma * loss
    return total


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_weighted_focal_loss_is_the_formula(gamma: float, smoothing: float) -> None:
    codec = label_codec()
    model, options = Table(codec), {"loss": "focal", "focal_gamma": gamma, "label_smoothing": smoothing}
    task = ClassificationTask(codec, class_weights=WEIGHTS, **options)
    [batch] = batches(codec, rows(LABELLED), 7)
    step = task.step(model, batch)
    expected = by_loops(model.table.tolist(), batch.targets.tolist(), gamma, smoothing)
    assert step.loss_sum.dtype == torch.float64
    assert step.loss_sum.item() == pytest.approx(expected, rel=1e-12)
    assert step.num_targets == 7


def test_parts_of_a_batch_add_up_to_the_whole_and_so_do_their_gradients() -> None:
    codec = label_codec()
    task = ClassificationTask(codec, loss="focal", class_weights=WEIGHTS)
    model, sums = Table(codec), []
    for size in (7, 3):
        model.table.grad = None
        steps = [task.step(model, batch) for batch in batches(codec, rows(LABELLED), size)]
        for step in steps:
            step.loss_sum.backward()
        sums.append((sum(step.loss_sum.item() for step in steps), sum(step.num_targets for step in steps)))
        sums.append(model.table.grad.clone())
    assert sums[2] == (pytest.approx(sums[0][0], rel=1e-12), sums[0][1])
    torch.testing.assert_close(sums[3], sums[1], rtol=1e-12, atol=0)


def test_a_gamma_of_0_is_the_cross_entropy_to_the_bit() -> None:
    codec = label_codec()
    [batch] = batches(codec, rows(LABELLED), 7)
    model = Table(codec)
    focal = ClassificationTask(codec, loss="focal", focal_gamma=0).step(model, batch)
    assert focal.loss_sum.item() == ClassificationTask(codec).step(model, batch).loss_sum.item()


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_an_answer_that_is_certain_has_no_loss_and_a_finite_gradient(gamma: float) -> None:
    logits = torch.tensor([[200.0, 0.0, 0.0], [0.0, 1.0, 0.0]], requires_grad=True)
    factors = focal_factors(logits, torch.tensor([0, 1]), gamma)
    factors.sum().backward()
    assert factors[0].item() < 1e-15
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_r_drop_weighs_the_loss_and_not_the_divergence() -> None:
    codec = label_codec()
    [batch] = batches(codec, rows(LABELLED), 7)
    model = Table(codec)  # without dropout both passes agree: the divergence is 0
    once = ClassificationTask(codec, class_weights=WEIGHTS).step(model, batch)
    twice = ClassificationTask(codec, class_weights=WEIGHTS, r_drop=5.0).step(model, batch)
    assert twice.loss_sum.item() == pytest.approx(once.loss_sum.item(), rel=1e-12)


def test_evaluations_measure_without_weights_and_gamma() -> None:
    codec = label_codec()
    data, model = batches(codec, rows(LABELLED), 3), Table(codec)
    weighted = ClassificationTask(codec, loss="focal", class_weights=WEIGHTS).evaluate(model, data)
    assert weighted.metrics == ClassificationTask(codec).evaluate(model, data).metrics


def test_balanced_weights_give_each_class_the_same_sum_and_each_row_1_on_average() -> None:
    labels = ["yes"] * 6 + ["no"] * 3 + ["maybe"]
    found = [Row(str(number), "text", label) for number, label in enumerate(labels)]
    weights = dict(zip(("maybe", "no", "yes"), balanced_weights(found, ("maybe", "no", "yes")), strict=True))
    assert [weights[label] * labels.count(label) for label in weights] == pytest.approx([10 / 3] * 3)
    assert sum(weights[label] for label in labels) == pytest.approx(10)
