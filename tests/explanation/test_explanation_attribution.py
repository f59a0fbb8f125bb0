"""Attributions of every model of ours: known truths, completeness, padding, and batches that equal single examples."""

import functools

import numpy as np
import pytest
import torch
from tasks_toys import CLASSIFIERS, LABELLED, PAIRS, classifier, label_codec, pair_codec, rows, seq2seq, transformer
from tasks_toys import vector_codec as make_vector_codec

from attnfocus.errors import ConfigError, DataError
from attnfocus.explanation import METHODS, AttributionOptions, attribute
from attnfocus.explanation.attribution import probe_of
from attnfocus.tasks import ClassificationTask, TranslationTask
from attnfocus.tasks.probe import cut_to, own_copy

VECTORS = (([[1.0, 0.0], [0.5, 0.5], [0.0, -1.0]], "yes"), ([[0.0, 2.0]], "no"))
WRITERS = {
    "seq2seq": lambda codec: seq2seq(codec, "additive"),
    "input_feeding": lambda codec: seq2seq(codec, "additive", input_feeding=True),
    "attend_then_recur": lambda codec: seq2seq(codec, "additive", order="attend_then_recur"),
    "monotonic": lambda codec: seq2seq(codec, "monotonic"),
    "transformer_seq2seq": lambda codec: transformer(codec, "multi_head", activation="gelu"),
}
READERS = {
    **{name: (name, {}) for name in CLASSIFIERS},
    "cls": ("TransformerClassifier", {"pooling": "cls", "num_layers": 2}),
    "pooled": ("TransformerClassifier", {"pooling": "attention"}),
}
MODELS = (*WRITERS, *READERS, "vectors")


