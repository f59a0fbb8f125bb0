"""Classification: the losses by hand, metrics against scikit-learn, weights of self-attention."""

import json
import math

import pytest
import torch
from sklearn import metrics as sk
from tasks_toys import CLASSIFIERS, LABELLED, batches, classifier, label_codec, rows, vector_codec

from attnfocus.models import Classifier, ClassifierOutput
from attnfocus.tasks import ClassificationTask

LOGITS = [
    [2.0, 0.0, -1.0],
    [0.1, 0.2, 0.3],
    [0.5, 3.0, 0.0],
    [1.0, 0.0, 0.0],
    [0.0, 1.0, 0.0],
    [0.9, 0.0, 0.4],
    [1.0, 2.0, 3.0],
]


class Fixed(Classifier):
    """Answers LOGITS by the number of the row, found by its token ids."""

    def __init__(self, codec, logits=LOGITS):
        super().__init__()
        inputs = [tuple(codec.encode_input(text, "").inputs.tolist()) for text, _ in LABELLED]
        self.logits = dict(zip(inputs, logits, strict=True))

    def forward(self, inputs, lengths, need_weights=False):
        keys = [tuple(row[:length].tolist()) for row, length in zip(inputs, lengths.tolist(), strict=True)]
        return ClassifierOutput(torch.tensor([self.logits[key] for key in keys]), {})


def evaluated(**options):
    codec = label_codec()
    return ClassificationTask(codec, **options).evaluate(Fixed(codec), batches(codec, rows(LABELLED), 3))


@pytest.mark.parametrize("smoothing", [0.0, 0.25])
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_the_loss_is_the_formula(loss, smoothing):
    codec = label_codec()
    [batch] = batches(codec, rows(LABELLED), 7)
    step = ClassificationTask(codec, loss=loss, label_smoothing=smoothing).step(Fixed(codec), batch)
    total = 0.0
    for scores, (_, label) in zip(LOGITS, LABELLED, strict=True):
        expected = [smoothing / 3 + (1 - smoothing) * (name == label) for name in codec.labels]
        if loss == "mse":
            total += sum((s - e) ** 2 for s, e in zip(scores, expected, strict=True)) / 3
        else:
            norm = math.log(sum(math.exp(s) for s in scores))
            total -= sum(e * (s - norm) for s, e in zip(scores, expected, strict=True))
    assert step.loss_sum.item() == pytest.approx(total, rel=1e-6)
    assert step.num_targets == 7


def test_metrics_are_those_of_scikit_learn():
    result = evaluated()
    true = [label for _, label in LABELLED]
    answers = [each.text for each in result.predictions]
    assert answers == ["no", "yes", "maybe", "no", "maybe", "no", "yes"]
    assert result.metrics["accuracy"] == pytest.approx(sk.accuracy_score(true, answers))
    for name, function in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)):
        assert result.metrics[f"macro_{name}"] == pytest.approx(function(true, answers, average="macro"), abs=1e-6)
    labels = result.extras["labels"]
    assert result.extras["confusion_matrix"] == sk.confusion_matrix(true, answers, labels=labels).tolist()
    json.dumps(result.extras)


def test_classes_that_never_occur_do_not_lower_macro_averages():
    codec = label_codec()
    two = [(text, label) for text, label in LABELLED if label != "maybe"]
    right = {"no": [9.0, 0, 0], "yes": [0, 0, 9.0], "maybe": [0, 9.0, 0]}
    model = Fixed(codec, [right[label] for _, label in LABELLED])
    metrics = ClassificationTask(codec).evaluate(model, batches(codec, rows(two), 2)).metrics
    assert [metrics[name] for name in ("accuracy", "macro_precision", "macro_recall", "macro_f1")] == [1.0] * 4


def test_evaluation_measures_without_label_smoothing():
    assert evaluated(label_smoothing=0.4).metrics == evaluated().metrics


