"""Faithfulness of models whose weights are known to matter, or not to; the same for the same seed."""

import copy
import json
from dataclasses import replace

import pytest
import torch
from tasks_toys import LABELLED, PAIRS, classifier, label_codec, pair_codec, rows, seq2seq, transformer, vector_codec

from attnfocus.data.batches import collate
from attnfocus.errors import DataError
from attnfocus.explanation import measure_faithfulness
from attnfocus.explanation.limits import Sizes
from attnfocus.focus.verdict import Thresholds
from attnfocus.special import EOS
from attnfocus.tasks import ClassificationTask, TranslationTask

OF_VERDICT = {"gain", "reach", "dependent", "half_weight", "lost_masked_weights", "left_cut_random"}
OF_INPUTS = {"comprehensiveness", "sufficiency"}
OF_WEIGHTS = {f"{kind}_{measure}" for kind in ("permuted", "uniform", "random") for measure in ("change", "flips")}
OF_WEIGHTS |= {"adversarial_distance", "random_distance"}


def telling(scale=8.0):
    """A classifier that looks at the one word which decides, among others that it gives no value."""
    codec = label_codec()
    model = classifier("PoolingClassifier", codec, "dot")
    ids = {word: codec.encode_input(word, "").inputs[0] for word in ("good", "bad", "so", "film", "a")}
    with torch.no_grad():
        table = model.embedding.embed.weight
        table.zero_()
        model.pooling.query.zero_()
        model.pooling.query[0, 0] = scale
        for word, label in (("bad", 0), ("so", 1), ("good", 2)):
            for place in (0, 1 + label):
                table[ids[word], place] = 1 / model.embedding.embed.scale  # so that the model reads 1
        model.output.weight.zero_()
        model.output.bias.zero_()
        for label in range(3):
            model.output.weight[label, 1 + label] = 5.0
    texts = [("film a a good a film", "yes"), ("bad film a a film a", "no"), ("a film so film a a", "maybe")] * 4
    return ClassificationTask(codec), model, codec.encode_rows(rows(texts))


def measure(parts, num_examples=12, seed=0, **options):
    task, model, examples = parts
    return measure_faithfulness(task, model, examples, num_examples=num_examples, seed=seed, split="test", **options)


def without_prefix(found):
    return {name.removeprefix("faithfulness/"): value for name, value in found.metrics.items()}


def test_weights_that_decide_are_found_to():
    found = measure(telling())
    of = without_prefix(found)
    assert (found.verdict.answer, found.verdict.reason) == ("yes", "points")
    assert not found.verdict.near_border
    assert of["skill"] > 0.9
    assert of["lost_masked_weights"] > 0.9 > 0.5 > of["lost_masked_random"]
    assert of["comprehensiveness"] == pytest.approx(0.65, abs=0.03)  # from nearly 1 to 1 in 3, whatever the bin
    assert of["sufficiency"] == pytest.approx(0.0, abs=0.03)
    assert of["permuted_change"] > 0.5
    assert of["adversarial_distance"] < 0.2 < of["random_distance"]
    assert found.attentions == ("pooling",)
    assert (found.num_examples, found.num_outputs) == (12, 12)
    assert found.sentences["en"][0].startswith("Yes")
    assert found.sentences["zh"][0].startswith("可信")


def test_weights_that_lie_elsewhere_are_found_to():
    """All weight on words that say nothing; the word that decides has next to none, and large values."""
    task, model, examples = telling(scale=-8.0)
    with torch.no_grad():
        model.embedding.embed.weight[:, 1:] *= 1e4
    found = measure((task, model, examples))
    assert (found.verdict.answer, found.verdict.reason) == ("no", "elsewhere")
    assert without_prefix(found)["comprehensiveness_gradient"] > 0.5


def test_a_model_that_always_says_the_same_is_told_first():
    task, model, examples = telling()
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.copy_(torch.tensor([3.0, 0.0, 0.0]))
    found = measure((task, model, examples))
    assert (found.verdict.answer, found.verdict.reason) == ("cannot_tell", "same_answer")
    assert without_prefix(found)["permuted_change"] == 0
    assert without_prefix(found)["adversarial_distance"] > 0.3


