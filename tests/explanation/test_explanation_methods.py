"""Value zeroing, AttnLRP, answers that are held against others, spans and words: each against its formula."""

import functools

import numpy as np
import pytest
import torch
from bert_reference import Relevances, array, linear, normalized, run, run_layer
from tasks_toys import (
    LABELLED,
    PAIRS,
    attention,
    classifier,
    label_codec,
    pair_codec,
    rows,
    seq2seq,
    shaken,
    transformer,
)

from attnfocus.attention import Attention, DotScore, Role
from attnfocus.data.batches import collate
from attnfocus.data.codecs.text_label import TextLabelCodec
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
from attnfocus.errors import ConfigError
from attnfocus.explanation import METHODS, AttributionOptions, attribute
from attnfocus.explanation.attribution import probe_of
from attnfocus.explanation.norms import spread_over
from attnfocus.explanation.relevance import relevance_rules
from attnfocus.explanation.words import by_word, word_numbers, words_of
from attnfocus.focus.attributions import leave_one_out, leave_spans_out
from attnfocus.models.base import Classifier
from attnfocus.models.lengths import length_mask
from attnfocus.models.outputs import ClassifierOutput
from attnfocus.models.transformer_layers import CausalLayer, LayerOptions
from attnfocus.tasks import ClassificationTask, TranslationTask

ANSWER = AttributionOptions(target="yes", against="no")


@functools.cache
def bert():
    """Task, a BERT of two layers with two heads, and one example."""
    codec = label_codec()
    options = {"num_layers": 2, "num_heads": 2, "norm": "post", "pooling": "cls", "position": "learned"}
    model = shaken(classifier("TransformerClassifier", codec, feedforward_dim=12, max_length=8, **options))
    return ClassificationTask(codec), model, codec.encode_rows(rows(LABELLED))[3]


def explained(method, options=ANSWER):
    task, model, example = bert()
    (found,) = attribute(task, model, [example], method, options)
    return found.scores[0]


def test_relevances_of_a_small_bert_are_those_of_the_rules_written_out():
    _, model, example = bert()
    rules = Relevances()
    expected, difference = rules.of_model(model, example.inputs.tolist(), 2, 0)
    np.testing.assert_allclose(explained("attn_lrp"), expected, rtol=1e-5, atol=1e-6)
    # Conservation: what no token gets went to biases, to constants that are added, and to the bias of softmax.
    assert expected.sum() + sum(rules.lost.values()) == pytest.approx(difference, rel=1e-9)
    assert abs(expected).max() > 1e-3
    assert not np.allclose(explained("gradient_input"), expected, rtol=0.1)


def test_the_rules_change_gradients_alone():
    task, model, example = bert()
    probe = probe_of(task, model, [example], "yes")
    vectors, row = probe.vectors(), torch.zeros(1, dtype=torch.int64)
    own = probe.score(vectors, row)
    with relevance_rules(probe.model):
        torch.testing.assert_close(probe.score(vectors, row), own)
    assert not any({"forward", "hidden", "placed"} & set(vars(module)) for module in probe.model.modules())


