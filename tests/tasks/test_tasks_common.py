"""What holds for every task: gradients, modes, order, samples, empty inputs."""

import math
import random

import pytest
import torch
from tasks_toys import (
    CLASSIFIERS,
    LABELLED,
    PAIRS,
    batches,
    classifier,
    label_codec,
    pair_codec,
    rows,
    seq2seq,
    transformer,
)

from attnfocus.data.batches import collate
from attnfocus.decoding import DecodingOptions
from attnfocus.errors import DataError
from attnfocus.tasks import TASKS, ClassificationTask, Prediction, TranslationTask
from attnfocus.tasks.evaluation import ExactSums, chosen_answers, chosen_samples, evaluating, id_order, sample_of
from attnfocus.tasks.measures.plausibility import DIRECTIONS as PLAUSIBILITY

PRESETS = ("additive", "multi_head")


def translation(preset="scaled_dot", **options):
    codec = pair_codec()
    return TranslationTask(codec), seq2seq(codec, preset, **options), codec, rows(PAIRS)


def by_transformer():
    codec = pair_codec()
    return TranslationTask(codec), transformer(codec), codec, rows(PAIRS)


def classification(name, preset="scaled_dot"):
    codec = label_codec()
    return ClassificationTask(codec), classifier(name, codec, preset), codec, rows(LABELLED)


def every_pair_of_task_and_model():
    yield pytest.param(translation, id="Seq2Seq")
    yield pytest.param(by_transformer, id="TransformerSeq2Seq")
    for preset in PRESETS:
        yield pytest.param(lambda preset=preset: translation(preset), id=f"Seq2Seq-{preset}")
        for name in CLASSIFIERS:
            yield pytest.param(lambda n=name, p=preset: classification(n, p), id=f"{name}-{preset}")


EVERY = pytest.mark.parametrize("make", list(every_pair_of_task_and_model()))


def test_tasks_are_found_by_their_names():
    assert set(TASKS) == {"translation", "classification", "language_modeling", "ranking", "regression"}
    for name, task in TASKS.items():
        assert task.name == name
        assert task.default_monitor in task.directions
        smoothing = 0.1 if task.has_probabilities else 0.0
        task(None, loss=task.losses[0], label_smoothing=smoothing)  # options can be tried before there are data


@EVERY
def test_metrics_depend_neither_on_the_size_nor_on_the_order_of_batches(make):
    task, model, codec, examples = make()
    shuffled = random.Random(0).sample(range(len(examples)), len(examples))
    first = task.evaluate(model, batches(codec, examples, len(examples)), num_samples=3)
    assert len(first.samples) == 3
    for size, order in ((1, None), (2, shuffled), (4, shuffled[::-1])):
        again = task.evaluate(model, batches(codec, examples, size, order), num_samples=3)
        # Differences of entropies that are almost the same have few digits of their own.
        assert again.metrics == pytest.approx(first.metrics, rel=1e-5, abs=1e-7)
        assert [each.id for each in again.predictions] == [row.id for row in examples]
        assert [each.text for each in again.predictions] == [each.text for each in first.predictions]
        assert [each.id for each in again.samples] == [each.id for each in first.samples]
        for sample, other in zip(first.samples, again.samples, strict=True):
            for name, weights in sample.weights.items():
                torch.testing.assert_close(torch.tensor(weights), torch.tensor(other.weights[name]))


@EVERY
def test_every_monitored_metric_is_measured(make):
    task, model, codec, examples = make()
    metrics = task.evaluate(model, batches(codec, examples, 3)).metrics
    focus = {"focus/effective_positions", "focus/positions", "focus/normalized_entropy"}
    needs_gold = {"alignment_error_rate", *PLAUSIBILITY}  # which these rows have not
    assert {name for name in metrics if not name.startswith("focus/")} == set(task.directions) - needs_gold
    assert set(metrics) > focus
    assert all(math.isfinite(value) for value in metrics.values())
    assert 1 <= metrics["focus/effective_positions"] <= metrics["focus/positions"]
    assert 0 <= metrics["focus/normalized_entropy"] <= 1


@EVERY
def test_training_goes_on_after_an_evaluation_and_learns(make):
    task, model, codec, examples = make()
    model.train()
    model.get_submodule("output").eval()  # a part that is kept in eval mode must stay so
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    [batch] = batches(codec, examples, len(examples))
    before = task.evaluate(model, [batch]).metrics["loss"]
    assert model.training
    assert not model.get_submodule("output").training
    for _ in range(25):
        loss = task.step(model, batch)
        assert loss.num_targets == task.num_targets(batch)
        optimizer.zero_grad()
        (loss.loss_sum / loss.num_targets).backward()
        optimizer.step()
    assert task.evaluate(model, [batch]).metrics["loss"] < 0.7 * before


@EVERY
def test_predictions_equal_those_of_the_evaluation(make):
    task, model, codec, examples = make()
    model.train()
    evaluated = task.evaluate(model, batches(codec, examples, 3)).predictions
    predicted = list(task.predict(model, batches(codec, examples, 4)))
    assert model.training
    assert [each.text for each in predicted] == [each.text for each in evaluated]
    assert [each.score for each in predicted] == pytest.approx([each.score for each in evaluated], rel=1e-4)
    assert all(each.weights is None for each in predicted)