def test_answers_that_are_no_better_than_chance_are_told_first():
    task, model, examples = telling()
    turned = [replace(each, targets=(int(each.targets) + number) % 3) for number, each in enumerate(examples)]
    found = measure((task, model, turned))
    assert (found.verdict.answer, found.verdict.reason) == ("cannot_tell", "unlearned")


def test_inputs_of_one_position_are_said_to_be_too_few():
    """Of one position there is no choice: nothing can be tested."""
    task, model, examples = telling()
    short = [replace(each, inputs=each.inputs[:1]) for each in examples]
    found = measure((task, model, short))
    assert (found.verdict.answer, found.verdict.reason) == ("cannot_tell", "too_few")
    assert found.num_outputs == 0
    assert "0 examples" in found.sentences["en"][0]


def test_examples_are_taken_until_the_verdict_is_sure():
    task, model, examples = telling()
    sizes = {}
    for chunk in (4, 8):
        found = measure((task, model, examples), num_examples=None, most=Sizes(chunk=chunk))
        sizes[chunk] = found.num_examples
    assert sizes == {4: 8, 8: 8}  # 4 are too few to tell
    assert measure((task, model, examples), num_examples=None, most=Sizes(chunk=4, examples=5)).num_examples == 5


def test_the_same_seed_gives_the_same_and_nothing_is_left_changed():
    parts = telling()
    before = {name: each.clone() for name, each in parts[1].state_dict().items()}
    first, second, other = measure(parts), measure(parts), measure(parts, seed=1)
    assert first == second
    assert first.metrics != other.metrics
    assert all(torch.equal(each, before[name]) for name, each in parts[1].state_dict().items())
    assert json.loads(json.dumps(first.facts())) == {
        **first.facts(),
        "left_out": [],
        "attentions": ["pooling"],
        "intervals": {name: list(ends) for name, ends in first.intervals.items()},
        "sentences": {language: list(each) for language, each in first.sentences.items()},
        "glossary": {language: list(each) for language, each in first.glossary.items()},
        "groups": json.loads(json.dumps(first.groups)),
    }


def scaled(parts, factor):
    """The model with its output layer multiplied, and nothing that may share its weights."""
    task, model, examples = parts
    model = copy.deepcopy(model)
    for name, each in list(model.output.named_parameters()):
        setattr(model.output, name, torch.nn.Parameter(each.detach() * factor))
    return task, model, examples


def trained(kind):
    """A classifier or a writer after some steps of training, so that it is sure of some outputs and not of others."""
    if kind == "writer":
        codec = pair_codec()
        task, model, examples = TranslationTask(codec), seq2seq(codec, "additive"), codec.encode_rows(rows(PAIRS))
    else:
        codec = label_codec()
        loss = "mse" if kind == "estimates" else "cross_entropy"
        task, model = ClassificationTask(codec, loss=loss), classifier("RNNClassifier", codec, "additive")
        examples = codec.encode_rows(rows(LABELLED))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(40):
        optimizer.zero_grad()
        task.step(model, collate(examples)).total.backward()
        optimizer.step()
    return task, model.eval(), examples


@pytest.mark.parametrize("kind", ["classes", "estimates", "writer"])
def test_a_factor_on_the_output_layer_changes_no_verdict(kind):
    """Of the issue's cases: attention and answers are the same, and so is what is said of them."""
    parts = trained(kind)
    few = Thresholds(examples=4)
    found = {factor: measure(scaled(parts, factor), num_examples=8, thresholds=few) for factor in (1, 0.05, 5)}
    own = {name: found[1].metrics[name] for name in found[1].intervals}
    assert found[1].verdict.reason != "too_few"
    assert own["faithfulness/reach"] > 0.05
    for each in found.values():
        assert {name: each.metrics[name] for name in own} == pytest.approx(own, abs=1e-3)
        assert each.verdict.reason == found[1].verdict.reason
        assert each.verdict.confidence == pytest.approx(found[1].verdict.confidence, abs=0.01)
    assert len({each.metrics["faithfulness/comprehensiveness"] for each in found.values()}) == 3  # as the papers say