def test_a_swiglu_with_plain_weights_gives_half_to_its_gate():
    options = LayerOptions(4, 1, 6, "pre", 0.0, "swiglu", "rms_norm", bias=False)
    layer = CausalLayer(functools.partial(Attention, score=DotScore), options).double()
    read = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    own = layer.hidden(read)
    with relevance_rules(layer):
        hidden = layer.hidden(read)
    torch.testing.assert_close(hidden, own)
    weights = torch.randn(hidden.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    (slope,) = torch.autograd.grad((hidden * weights).sum(), read)
    # Without biases all that goes in comes out: x g sums to what the hidden units have.
    torch.testing.assert_close((read * slope).sum(), (hidden * weights).sum())


def test_relevances_of_an_additive_pooling_are_those_of_its_formula():
    codec = label_codec()
    model = shaken(classifier("PoolingClassifier", codec, "additive"))
    example = codec.encode_rows(rows(LABELLED))[3]
    (found,) = attribute(ClassificationTask(codec), model, [example], "attn_lrp", ANSWER)
    attention, score = model.pooling.attention, model.pooling.attention.score
    assert not attention.has_projections
    x = array(model.embedding.embed(torch.from_numpy(example.inputs)))
    weight, vector = array(model.output.weight), array(score.vector)[0]
    says = x @ (weight[2] - weight[0])  # of each position alone
    of_key = x @ array(score.key_weight)[0].T
    summed = of_key + array(score.bias)[0] + array(model.pooling.query) @ array(score.query_weight)[0].T
    scores = np.tanh(summed) @ vector
    weights = np.exp(scores) / np.exp(scores).sum()
    half = 0.5 * weights * says
    of_scores = scores * (half - weights * half.sum())
    of_hidden = vector * np.tanh(summed) * (of_scores / scores)[:, None]
    np.testing.assert_allclose(found.scores[0], half + (of_hidden * of_key / summed).sum(axis=1), rtol=1e-5, atol=1e-7)


def test_value_zeroing_is_the_layer_without_a_value():
    _, model, example = bert()
    _, _, layers, _ = run(model, example.inputs.tolist())
    kept, whole = layers[-1]["x"], layers[-1]["states"]
    distances = np.zeros((len(kept), len(kept)))
    for key in range(len(kept)):
        without = run_layer(model.layers[1], kept, zeroed=key)["states"]
        for query in range(len(kept)):
            product = whole[query] @ without[query]
            distances[query, key] = 1 - product / np.linalg.norm(whole[query]) / np.linalg.norm(without[query])
    expected = distances / distances.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(explained("value_zeroing", None), expected[0, 1:], rtol=1e-5, atol=1e-7)
    first = explained("value_zeroing", AttributionOptions(layer="layers.0"))
    assert not np.allclose(first, expected[0, 1:])


def test_norms_of_weighed_values_are_those_of_a_loop():
    _, model, example = bert()
    _, _, layers, _ = run(model, example.inputs.tolist())
    own, kept, expected = model.layers[1].attention, layers[-1], np.zeros(len(example.inputs))
    size = own.query_head_dim
    for key in range(1, len(kept["x"])):
        for head in range(own.num_heads):
            value = np.zeros(len(kept["x"][0]))
            part = slice(head * size, (head + 1) * size)
            value[part] = linear(kept["x"][key], own.value_projection)[part]
            moved = array(own.output_projection.weight) @ value
            expected[key - 1] += np.linalg.norm(kept["weights"][head][0, key] * moved) / own.num_heads
    np.testing.assert_allclose(explained("attention_norm", None), expected, rtol=1e-5)


def block_norms_of(layer, x, read, weights):
    """Norms (K,) of what each position gives to the attention block of position 0, loop by loop."""
    own, size = layer.attention, layer.attention.query_head_dim
    parts = np.zeros_like(x)
    for key in range(len(x)):
        for head in range(own.num_heads):
            value, part = np.zeros(x.shape[1]), slice(head * size, (head + 1) * size)
            value[part] = linear(read[key], own.value_projection)[part]
            parts[key] += weights[head][0, key] * (array(own.output_projection.weight) @ value)
    parts[0] += x[0]
    if layer.norms_first:
        return np.linalg.norm(parts, axis=1)
    norm, whole = layer.attention_norm, parts.sum(axis=0)
    deviation = np.sqrt(((whole - whole.mean()) ** 2).mean() + norm.eps)
    moved = array(norm.weight) * (parts - parts.mean(axis=1, keepdims=True)) / deviation
    np.testing.assert_allclose(moved.sum(axis=0) + array(norm.bias), normalized(whole, norm), rtol=1e-9)
    return np.linalg.norm(moved, axis=1)


def test_norms_of_a_block_with_its_residual_connection_and_normalization_are_those_of_a_loop():
    _, model, example = bert()
    kept = run(model, example.inputs.tolist())[2][-1]
    expected = block_norms_of(model.layers[1], kept["x"], kept["x"], kept["weights"])
    found, plain = explained("attention_block_norm", None), explained("attention_norm", None)
    np.testing.assert_allclose(found, expected[1:], rtol=1e-5)
    assert not np.allclose(found / found.sum(), plain / plain.sum(), rtol=0.1)


def test_where_the_normalization_comes_first_the_block_is_a_plain_sum():
    codec = label_codec()
    options = {"num_layers": 1, "num_heads": 2, "norm": "pre", "pooling": "cls"}
    model = shaken(classifier("TransformerClassifier", codec, feedforward_dim=12, max_length=8, **options))
    example, given = codec.encode_rows(rows(LABELLED))[3], []
    (layer,) = model.layers
    handle = layer.register_forward_pre_hook(lambda _module, inputs: given.append(inputs[0]))
    batch = collate([example])
    with torch.no_grad():
        weights = model(batch.inputs, batch.input_lengths, need_weights=True).weights
    handle.remove()
    x = array(given[0][0])
    read = normalized(x, layer.attention_norm)
    expected = block_norms_of(layer, x, read, array(weights["layers.0"][0]))
    (found,) = attribute(ClassificationTask(codec), model, [example], "attention_block_norm")
    np.testing.assert_allclose(found.scores[0], expected[1:], rtol=1e-5)


@pytest.mark.parametrize("norm", [torch.nn.LayerNorm(5), torch.nn.RMSNorm(5, eps=1e-5)])
def test_what_is_spread_over_parts_sums_to_the_normalized_sum(norm):
    norm = shaken(norm)
    parts = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0)).double()
    whole = parts.sum(dim=1)
    expected = norm(whole) - getattr(norm, "bias", torch.zeros(5))
    torch.testing.assert_close(spread_over(norm, parts, whole).sum(dim=1), expected)


