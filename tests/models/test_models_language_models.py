"""Language models with every attention: nothing looks ahead, and token by token is the same as all at once."""

import functools

import pytest
import torch
from translator_presets import PRESETS, factory

from attnfocus.models import RNNLanguageModel, TransformerLanguageModel

MODELS = {
    "transformer": functools.partial(
        TransformerLanguageModel, vocab_size=12, embed_dim=16, num_layers=2, num_heads=4, feedforward_dim=12
    ),
    "rnn": functools.partial(RNNLanguageModel, vocab_size=12, embed_dim=12, hidden_size=16),
}
VARIANTS = {
    "swiglu": {"activation": "swiglu", "norm_kind": "rms_norm", "tied_embeddings": False, "position": "none"},
    "sinusoidal": {"position": "sinusoidal", "num_layers": 1, "activation": "relu", "bias": False},
}


@functools.cache
def refusal(kind, preset):
    try:
        with torch.device("meta"):
            MODELS[kind](attention=factory(preset))
    except ValueError as error:
        return str(error)
    return None


TAKEN = [(kind, preset, "") for kind in MODELS for preset in PRESETS if refusal(kind, preset) is None]
CASES = [*TAKEN, *(("transformer", "multi_head", variant) for variant in VARIANTS)]
every_case = pytest.mark.parametrize(("kind", "preset", "variant"), CASES)


def build(kind, preset, variant):
    torch.manual_seed(1)
    model = MODELS[kind](attention=factory(preset), **VARIANTS.get(variant, {}))
    return model.double().eval()


def tokens(rows=3, size=11):
    return torch.randint(4, 12, (rows, size), generator=torch.Generator().manual_seed(3))


def test_most_attentions_serve_and_the_others_are_refused_with_a_way_out():
    refused = {preset for kind in MODELS for preset in PRESETS if refusal(kind, preset) is not None}
    for kind, preset in ((kind, preset) for kind in MODELS for preset in refused):
        assert "Use " in refusal(kind, preset) or ": use " in refusal(kind, preset)
    assert {"coverage", "monotonic", "location", "linformer"} <= refused
    assert not refused & {"multi_head", "additive", "rotary", "alibi", "local", "linear", "transformer_xl", "sparsemax"}


def test_without_biases_all_parameters_are_weights_and_tables():
    names = [name for name, _ in MODELS["transformer"](attention=factory("mla"), bias=False).named_parameters()]
    assert names
    assert all(name.endswith(("weight", "position.table")) for name in names)


@every_case
def test_no_position_looks_ahead(kind, preset, variant):
    model, read = build(kind, preset, variant), tokens()
    changed = read.clone()
    changed[:, 6:] = 4 + (changed[:, 6:] - 3) % 8
    lengths = torch.tensor([11, 11, 11])
    one, other = (model(each, lengths, need_weights=True) for each in (read, changed))
    torch.testing.assert_close(one.readout[:, :6], other.readout[:, :6])
    assert not torch.equal(one.readout[:, 6:], other.readout[:, 6:])
    assert {place.name for place in model.places()} >= set(one.weights)
    for weights in one.weights.values():
        assert weights.shape[-2:] == (11, 11)
        assert weights.triu(1).eq(0).all()


@every_case
def test_token_by_token_is_all_at_once_and_padding_changes_nothing(kind, preset, variant):
    model, read = build(kind, preset, variant), tokens()
    whole = model(read, torch.tensor([11, 11, 11])).logits
    padded = torch.nn.functional.pad(read[:, :7], (0, 4))
    torch.testing.assert_close(model(padded, torch.tensor([7, 7, 7])).logits[:, :7], whole[:, :7])
    with torch.no_grad():
        output, state = model.read(read[:, :3], model.start(3))
        found = [output.logits]
        for position in range(3, 11):
            state = model.select(state, torch.tensor([0, 1, 2]))
            output, state = model.read(read[:, position : position + 1], state)
            found.append(output.logits)
    torch.testing.assert_close(torch.cat(found, dim=1), whole)


@pytest.mark.parametrize("kind", MODELS)
def test_a_tied_table_is_one_and_learns_from_both_sides(kind):
    model = build(kind, "multi_head" if kind == "transformer" else "additive", "")
    assert model.output.weight is model.embedding.weight
    model(tokens(), torch.tensor([11, 11, 11])).logits.square().sum().backward()
    assert model.embedding.weight.grad[4:].abs().sum(dim=1).gt(0).all()


def test_a_learned_table_bounds_what_is_read_and_written():
    model = TransformerLanguageModel(attention=factory("multi_head"), vocab_size=12, max_length=5)
    assert (model.max_input_length, model.max_output_length) == (5, 5)
    assert (
        TransformerLanguageModel(attention=factory("multi_head"), vocab_size=12, position="none").max_input_length
        is None
    )


def test_swiglu_is_the_gated_network_of_its_paper():
    model = build("transformer", "multi_head", "swiglu")
    layer, states = model.layers[0], torch.randn(2, 3, 16, dtype=torch.float64)
    normed = states / (states.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt() * layer.feedforward_norm.weight
    gate = normed @ layer.gate.weight.T
    hidden = gate * gate.sigmoid() * (normed @ layer.widen.weight.T + layer.widen.bias)
    expected = states + hidden @ layer.narrow.weight.T + layer.narrow.bias
    torch.testing.assert_close(layer._feedforward(states), expected)