def models():
    codec = pair_codec()
    writer = transformer(codec, "multi_head")
    with torch.no_grad():
        writer.output.bias[EOS] = -1.0  # else it writes nothing
    for name, model in (
        ("seq2seq", seq2seq(codec, "additive")),
        ("input_feeding", seq2seq(codec, "coverage", input_feeding=True)),
        ("transformer_seq2seq", writer),
    ):
        yield name, (TranslationTask(codec), model, codec.encode_rows(rows(PAIRS)))
    labels = label_codec()
    for name, preset, options in (
        ("TransformerClassifier", "multi_head", {"pooling": "cls", "num_layers": 2}),
        ("TransformerClassifier", "local", {"num_layers": 1}),
        ("RNNClassifier", "entmax15", {}),
    ):
        model = classifier(name, labels, preset, **options)
        yield f"{name}_{preset}", (ClassificationTask(labels), model, labels.encode_rows(rows(LABELLED)))
    vectors = vector_codec()
    examples = vectors.encode_rows(rows([([[1.0, 0.0], [0.5, 0.5], [0.0, -1.0]], "yes"), ([[0.0, 2.0]], "no")]))
    yield "vectors", (ClassificationTask(vectors, loss="mse"), classifier("PoolingClassifier", vectors), examples)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "parts"), models(), ids=lambda each: each if isinstance(each, str) else "")
def test_every_model_can_be_tested(name, parts):
    found = measure(parts, num_examples=5)
    of = without_prefix(found)
    assert of.keys() >= OF_VERDICT | OF_INPUTS | OF_WEIGHTS
    assert all(value == value for value in of.values())
    assert all(-1e-5 <= of[measure] <= 1 + 1e-5 for measure in OF_WEIGHTS)
    assert not found.left_out


@pytest.mark.parametrize("preset", ["linear", "linformer"])
def test_weights_that_cannot_be_replaced_are_named(preset):
    codec = label_codec()
    model = classifier("RNNClassifier", codec, preset)
    found = measure((ClassificationTask(codec), model, codec.encode_rows(rows(LABELLED))))
    assert without_prefix(found).keys() >= OF_INPUTS
    assert not without_prefix(found).keys() & OF_WEIGHTS
    assert "(pooling) makes its output of no weights that could be replaced" in found.left_out[0]


def test_padding_changes_no_change_of_output():
    """Examples beside longer ones: uniform weights are drawn by no chance, so that they must do the same."""
    task, model, examples = telling()
    longer = task.codec.encode_input("film " * 9 + "bad", "long")
    alone = without_prefix(measure((task, model, examples[:1])))
    beside = [without_prefix(measure((task, model, [each]))) for each in (examples[0], longer)]
    both = without_prefix(measure((task, model, [examples[0], longer])))
    assert beside[0] == alone
    mean = sum(each["uniform_change"] for each in beside) / 2
    assert both["uniform_change"] == pytest.approx(mean, rel=1e-5)


def test_long_inputs_are_measured_on_fewer_examples_and_told():
    _, parts = next(each for each in models() if each[0] == "TransformerClassifier_multi_head")
    longest = max(len(example.inputs) for example in parts[2])
    found = measure(parts, num_examples=5, most=Sizes(pairs=2 * longest**2, work=1))
    assert found.num_examples <= 2
    assert found.left_out == ("all measures: measured on 2 examples alone, as inputs are long; 1 had nothing to test",)
    found = measure(telling(), num_examples=3, most=Sizes(positions=1, cells=1))
    assert found.num_examples == 3
    left_out = {each.split(":")[0] for each in found.left_out}
    assert left_out == {"agreement_leave_one_out", "leave_one_out", "adversarial_distance"}


def test_examples_that_say_nothing_are_left_out():
    task, model, _ = telling()
    with pytest.raises(DataError, match="faithfulness: the model can read no example of test"):
        measure((task, model, [task.codec.encode_input("", "empty")]))
    found = measure((task, model, [task.codec.encode_input(text, text) for text in ("", "good film")]))
    assert found.num_examples == 1