def test_against_another_answer_the_difference_of_two_logits_is_explained():
    task, model, example = bert()
    (left_out,) = attribute(task, model, [example], "leave_one_out", ANSWER)
    probe = probe_of(task, model, [example], "yes")

    def difference(kept):
        with torch.no_grad():
            vectors = torch.where(kept.unsqueeze(-1), probe.vectors(), 0.0)
            logits = probe.logits_of_vectors(vectors, torch.zeros(1, dtype=torch.int64))[0]
        return float(logits[2] - logits[0])

    whole = torch.ones(1, len(example.inputs), dtype=torch.bool)
    for number in range(len(example.inputs)):
        kept = whole.clone()
        kept[0, number] = False
        assert left_out.scores[0, number] == pytest.approx(difference(whole) - difference(kept), rel=1e-5, abs=1e-7)
    swapped = attribute(task, model, [example], "leave_one_out", AttributionOptions(target="no", against="yes"))
    np.testing.assert_allclose(swapped[0].scores, -left_out.scores, rtol=1e-6)
    (integrated,) = attribute(task, model, [example], "integrated_gradients", ANSWER)
    nothing = torch.zeros_like(whole)
    assert integrated.scores.sum() == pytest.approx(difference(whole) - difference(nothing), rel=2e-2)


@pytest.mark.parametrize("make", [seq2seq, transformer])
def test_written_tokens_are_held_against_one_token_or_as_many(make):
    codec = pair_codec()
    task, model = TranslationTask(codec), shaken(make(codec, "additive" if make is seq2seq else "multi_head"))
    examples = codec.encode_rows(rows(PAIRS))[1:2]
    one, three = (
        attribute(task, model, examples, "gradient_input", AttributionOptions(target="x y z", against=foil))[0].scores
        for foil in ("w", "w w w")
    )
    np.testing.assert_array_equal(one, three)
    probe = probe_of(task, model, examples, "x y z")
    with torch.no_grad():
        logits = probe.logits_of_vectors(probe.vectors()[probe.examples], torch.arange(3))
    (foil,) = codec.target_tokenizer.encode("w")
    probe.foils = torch.full_like(probe.answers, foil)
    found = probe.score(probe.vectors()[probe.examples], torch.arange(3))
    own = logits.gather(1, probe.answers[0].unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(found, own - logits[:, foil])


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("attention", {"against": "no"}, "against: attention shows where the model looks.*integrated_gradients"),
        ("leave_one_out", {"against": "perhaps"}, "against: must be one of the labels no, maybe, yes, got perhaps"),
        ("leave_one_out", {"target": "no", "against": "no"}, "against: 'no' is the answer itself"),
        ("gradient_input", {"span": 2}, "span: gradient_input leaves nothing out. Use leave_one_out"),
        ("leave_one_out", {"span": 0}, "span: must be > 0, got 0"),
        ("leave_one_out", {"level": "word"}, "level: word joins pieces.*tokens of kind word are none"),
        ("leave_one_out", {"level": "sentence"}, "level: must be token, word, got sentence"),
        ("value_zeroing", {"head": 0}, "head: value_zeroing"),
        ("attention_block_norm", {"head": 0}, "head: attention_block_norm is of all heads"),
    ],
)
def test_an_option_that_means_nothing_is_refused_with_the_reason(method, options, message):
    with pytest.raises(ConfigError, match=message):
        explained(method, AttributionOptions(**options))


