"""Weights against rationales: which weights, and the numbers by hand, by loops and by another library."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tasks_toys import LABELLED, batches, classifier, label_codec, rows

from attnfocus.focus import token_f1
from attnfocus.models import Place
from attnfocus.tasks import ClassificationTask
from attnfocus.tasks.looks import Look
from attnfocus.tasks.measures.plausibility import Plausibility, token_weights


def with_rationales():
    """The texts, each with its first word marked."""
    return [replace(row, rationale=((0, len(str(row.input).split()[0])),)) for row in rows(LABELLED)]


class Regions:
    """A codec whose second and third positions hold the evidence."""

    def rationale(self, row):
        return (False, True, True, False)


def look(kind, weights):
    """All of weights (B, H, Q, K) is real."""
    place = Place("any", kind, "input" if kind == "self" else "learned", "input")
    return Look(place, weights, torch.full((len(weights),), weights.shape[3]), None)


def test_the_weights_of_tokens_are_those_of_pooling_or_cls():
    pooling, layer = torch.rand(2, 3, 1, 5), torch.rand(2, 3, 5, 5)
    looks = [look("self", layer), look("pooling", pooling)]
    torch.testing.assert_close(token_weights(looks, 0), pooling.mean(1)[:, 0])
    found = token_weights([look("self", torch.rand(2, 3, 5, 5)), look("self", layer)], 1)
    torch.testing.assert_close(found, layer[:, :, 0, 1:].mean(1))
    assert token_weights([look("self", layer)], 0) is None  # a mean over positions: no weight is given to a token


def test_figures_by_hand():
    """Weights .5 .1 .3 .1, the 1st and the 4th marked. By rank: right, wrong, wrong or right (ties together): precision
    1 at recall 1/2, then 2/4 at recall 1: 1/2 + 1/4. Half of the tokens are marked, so k is 2: one right of two."""
    row = rows([("good bad so film", "yes")])[0]
    row = replace(row, rationale=((0, 4), (12, 16)))
    plausibility = Plausibility(label_codec())
    plausibility.add(
        [row], torch.tensor([4]), [look("pooling", torch.tensor([0.5, 0.1, 0.3, 0.1]).view(1, 1, 1, 4))], 0
    )
    found = plausibility.metrics()
    assert found["plausibility/auprc"] == pytest.approx(0.75)
    assert found["plausibility/token_f1"] == pytest.approx(0.5)
    assert found["plausibility/pointing_game"] == 1.0
    assert found["plausibility/mass_inside"] == pytest.approx(0.6)
    regions = replace(rows([("b", "yes")])[0], input=np.zeros((2, 4)), regions=((0, 1, 1, 3),))
    known = Plausibility(Regions())
    known.add([regions], torch.tensor([4]), [look("pooling", torch.tensor([0.5, 0.2, 0.2, 0.1]).view(1, 1, 1, 4))], 0)
    found = known.metrics()
    assert (found["plausibility/pointing_game"], found["plausibility/mass_inside"]) == (0.0, pytest.approx(0.4))


def test_f1_by_hand():
    marked = torch.tensor([True, False, False, True, False])
    scores = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.0])
    assert token_f1(scores, marked, share=0.4) == pytest.approx(2 * 1 / (2 + 2))
    assert token_f1(scores, marked, share=0.2) == pytest.approx(2 * 1 / (1 + 2))
    assert token_f1(scores, marked, share=1.0) == pytest.approx(2 * 2 / (5 + 2))
    with pytest.raises(ValueError, match="share"):
        token_f1(scores, marked, share=0.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=12), st.floats(0.05, 1))
def test_f1_equals_another_library(tokens, share):
    from torchmetrics.functional.classification import binary_f1_score

    scores, marked = (torch.tensor(column) for column in zip(*tokens, strict=True))
    chosen = torch.zeros(len(tokens), dtype=torch.bool)
    count = int(torch.ceil(torch.tensor(round(share * len(tokens), 6), dtype=torch.float64)))
    order = sorted(range(len(tokens)), key=lambda place: (-scores[place].item(), place))
    chosen[order[:count]] = True
    assert token_f1(scores, marked, share=share) == pytest.approx(float(binary_f1_score(chosen, marked)), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "options"),
    [("RNNClassifier", {}), ("PoolingClassifier", {}), ("TransformerClassifier", {"pooling": "cls"})],
)
def test_evaluations_tell_it_whatever_the_batches(name, options):
    codec = label_codec()
    model, task, known = classifier(name, codec, **options), ClassificationTask(codec), with_rationales()
    found = []
    for size, order in ((7, None), (1, None), (3, range(6, -1, -1))):
        metrics = task.evaluate(model, batches(codec, known, size, order)).metrics
        found.append([metrics["plausibility/auprc"], metrics["plausibility/token_f1"]])
    assert found[1] == pytest.approx(found[0])
    assert found[2] == pytest.approx(found[0])


def test_without_rationales_or_weights_nothing_is_told():
    codec = label_codec()
    task = ClassificationTask(codec)
    plain = task.evaluate(classifier("RNNClassifier", codec), batches(codec, rows(LABELLED), 4)).metrics
    mean = task.evaluate(classifier("TransformerClassifier", codec), batches(codec, with_rationales(), 4)).metrics
    for metrics in (plain, mean):
        assert not [name for name in metrics if name.startswith("plausibility")]
