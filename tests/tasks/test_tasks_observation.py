"""Evaluations of long inputs: weights of some queries beside a fused kernel measure what whole maps do."""

import pytest
import torch
from tasks_toys import LABELLED, PAIRS, batches, classifier, label_codec, pair_codec, rows, transformer

from attnfocus.attention import Attention
from attnfocus.data.rows import Row
from attnfocus.tasks import ClassificationTask, TranslationTask, looks
from attnfocus.tasks.measures import focus_sums

TEXTS = [(" ".join([text] * (30 + 9 * number)), label) for number, (text, label) in enumerate(LABELLED)]
CODEC = label_codec()


@pytest.fixture
def shapes(monkeypatch):
    """The shapes of the weights that attentions give."""
    found, own = set(), Attention.run_path

    def noting(self, work, need_weights):
        context, weights = own(self, work, need_weights)
        found.add(None if weights is None else tuple(weights.shape[2:]))
        return context, weights

    monkeypatch.setattr(Attention, "run_path", noting)
    return found


def evaluated(model, examples=None, size=3):
    given = rows(TEXTS) if examples is None else examples
    found = ClassificationTask(CODEC).evaluate(model, batches(CODEC, given, size))
    return {**found.metrics, **{(row.attention, row.head): row.measures for row in found.focus.rows}}


def close(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert value == pytest.approx(second[name], rel=1e-4, abs=1e-5), name


@pytest.mark.parametrize(("preset", "pooling"), [("multi_head", "cls"), ("rotary", "mean"), ("local", "mean")])
def test_some_queries_measure_what_whole_maps_do(monkeypatch, shapes, preset, pooling):
    model = classifier("TransformerClassifier", CODEC, preset, pooling=pooling, num_layers=2)
    some = evaluated(model)
    assert (looks.MOST_QUERIES == focus_sums.MOST_QUERIES) == (64 in {each[0] for each in shapes if each})
    assert all(each is None or each[0] == 64 for each in shapes)
    close(some, evaluated(model, size=1))
    monkeypatch.setattr(looks, "MOST_QUERIES", None)  # whole maps, of which the same queries are measured
    whole = evaluated(model)
    close(some, whole)
    assert max(each[0] for each in shapes if each) > 64
    heads = [
        measures["max_logit"] for name, measures in some.items() if isinstance(name, tuple) and name[1] is not None
    ]
    assert some["focus/max_logit"] == pytest.approx(max(heads))
    assert 50 < some["focus/measured_queries"] <= 64  # one text is shorter
    assert "focus/measured_queries" not in evaluated(model, rows(LABELLED))


def test_known_evidence_asks_for_whole_maps(shapes):
    model = classifier("TransformerClassifier", CODEC, "multi_head", pooling="cls")
    text, label = TEXTS[1]
    known = [Row("test:0", text, label, rationale=((0, 4),))]
    assert "plausibility/auprc" in evaluated(model, known)
    assert {each[0] for each in shapes if each} == {len(text.split()) + 1}


def test_logits_of_decoders_and_of_attentions_that_show_none(shapes):
    codec = pair_codec()
    for preset, has_logits in (("multi_head", True), ("linear", False)):
        model = transformer(codec, preset)
        found = TranslationTask(codec).evaluate(model, batches(codec, rows(PAIRS), 4))
        assert ("focus/max_logit" in found.metrics) == has_logits
        assert all(("max_logit" in row.measures) == has_logits for row in found.focus.rows)
    assert torch.is_grad_enabled()