class Own(Classifier):
    """A model from outside, whose attention lies in no layer of ours."""

    def __init__(self, codec):
        super().__init__()
        sizes = codec.dims()
        self.embedding = torch.nn.Embedding(sizes["vocab_size"], 8)
        self.attention = attention()(query_dim=8, key_dim=8)
        self.attention.role = Role("self", "input", "input")
        self.output = torch.nn.Linear(8, sizes["num_classes"])

    def forward(self, inputs, lengths, need_weights=False):
        vectors = self.embedding(inputs)
        states, weights = self.attention(vectors, vectors, None, length_mask(lengths, inputs.shape[1])[:, None], True)
        return ClassifierOutput(self.output(states.mean(dim=1)), {"attention": weights})


def test_models_and_attentions_without_a_rule_are_named():
    codec = label_codec()
    examples = codec.encode_rows(rows(LABELLED))[:1]
    for kind, preset, method, message in (
        ("RNNClassifier", "dot", "attn_lrp", "RNNClassifier is another model"),
        ("PoolingClassifier", "cosine", "attn_lrp", "CosineScore is no plain inner product"),
        ("TransformerClassifier", "linear", "attn_lrp", "LinearAttention does not make its output of weights"),
        ("TransformerClassifier", "qk_norm", "attn_lrp", "with qk_norm or soft_cap"),
        ("TransformerClassifier", "exclusive", "value_zeroing", "ExclusiveAttention .layers.0. is none"),
        ("TransformerClassifier", "exclusive", "attention_block_norm", "method: attention_block_norm needs .* is none"),
        ("RNNClassifier", "dot", "attention_block_norm", "pooling is a part of AttentionPooling, which has none"),
    ):
        with pytest.raises(ConfigError, match=message):
            attribute(ClassificationTask(codec), classifier(kind, codec, preset), examples, method)
    with pytest.raises(ConfigError, match=r"compares what a layer .*attention is a part of Own. Use leave_one_out or"):
        attribute(ClassificationTask(codec), Own(codec), examples, "value_zeroing")
    pairs = pair_codec()
    with pytest.raises(ConfigError, match="against: 'x y' has 2 tokens, and the answer has 1"):
        attribute(
            TranslationTask(pairs),
            seq2seq(pairs),
            pairs.encode_rows(rows(PAIRS))[:1],
            "leave_one_out",
            AttributionOptions(target="x", against="x y"),
        )


