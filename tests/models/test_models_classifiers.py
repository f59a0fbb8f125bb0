"""Classifiers: what holds for all of them, with every attention, over token ids and over vectors."""

from functools import partial

import pytest
import torch
from attention_kinds import taken_by, together
from pairs import parametrize_pairs
from sequence_toys import assert_dropout_acts_in_training_only, gradients

from attnfocus.attention import BaseAttention
from attnfocus.errors import DataError
from attnfocus.models import PoolingClassifier, RNNClassifier, TransformerClassifier
from attnfocus.models.embeddings import InputEmbedding, sinusoids
from attnfocus.models.pooling import mean_pooling

MODELS = {
    "transformer_mean": (
        TransformerClassifier,
        {"num_layers": 2, "pooling": "mean", "position": "learned", "norm": "post"},
    ),
    "transformer_cls": (TransformerClassifier, {"num_layers": 2, "pooling": "cls"}),
    "transformer_attention": (TransformerClassifier, {"num_layers": 2, "pooling": "attention", "position": "none"}),
    "rnn": (RNNClassifier, {"hidden_size": 12, "num_layers": 2}),
    "rnn_gru": (RNNClassifier, {"hidden_size": 12, "cell": "gru", "bidirectional": False}),
    "pooling": (PoolingClassifier, {}),
    "pooling_position": (PoolingClassifier, {"position": "sinusoidal"}),
}
KINDS = {"kind": list(MODELS), "preset": taken_by(MODELS)}
INPUTS = {"inputs": ["ids", "vectors"]}
LENGTHS = torch.tensor([5, 2, 1, 4])


def build(kind, attention, inputs="ids", **changes):
    torch.manual_seed(1)
    model, options = MODELS[kind]
    given = {"vocab_size": 11} if inputs == "ids" else {"input_dim": 3}
    options = {"embed_dim": 8, "dropout": 0.0} | options | changes
    return model(attention=attention, num_classes=3, **given, **options).double()


def model_attention(model):
    return next(module for module in model.modules() if isinstance(module, BaseAttention))


def batch(inputs):
    generator = torch.Generator().manual_seed(2)
    if inputs == "ids":
        return torch.randint(1, 11, (4, 5), generator=generator)
    return torch.randn(4, 5, 3, dtype=torch.float64, generator=generator)


@parametrize_pairs({**KINDS, **INPUTS, "need_weights": [False, True]}, together)
def test_padding_never_changes_the_result(preset, kind, inputs, need_weights, make_attention):
    model, values = build(kind, make_attention(preset), inputs), batch(inputs)
    output = model(values, LENGTHS, need_weights)
    together, alone = gradients(model, output.logits.square().sum()), []
    for row, length in enumerate(LENGTHS.tolist()):
        each = model(values[row : row + 1, :length], LENGTHS[row : row + 1], need_weights)
        torch.testing.assert_close(output.logits[row : row + 1], each.logits)
        shift = length + model.num_prepended
        for name, weights in each.weights.items():
            mine = output.weights[name][row : row + 1, :, : weights.shape[2]]
            torch.testing.assert_close(mine[..., : weights.shape[3]], weights)
            assert mine[..., shift:].eq(0).all()
        alone.append(each.logits.square().sum())
    torch.testing.assert_close(together, gradients(model, sum(alone)))


@pytest.mark.parametrize("kind", MODELS)
def test_nan_in_padding_reaches_no_result_and_no_gradient(preset, kind, make_attention):
    model, values = build(kind, make_attention(preset), "vectors"), batch("vectors")
    expected = model(values, LENGTHS).logits
    values[torch.arange(5) >= LENGTHS.unsqueeze(1)] = torch.nan
    output = model(values, LENGTHS)
    torch.testing.assert_close(output.logits, expected)
    assert all(g.isfinite().all() for g in gradients(model, output.logits.sum()).values())


@parametrize_pairs({**KINDS, **INPUTS}, together)
def test_empty_inputs_give_finite_logits_and_gradients(preset, kind, inputs, make_attention):
    model, values = build(kind, make_attention(preset), inputs), batch(inputs)
    for given, lengths in ((values, torch.tensor([5, 0, 0, 1])), (values[:, :0], torch.zeros(4, dtype=torch.long))):
        output = model(given, lengths, need_weights=True)
        assert output.logits.isfinite().all()
        assert all(g.isfinite().all() for g in gradients(model, output.logits.sum()).values())