def test_scores_are_log_probabilities_of_the_answer():
    by_id = {each.id: each for each in evaluated().predictions}
    norm = math.log(sum(math.exp(s) for s in LOGITS[0]))
    assert by_id["test:0"].score == pytest.approx(2.0 - norm)
    squared = {each.id: each for each in evaluated(loss="mse").predictions}
    assert squared["test:5"].score == pytest.approx(math.log(0.9))
    assert squared["test:6"].score == 0.0  # outputs above 1 are clipped,
    assert squared["test:6"].text == "yes"  # but still compared


@pytest.mark.parametrize("pooling", ["mean", "cls", "attention"])
def test_every_pooling_of_the_transformer_is_shown_with_its_tokens(pooling):
    codec = label_codec()
    model = classifier("TransformerClassifier", codec, pooling=pooling, num_layers=2)
    answers = list(ClassificationTask(codec).predict(model, batches(codec, rows(LABELLED), 7), need_weights=True))
    tokens = ("<cls>",) * (pooling == "cls") + ("good", "good", "film")
    assert answers[1].key_tokens == tokens
    names = {"layers.0", "layers.1"} | ({"pooling"} if pooling == "attention" else set())
    assert set(answers[1].weights) == names
    assert answers[1].weights["layers.1"].shape == (4, len(tokens), len(tokens))
    assert answers[1].query_tokens["layers.0"] == tokens
    if pooling == "attention":
        assert answers[1].query_tokens["pooling"] == ("pooling",)
        assert answers[0].weights["pooling"].shape == (4, 1, 1)
    metrics = ClassificationTask(codec).evaluate(model, batches(codec, rows(LABELLED), 7)).metrics
    lengths = [len(text.split()) + (pooling == "cls") for text, _ in LABELLED]
    per_query = sum(length**2 for length in lengths) / sum(lengths)
    expected = per_query if pooling != "attention" else (2 * per_query + sum(lengths) / len(lengths)) / 3
    assert metrics["focus/positions"] == pytest.approx(expected)


def test_long_inputs_are_run_a_few_rows_at_a_time_with_the_same_result():
    codec, sizes = label_codec(), []
    model = classifier("TransformerClassifier", codec)
    data = batches(codec, rows(LABELLED), 7)
    task = ClassificationTask(codec)
    whole = task.evaluate(model, data, num_samples=2)
    task.max_pairs = 2 * 4**2
    model.register_forward_pre_hook(lambda model, given: sizes.append(len(given[0])))
    sliced = task.evaluate(model, data)
    assert sizes == [2, 2, 2, 1]
    assert sliced.metrics == pytest.approx(whole.metrics, rel=1e-5)
    assert [each.text for each in sliced.predictions] == [each.text for each in whole.predictions]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_vectors_are_classified_and_shown(name):
    codec = vector_codec()
    inputs = [(((0.0, 1.0),), "yes"), (((1.0, 0.0), (0.5, 0.5)), "no"), (((1.0, 1.0),) * 3, "maybe")]
    result = ClassificationTask(codec).evaluate(classifier(name, codec), batches(codec, rows(inputs), 3), num_samples=2)
    assert result.samples[1].source == "[[1.0, 0.0], [0.5, 0.5]]"
    assert result.samples[1].key_tokens == ("0", "1")


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_an_empty_text_counts_in_an_evaluation(name):
    codec = label_codec()
    data = batches(codec, rows([*LABELLED, ("", "no")]), 3)
    result = ClassificationTask(codec).evaluate(classifier(name, codec), data, num_samples=8)
    assert len(result.predictions) == 8
    assert result.predictions[-1].text in codec.labels
    assert math.isfinite(result.metrics["loss"])
    assert result.samples[-1].prediction == ""


def test_other_losses_are_refused():
    with pytest.raises(ValueError, match="one of cross_entropy, mse, focal for classification, got hinge"):
        ClassificationTask(None, loss="hinge")  # type: ignore[arg-type]