def test_spans_share_out_what_they_change():
    """Of a sum of five numbers, in words of positions (0), (1, 2), (3), (4): by hand."""
    numbers = torch.tensor([[1.0, 2.0, 4.0, 8.0, 16.0, 0.0]])
    mask = torch.tensor([[True] * 5 + [False]])
    units = torch.tensor([[0, 1, 1, 2, 3, 4]])

    def score(kept, examples):
        return (numbers[examples] * kept).sum(dim=1, keepdim=True)

    one = leave_spans_out(score, mask, units, 1)
    assert one.tolist() == [[[1.0, 3.0, 3.0, 8.0, 16.0, 0.0]]]
    two = leave_spans_out(score, mask, units, 2)  # spans {0, 1, 2}: 7; {1, 2, 3}: 14; {3, 4}: 24
    expected = [7 / 3, (7 / 3 + 14 / 3) / 2, (7 / 3 + 14 / 3) / 2, (14 / 3 + 12) / 2, 12.0, 0.0]
    assert two[0, 0].tolist() == pytest.approx(expected)
    assert leave_spans_out(score, mask, units, 9)[0, 0].tolist() == pytest.approx([31 / 5] * 5 + [0.0])
    positions = torch.arange(6).unsqueeze(0)
    torch.testing.assert_close(leave_spans_out(score, mask, positions), leave_one_out(score, mask))


def test_pieces_are_joined_to_words():
    tokens = ("\u2581un", "happ", "y", "\u2581end", ".", "<unk>", "s", "\u2581x", "\u4f60", "\u597d", "<eos>")
    assert word_numbers(tokens).tolist() == [0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7]
    assert words_of(tokens) == ("unhappy", "end.", "<unk>", "s", "x", "\u4f60", "\u597d", "<eos>")
    assert words_of(()) == ()
    scores = np.array([[1.0, 2.0, 4.0], [3.0, 0.0, 8.0], [0.5, 0.5, 1.0]], dtype=np.float32)
    found = by_word(scores, ("\u2581a", "b", "\u2581c"), ("\u2581a", "b", "\u2581c"))
    assert found.tolist() == [[3.0, 6.0], [1.0, 1.0]]  # means of two queries, sums of two keys
    np.testing.assert_allclose(found.sum(axis=1), [9.0, 2.0])


@functools.cache
def with_bpe():
    options = TokenizerOptions(kind="bpe", vocab_size=20)
    texts = [text for text, _ in LABELLED]
    codec = TextLabelCodec(Tokenizer.train(texts, options), ("no", "maybe", "yes"))
    model = shaken(classifier("TransformerClassifier", codec, pooling="attention"))
    return ClassificationTask(codec), model, codec.encode_rows(rows(LABELLED))


@pytest.mark.parametrize("method", [each for each in METHODS if each not in ("attention_flow", "attention_block_norm")])
def test_a_word_gets_what_its_pieces_have(method):
    task, model, examples = with_bpe()
    pieces = attribute(task, model, examples[1:2], method)[0]
    words = attribute(task, model, examples[1:2], method, AttributionOptions(level="word"))[0]
    assert len(pieces.key_tokens) > 3
    assert (words.key_tokens, words.query_tokens) == (("good", "good", "film"), pieces.query_tokens)
    numbers = word_numbers(pieces.key_tokens)
    expected = [pieces.scores[0, numbers == number].sum() for number in range(3)]
    np.testing.assert_allclose(words.scores[0], expected, rtol=1e-5, atol=1e-6)


def test_a_span_of_one_leaves_whole_words_out():
    task, model, examples = with_bpe()
    options = AttributionOptions(target="yes", leave_out="remove", span=1, level="word")
    (found,) = attribute(task, model, examples[1:2], "leave_one_out", options)
    alone = AttributionOptions(target="yes", leave_out="remove")
    (cut,) = attribute(task, model, examples[1:2], "leave_one_out", alone)
    probe, numbers = probe_of(task, model, examples[1:2], "yes"), word_numbers(cut.key_tokens)
    with torch.no_grad():
        whole = probe.scores_without(probe.mask, torch.tensor([0]))
        for word in range(3):
            kept = torch.from_numpy(numbers != word).unsqueeze(0)
            expected = float(whole - probe.scores_without(kept, torch.tensor([0])))
            assert found.scores[0, word] == pytest.approx(expected, rel=1e-4, abs=1e-6)