@pytest.mark.parametrize("kind", MODELS)
def test_weights_name_every_attention_and_sum_to_one(preset, kind, make_attention):
    model = build(kind, make_attention(preset))
    assert model(batch("ids"), LENGTHS).weights == {}
    weights = model(batch("ids"), LENGTHS, need_weights=True).weights
    names = ["layers.0", "layers.1"] if kind.startswith("transformer") else []
    assert list(weights) == names + ([] if kind in ("transformer_mean", "transformer_cls") else ["pooling"])
    size = 5 + model.num_prepended
    for name, each in weights.items():
        assert each.shape[2:] == ((1, size) if name == "pooling" else (size, size))
        if model_attention(model).weights_are_distributions:
            torch.testing.assert_close(each.sum(-1), torch.ones_like(each.sum(-1)))


@pytest.mark.parametrize("kind", MODELS)
def test_every_parameter_is_trained(preset, kind, make_attention):
    model = build(kind, make_attention(preset))
    grads = gradients(model, model(batch("ids"), LENGTHS).logits.square().sum())
    unused = [name for name, p in model.named_parameters() if name not in grads or grads[name].eq(0).all()]
    # A bias on all keys shifts every score of a query alike, which a softmax does not see; and a span beyond the
    # longest input has no edge inside it.
    assert [name for name in unused if not name.endswith(("key_projection.bias", "span_logit"))] == []