@EVERY
def test_weights_are_cut_to_the_real_positions_and_labelled(make):
    task, model, codec, examples = make()
    for answer in task.predict(model, batches(codec, examples, 4), need_weights=True):
        assert len(answer.key_tokens) == len(answer.source.split())
        assert set(answer.query_tokens) == set(answer.weights)
        for name, weights in answer.weights.items():
            assert weights.dtype == "float32"
            assert weights.shape[1:] == (len(answer.query_tokens[name]), len(answer.key_tokens))
            torch.testing.assert_close(torch.tensor(weights.sum(-1)), torch.ones(weights.shape[:-1]))


@EVERY
def test_an_empty_input_is_marked_and_changes_nothing_else(make):
    task, model, codec, examples = make()
    inputs = [codec.encode_input(text, str(n)) for n, text in enumerate(["", examples[1].input, "", examples[3].input])]
    answers = list(task.predict(model, [collate(inputs)], need_weights=True))
    alone = [next(task.predict(model, [collate([inputs[number]])])) for number in (1, 3)]
    assert [each.id for each in answers] == ["0", "1", "2", "3"]
    assert [each.skipped for each in answers] == ["empty input", None, "empty input", None]
    assert answers[0].text == ""
    assert math.isnan(answers[0].score)
    assert [answers[1].text, answers[3].text] == [each.text for each in alone]
    assert [answers[1].score, answers[3].score] == pytest.approx([each.score for each in alone], rel=1e-5)
    [only] = task.predict(model, [collate(inputs[:1])])
    assert only.skipped == "empty input"


def test_an_input_too_long_for_the_model_is_marked():
    codec = label_codec()
    model = classifier("TransformerClassifier", codec, position="learned", max_length=3)
    texts = rows([("good", "yes"), ("good good good good", "yes"), ("bad", "no")])
    answers = list(ClassificationTask(codec).predict(model, batches(codec, texts, 3)))
    assert [each.skipped for each in answers] == [None, "input of 4 positions, the model reads at most 3", None]


@EVERY
def test_no_example_is_an_error_that_says_so(make):
    task, model, _, _ = make()
    with pytest.raises(DataError, match="no example"):
        task.evaluate(model, [])


def test_samples_show_text_tokens_and_weights():
    task, model, codec, examples = translation()
    result = task.evaluate(model, batches(codec, examples, 4), decoding=DecodingOptions(beam_size=2), num_samples=2)
    second = result.samples[1]
    assert (second.source, second.target, second.key_tokens) == ("b a", "y x", ("b", "a"))
    assert second.prediction == result.predictions[1].text
    assert set(second.weights) == {"cross"}
    assert task.evaluate(model, batches(codec, examples, 4), num_samples=99).samples[-1].id == "test:10"
    assert task.evaluate(model, batches(codec, examples, 4)).samples == ()


def test_modes_come_back_after_an_error():
    model = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Dropout()).train()
    model[1].eval()
    with evaluating(model):
        assert not model.training
        assert torch.is_inference_mode_enabled()
    with pytest.raises(TypeError), evaluating(model):
        model(None)
    assert model.training
    assert model[0].training
    assert not model[1].training


def test_the_caller_is_not_left_in_inference_mode_between_predictions():
    task, model, codec, examples = translation()
    answers = task.predict(model, batches(codec, examples, 2))
    next(answers)
    assert not torch.is_inference_mode_enabled()


def test_ids_are_ordered_as_in_a_file():
    ids = ["test-10", "test-9", "test-1", "test-01", "a", "2", "10", ""]
    assert sorted(ids, key=id_order) == ["", "2", "10", "a", "test-01", "test-1", "test-9", "test-10"]
    assert len({id_order(each) for each in ids}) == len(ids)


def test_sums_are_exact_in_any_order():
    values = torch.tensor([1e8, 1.0, -1e8, 1e-8] * 50)
    totals = set()
    for seed in range(5):
        sums = ExactSums()
        order = torch.randperm(len(values), generator=torch.Generator().manual_seed(seed))
        for part in values[order].split(7):
            sums.add("loss", part)
        totals.add(sums.total("loss"))
    assert totals == {math.fsum(values.tolist())}


def sample(number: int, target: str, prediction: str = "") -> Prediction:
    return Prediction(f"valid:{number}", prediction or target, -float(number), "source", target)


def test_samples_are_of_each_class_by_turns_and_the_same_from_any_number_of_processes():
    rows = [sample_of(sample(number, "a" if number < 20 else "bc"[number % 2])) for number in range(40)]
    assert [each.id for each in chosen_samples(rows, 4)] == ["valid:0", "valid:1", "valid:20", "valid:21"]
    for size in (2, 3, 7):
        parts = [chosen_samples(rows[rank::size], 5) for rank in range(size)]
        merged = [each for part in parts for each in part]
        assert chosen_samples(merged, 5) == chosen_samples(rows, 5)


def test_answers_to_read_are_wrong_ones_first_of_each_class_by_turns_the_surest_first():
    given = [sample(1, "a"), sample(2, "a", "b"), sample(3, "a", "b"), sample(4, "b", "a"), sample(5, "b")]
    found = chosen_answers(given, str.__eq__, 4)
    assert [(each.id, each.is_right) for each in found] == [
        ("valid:2", False),
        ("valid:4", False),
        ("valid:3", False),
        ("valid:1", True),
    ]
    assert chosen_answers(given, str.__eq__, 0) == ()