def shaken(model):
    """In float64, with weights large enough that outputs depend on their inputs."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
        for module in model.modules():
            if isinstance(module, torch.nn.Embedding):
                module.weight[0].zero_()
    return model.double()


@functools.cache
def made(name):
    """Task, model, and encoded examples, the lengths of which differ."""
    if name in WRITERS:
        codec = pair_codec()
        return TranslationTask(codec), shaken(WRITERS[name](codec)), codec.encode_rows(rows(PAIRS))[:4]
    if name == "vectors":
        codec = make_vector_codec()
        model = shaken(classifier("PoolingClassifier", codec, "additive")).float()  # as the vectors
        return ClassificationTask(codec), model, codec.encode_rows(rows(VECTORS))
    codec = label_codec()
    kind, options = READERS[name]
    model = shaken(classifier(kind, codec, **options))
    return ClassificationTask(codec), model, codec.encode_rows(rows(LABELLED))[:4]


def explain(name, method, examples=None, **options):
    task, model, encoded = made(name)
    target = {"target": "x y z w"} if name in WRITERS else {}
    chosen = AttributionOptions(**{**target, **options})
    return attribute(task, model, encoded if examples is None else encoded[examples], method, chosen)


RECURRENT_WRITERS = ("seq2seq", "input_feeding", "attend_then_recur", "monotonic")
REFUSED = {
    "attention_flow": WRITERS,
    "attn_lrp": (*RECURRENT_WRITERS, "RNNClassifier"),
}


def cases():
    for name in MODELS:
        for method in METHODS:
            if name not in REFUSED.get(method, ()):
                yield name, method


@pytest.mark.parametrize(("name", "method"), cases())
def test_a_batch_equals_its_examples_one_by_one(name, method):
    together = explain(name, method)
    assert len(together) > 1
    for number, each in enumerate(together):
        (alone,) = explain(name, method, slice(number, number + 1))
        assert (each.key_tokens, each.query_tokens) == (alone.key_tokens, alone.query_tokens)
        assert each.scores.shape == (len(each.query_tokens), len(each.key_tokens))
        assert each.scores.dtype == np.float32
        np.testing.assert_allclose(each.scores, alone.scores, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("baseline", ["zero", "mean"])
@pytest.mark.parametrize("name", MODELS)
def test_integrated_gradients_are_complete(name, baseline):
    if name == "vectors" and baseline == "mean":
        with pytest.raises(ConfigError, match="baseline: mean is for tokens"):
            explain(name, "integrated_gradients", num_steps=64, baseline=baseline)
        return
    for each in explain(name, "integrated_gradients", num_steps=64, baseline=baseline):
        assert each.error is not None
        assert each.error < 5e-3


def linear_classifier():
    """A mean of embeddings, then a linear layer: weights that no input changes, and two classes."""
    codec = label_codec()
    model = shaken(classifier("PoolingClassifier", codec, "dot"))
    with torch.no_grad():
        model.pooling.query.zero_()  # every position gets the same weight
        model.output.weight[2].zero_()
        model.output.bias[2] = -1e9  # never: two classes are left
    return ClassificationTask(codec), model, codec.encode_rows(rows(LABELLED))


def vectors_of_tokens(model):
    """What the model reads for each id."""
    table = model.embedding.embed
    return table(torch.arange(table.num_embeddings)).detach()


def test_on_a_linear_model_every_method_tells_the_truth():
    task, model, examples = linear_classifier()
    difference = (model.output.weight[0] - model.output.weight[1]).detach()
    for baseline in ("zero", "unknown", "mean"):
        table = vectors_of_tokens(model)
        neutral = {"zero": table[0], "unknown": table[1], "mean": table[4:].mean(dim=0)}[baseline]
        options = AttributionOptions(target="no", baseline=baseline, num_steps=2)
        found = {
            method: attribute(task, model, examples, method, options)
            for method in ("gradient_input", "integrated_gradients", "leave_one_out")
        }
        for number, example in enumerate(examples):
            shift = table[torch.from_numpy(example.inputs)] - neutral
            truth = (shift @ difference / len(example.inputs)).numpy()[None]
            for attributions in found.values():
                np.testing.assert_allclose(attributions[number].scores, truth, rtol=1e-4, atol=1e-6)


def test_a_layer_is_read_as_the_pooling_weighs_it():
    codec = label_codec()
    model = shaken(classifier("TransformerClassifier", codec, num_layers=1, pooling="attention"))
    task, examples = ClassificationTask(codec), codec.encode_rows(rows(LABELLED))[1:2]
    (found,) = attribute(task, model, examples, "attention", AttributionOptions(layer="layers.0"))
    (inspected,) = task.inspect(model, [batch_of(examples)])
    layer, pooling = (each.weights.mean(axis=0) for each in inspected.maps)  # means over heads
    np.testing.assert_allclose(found.scores, pooling @ layer, rtol=1e-5)
    assert not np.allclose(found.scores, layer.mean(axis=0))


def test_attention_times_gradient_of_a_weighted_mean_is_what_each_position_adds():
    task, model, examples = linear_classifier()
    with torch.no_grad():
        model.pooling.query.normal_(generator=torch.Generator().manual_seed(1))
    difference = (model.output.weight[0] - model.output.weight[1]).detach()
    bias = (model.output.bias[0] - model.output.bias[1]).item()
    weights = attribute(task, model, examples, "attention", AttributionOptions(target="no"))
    found = attribute(task, model, examples, "attention_gradient", AttributionOptions(target="no"))
    for example, weight, each in zip(examples, weights, found, strict=True):
        values = vectors_of_tokens(model)[torch.from_numpy(example.inputs)]
        expected = weight.scores * (values @ difference).numpy()[None]
        np.testing.assert_allclose(each.scores, expected, rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        logits = model.eval()(
            torch.from_numpy(examples[1].inputs)[None], torch.tensor([len(examples[1].inputs)])
        ).logits
    assert found[1].scores.sum() + bias == pytest.approx((logits[0, 0] - logits[0, 1]).item(), rel=1e-4)


@pytest.mark.parametrize("name", [*WRITERS, *READERS])
def test_replaced_attentions_are_named_as_their_weights_are(name):
    task, model, examples = made(name)
    probe = probe_of(task, model, examples, target="x y z" if name in WRITERS else None)
    weights = probe.weights()
    assert set(weights) <= set(model.attentions())
    everything = torch.arange(len(examples))
    own = probe.logits_given({}, everything)
    torch.testing.assert_close(probe.logits_given(weights, everything), own)
    elsewhere = {each: given.flip(-1) for each, given in weights.items()}
    assert not torch.allclose(probe.logits_given(elsewhere, everything), own)


def test_a_table_of_both_sides_is_replaced_for_the_source_alone():
    codec = pair_codec()
    model = shaken(seq2seq(codec, "additive", tied_embeddings="all", target_vocab_size=16, source_vocab_size=16))
    task, examples = TranslationTask(codec), codec.encode_rows(rows(PAIRS))
    probe = probe_of(task, model, examples, target="x y")
    everything = torch.arange(len(examples))
    same = probe.scores_of_vectors(probe.vectors(), everything)
    torch.testing.assert_close(same, probe.scores_without(probe.mask, everything))
    assert not torch.allclose(probe.scores_of_vectors(probe.vectors() * 0, everything), same)


def test_cutting_positions_out_moves_up_what_follows():
    inputs = torch.tensor([[5, 6, 7, 8], [9, 4, 0, 0]])
    kept = torch.tensor([[True, False, True, False], [False, False, False, False]])
    ids, lengths = cut_to(inputs, kept)
    assert ids.tolist() == [[5, 7], [0, 0]]
    assert lengths.tolist() == [2, 0]
    vectors, _ = cut_to(inputs.unsqueeze(-1).float(), kept)
    assert vectors.squeeze(-1).tolist() == [[5, 7], [0, 0]]


def test_removing_a_position_is_the_model_without_it():
    task, model, examples = made("RNNClassifier")
    options = AttributionOptions(target="yes", leave_out="remove")
    (found,) = attribute(task, model, examples[3:4], "leave_one_out", options)

    def score(ids):
        with torch.no_grad():
            logits = model.eval()(torch.tensor([ids]), torch.tensor([len(ids)])).logits[0]
        return logits[2] - logits[:2].logsumexp(dim=0)

    ids = examples[3].inputs.tolist()
    expected = [float(score(ids) - score(ids[:j] + ids[j + 1 :])) for j in range(len(ids))]
    np.testing.assert_allclose(found.scores[0], expected, rtol=1e-5)


def test_the_models_own_answer_is_explained_where_none_is_given():
    task, model, examples = made("RNNClassifier")
    (answer,) = [each.text for each in task.predict(model, [batch_of(examples[1:2])])]
    assert attribute(task, model, examples[1:2])[0].query_tokens == (answer,)
    own, other = (
        attribute(task, model, examples[1:2], options=AttributionOptions(target=label)) for label in ("no", "yes")
    )
    assert not np.allclose(own[0].scores, other[0].scores)


def batch_of(examples):
    from attnfocus.data.batches import collate

    return collate(examples)


def test_explaining_leaves_the_model_as_it_was():
    codec = pair_codec()
    task, model, examples = TranslationTask(codec), seq2seq(codec, "additive"), codec.encode_rows(rows(PAIRS))
    model.train()
    model.decoder.attention.eval()
    next(model.parameters()).requires_grad_(False)
    own = own_copy(model)
    assert not any(parameter.requires_grad for parameter in own.parameters())
    addresses = [[parameter.data_ptr() for parameter in each.parameters()] for each in (own, model)]
    assert addresses[0] == addresses[1]
    assert not set(map(id, own.modules())) & set(map(id, model.modules()))
    assert not any(module.training for module in own.modules() if not isinstance(module, torch.nn.RNNBase))
    with pytest.raises(ConfigError, match="method"):
        attribute(task, model, examples[:1], "attention_flow")
    attribute(task, model, examples[:1], "integrated_gradients", AttributionOptions(target="x"))
    assert [parameter.requires_grad for parameter in model.parameters()].count(False) == 1
    assert model.training
    assert not model.decoder.attention.training
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("name", "method", "options", "message"),
    [
        ("seq2seq", "gradients", {}, "method: must be one of attention, .* got gradients"),
        ("seq2seq", "attention_flow", {}, "attention_flow is for classifiers. Use attention_rollout"),
        (
            "transformer_seq2seq",
            "attention",
            {"layer": "decoder.layers.0.self"},
            "layer: .*decoder.layers.0.cross look",
        ),
        ("cls", "attention_gradient", {"layer": "layers.7"}, "layer: of this model's attentions layers.0, layers.1"),
        ("cls", "attention", {"head": 4}, "head: must be 0 to 3 for layers.1, got 4"),
        ("cls", "gradient_input", {"target": "perhaps"}, "target: must be one of the labels no, maybe, yes"),
        ("cls", "leave_one_out", {"leave_out": "all"}, "leave_out: must be mask, remove, got all"),
        ("cls", "gradient_input", {"baseline": "black"}, "baseline: must be zero, unknown, mean, got black"),
        ("cls", "integrated_gradients", {"num_steps": 0}, "num_steps: must be > 0, got 0"),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(name, method, options, message):
    with pytest.raises(ConfigError, match=message):
        explain(name, method, **options)


def test_an_attention_without_weights_of_its_own_is_named():
    codec = label_codec()
    model = classifier("RNNClassifier", codec, "linear")
    with pytest.raises(ConfigError, match=r"LinearAttention is none\. Use gradient_input or attention"):
        attribute(ClassificationTask(codec), model, codec.encode_rows(rows(LABELLED)), "attention_gradient")


def test_what_cannot_be_read_or_says_nothing_is_told():
    codec = label_codec()
    task, model = ClassificationTask(codec), classifier("PoolingClassifier", codec)
    with pytest.raises(DataError, match="input text is empty"):
        attribute(task, model, [task.codec.encode_input("", "text")])
    model.max_input_length = 2
    with pytest.raises(DataError, match="input text has 3 positions, the model reads at most 2"):
        attribute(task, model, [task.codec.encode_input("a b c", "text")])
    task, model, examples = made("seq2seq")
    with pytest.raises(DataError, match="the output for test:0 is empty"):
        attribute(task, model, examples[:1], options=AttributionOptions(target=""))


def test_heads_are_read_one_by_one_or_as_their_mean():
    heads = [explain("transformer_seq2seq", "attention", slice(1), head=head)[0].scores for head in range(4)]
    (mean,) = explain("transformer_seq2seq", "attention", slice(1))
    np.testing.assert_allclose(np.mean(heads, axis=0), mean.scores, rtol=1e-5)
    parts = [explain("transformer_seq2seq", "attention_gradient", slice(1), head=head)[0].scores for head in range(4)]
    (total,) = explain("transformer_seq2seq", "attention_gradient", slice(1))
    np.testing.assert_allclose(np.sum(parts, axis=0), total.scores, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_integrated_gradients_are_those_of_captum(name):
    from captum.attr import IntegratedGradients

    task, model, examples = made(name)
    probe = probe_of(task, model, examples[:2], target="x y z w" if name in WRITERS else None)
    vectors = probe.vectors()[probe.examples]
    row = torch.arange(len(vectors))

    def forward(x):
        return probe.score(x, row.repeat(len(x) // len(vectors)))

    theirs = IntegratedGradients(forward).attribute(vectors, n_steps=40, method="gausslegendre").sum(dim=-1)
    options = AttributionOptions(num_steps=40, **({"target": "x y z w"} if name in WRITERS else {}))
    ours = attribute(task, model, examples[:2], "integrated_gradients", options)
    joined = torch.cat(
        [
            torch.nn.functional.pad(torch.from_numpy(each.scores), (0, theirs.shape[1] - each.scores.shape[1]))
            for each in ours
        ]
    )
    torch.testing.assert_close(joined, theirs.float(), rtol=1e-4, atol=1e-5)