@pytest.mark.parametrize("kind", MODELS)
def test_model_is_built_on_the_meta_device(preset, kind, make_attention):
    with torch.device("meta"):
        model = build(kind, make_attention(preset))
    assert all(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize("kind", MODELS)
def test_dropout_acts_in_training_only(kind, make_attention):
    model = build(kind, make_attention("dot"), dropout=0.5)
    assert_dropout_acts_in_training_only(model, (batch("ids"), LENGTHS))


@pytest.mark.parametrize("kind", MODELS)
def test_dropout_of_attention_weights_acts_in_training_only(kind, make_attention):
    model = build(kind, partial(make_attention("dot"), dropout=0.5))
    assert_dropout_acts_in_training_only(model, (batch("ids"), LENGTHS))


def test_transformer_takes_the_heads_it_suggests_unless_the_attention_sets_its_own(make_attention):
    suggested = build("transformer_mean", make_attention("additive"), num_heads=2)
    assert suggested(batch("ids"), LENGTHS, True).weights["layers.0"].shape[1] == 2
    own = build("transformer_mean", make_attention("multi_head"), num_heads=2)
    assert own(batch("ids"), LENGTHS, True).weights["layers.0"].shape[1] == 4


@pytest.mark.parametrize("kind", MODELS)
def test_an_attention_that_makes_no_sense_is_refused_with_the_way_out(preset, kind, make_attention):
    with pytest.raises(ValueError, match=r"Use (model|attention)"):
        build(kind, make_attention(preset))


def test_causal_transformer_never_looks_ahead(make_attention):
    attention = make_attention("additive", "attention/pattern=causal")
    weights = build("transformer_mean", attention)(batch("ids"), LENGTHS, True).weights
    for each in weights.values():
        assert each.triu(1).eq(0).all()


@pytest.mark.parametrize(
    ("kind", "way_out"),
    [
        ("transformer_cls", "model.pooling=mean"),
        ("transformer_attention", "model.pooling=mean"),
        ("rnn", "attention/pattern=full"),
        ("pooling", "attention/pattern=full"),
    ],
)
def test_causal_pattern_is_refused_where_it_makes_no_sense(kind, way_out, make_attention):
    with pytest.raises(ValueError, match=way_out):
        build(kind, make_attention("dot", "attention/pattern=causal"))


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_transformer_layer_equals_pytorch(norm, make_attention):
    """One head layer of ours and nn.TransformerEncoderLayer with the same weights."""
    layer = build("transformer_mean", make_attention("multi_head"), norm=norm).layers[0]
    reference = torch.nn.TransformerEncoderLayer(
        8, 4, 256, 0.0, "gelu", batch_first=True, norm_first=norm == "pre", dtype=torch.float64
    )
    mine, theirs = layer.attention, reference.self_attn
    parts = (mine.query_projection, mine.key_projection, mine.value_projection)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        theirs.out_proj.weight.copy_(mine.output_projection.weight)
        theirs.out_proj.bias.zero_()
    for ours, name in ((layer.attention_norm, "norm1"), (layer.feedforward_norm, "norm2")):
        getattr(reference, name).load_state_dict(ours.state_dict())
    for ours, name in ((layer.widen, "linear1"), (layer.narrow, "linear2")):
        getattr(reference, name).load_state_dict(ours.state_dict())
    states = torch.randn(4, 5, 8, dtype=torch.float64)
    mask = torch.arange(5) < LENGTHS.unsqueeze(1)
    ours, _ = layer(states, mask.unsqueeze(1), need_weights=False)
    expected = reference(states, src_key_padding_mask=~mask)
    torch.testing.assert_close(ours[mask], expected[mask])


def test_pooling_classifier_is_a_weighted_mean_of_what_each_position_says(make_attention):
    model = build("pooling", make_attention("general"))
    values = batch("ids")
    output = model(values, LENGTHS, need_weights=True)
    each = model.output(model.embedding.embed(values))  # (B, L, C)
    weights = output.weights["pooling"][:, 0, 0]
    torch.testing.assert_close(output.logits, torch.einsum("bl,blc->bc", weights, each))


def test_pooling_classifier_without_positions_sees_a_bag(make_attention):
    values, flipped = batch("ids"), batch("ids").flip(1)
    lengths = torch.full((4,), 5)
    bag = build("pooling", make_attention("additive"))
    torch.testing.assert_close(bag(values, lengths).logits, bag(flipped, lengths).logits)
    ordered = build("pooling_position", make_attention("additive"))
    assert not torch.allclose(ordered(values, lengths).logits, ordered(flipped, lengths).logits)


def test_an_input_longer_than_the_learned_table_is_refused_with_the_way_out(make_attention):
    model = build("transformer_mean", make_attention("dot"), max_length=4)
    assert model.max_input_length == 4
    with pytest.raises(DataError, match=r"model\.max_length=4"):
        model(batch("ids"), LENGTHS)


def test_padding_is_embedded_as_zero_and_stays_zero():
    embedding = InputEmbedding(4, vocab_size=5, input_dim=None)
    ids = torch.tensor([[3, 2, 1], [0, 4, 4]])
    embedded = embedding(ids, torch.tensor([[True, True, False], [True, True, True]]))
    assert embedded[0, 2].eq(0).all()
    assert embedded[1, 0].eq(0).all()
    embedded.sum().backward()
    assert embedding.embed.weight.grad[0].eq(0).all()


def test_exactly_one_kind_of_input_is_given():
    for given in ({"vocab_size": 5, "input_dim": 5}, {"vocab_size": None, "input_dim": None}):
        with pytest.raises(ValueError, match="exactly one"):
            InputEmbedding(4, **given)


def test_sinusoids_are_the_papers_formula():
    expected = torch.tensor(
        [
            [torch.sin(p / 10000 ** torch.tensor(i / 5)), torch.cos(p / 10000 ** torch.tensor(i / 5))]
            for p in torch.arange(3.0)
            for i in (0, 2, 4)
        ]
    )
    torch.testing.assert_close(sinusoids(3, 5), expected.view(3, 6)[:, :5])


def test_mean_pooling_counts_real_positions_only():
    states = torch.tensor([[[1.0], [3.0], [100.0]], [[5.0], [6.0], [7.0]], [[5.0], [5.0], [5.0]]])
    assert mean_pooling(states, torch.arange(3) < torch.tensor([[2], [1], [0]])).tolist() == [[2.0], [5.0], [0.0]]


def test_cls_vector_is_attended_and_alone_represents_an_empty_input(make_attention):
    model = build("transformer_cls", make_attention("scaled_dot"))
    weights = model(batch("ids"), torch.tensor([5, 2, 1, 0]), need_weights=True).weights["layers.0"]
    assert weights[..., 0].gt(0).all()
    assert weights[3, :, 0].tolist() == [[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]] * weights.shape[1]
