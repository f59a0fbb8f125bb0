"""Sequence to sequence: padding, stepping, and the papers' equations."""

from functools import partial

import pytest
import torch
from decoder_presets import CASES, DECODING, NOT_DECODING, VARIANTS, are_cases
from pairs import parametrize_pairs
from sequence_toys import (
    assert_dropout_acts_in_training_only,
    assert_steps_equal_teacher_forcing,
    batch,
    gradients,
    loss_after_learning,
)
from torch import nn
from torch.nn import functional as F

from attnfocus.models import Seq2Seq


def build(attention, **changes):
    torch.manual_seed(1)
    options = {"source_vocab_size": 12, "target_vocab_size": 12, "embed_dim": 6, "hidden_size": 8, "dropout": 0.0}
    return Seq2Seq(attention=attention, **(options | changes)).double()


@parametrize_pairs({"name": DECODING, "variant": list(VARIANTS), "need_weights": [False, True]}, are_cases)
def test_padding_never_changes_the_result(name, variant, need_weights, make_attention):
    model = build(make_attention(name), **VARIANTS[variant])
    source, lengths, target = batch()
    output = model(source, lengths, target, need_weights)
    together = gradients(model, output.logits.square().sum())
    alone = []
    for row, length in enumerate(lengths.tolist()):
        each = model(source[row : row + 1, :length], lengths[row : row + 1], target[row : row + 1], need_weights)
        torch.testing.assert_close(output.logits[row : row + 1], each.logits)
        if need_weights:
            weights = output.weights["cross"]
            torch.testing.assert_close(weights[row : row + 1, ..., :length], each.weights["cross"])
            assert weights[row, ..., length:].eq(0).all()
        alone.append(each.logits.square().sum())
    torch.testing.assert_close(together, gradients(model, sum(alone)))


@pytest.mark.parametrize(("name", "variant"), CASES)
def test_teacher_forcing_equals_stepping(name, variant, make_attention):
    model = build(make_attention(name), **VARIANTS[variant])
    assert_steps_equal_teacher_forcing(model, "cross")


@pytest.mark.parametrize(("name", "variant"), CASES)
def test_selected_rows_go_on_as_if_alone(name, variant, make_attention):
    model = build(make_attention(name), **VARIANTS[variant])
    source, lengths, target = batch()
    memory = model.encode(source, lengths)
    state = model.step(target[:, 0], model.start(memory), memory)[1]
    expected = model.step(target[:, 1], state, memory)[0]
    index = torch.tensor([2, 0, 2])
    logits, _, _ = model.step(target[index, 1], model.select(state, index), model.select(memory, index))
    torch.testing.assert_close(logits, expected[index])


@pytest.mark.parametrize(("name", "variant"), CASES)
def test_empty_source_gives_finite_logits_and_gradients(name, variant, make_attention):
    model = build(make_attention(name), **VARIANTS[variant])
    target = torch.tensor([[2, 5], [2, 6]])
    for source in (torch.tensor([[4, 5], [0, 0]]), torch.empty(2, 0, dtype=torch.long)):
        lengths = torch.tensor([source.shape[1], 0])
        output = model(source, lengths, target, need_weights=True)
        assert output.logits.isfinite().all()
        assert output.weights["cross"][1].eq(0).all()
        assert all(g.isfinite().all() for g in gradients(model, output.logits.sum()).values())


@pytest.mark.parametrize(("readout", "f"), [("tanh", torch.tanh), ("linear", nn.Identity())])
def test_order_luong_is_equation_5_written_as_a_loop(readout, f, make_attention):
    model = build(make_attention("dot"), tied_embeddings="none", input_feeding=True, readout=readout)
    source, lengths, target = batch()
    decoder, cell = model.decoder, model.decoder.recurrent.cells[0]
    outputs, finals = model.encoder(model.source_embedding(source), lengths)
    for row, length in enumerate(lengths.tolist()):
        keys, final = outputs[row, :length], finals[0][row]
        h, c = torch.tanh(model.bridge.hidden[0](final)), model.bridge.cell[0](final)
        fed = torch.zeros(8, dtype=torch.float64)
        for position, token in enumerate(target[row].tolist()):
            y = 6**0.5 * model.target_embedding.weight[token]
            h, c = cell(torch.cat([y, fed]), (h, c))
            weights = torch.softmax(torch.stack([h @ key for key in keys]), 0)
            context = sum(weight * key for weight, key in zip(weights, keys, strict=True))
            fed = f(decoder.readout.weight @ torch.cat([context, h]))
            expected = model.output.weight @ fed + model.output.bias
            torch.testing.assert_close(model(source, lengths, target).logits[row, position], expected)


@pytest.mark.parametrize(("readout", "f"), [("tanh", torch.tanh), ("linear", nn.Identity())])
def test_order_bahdanau_attends_with_the_top_state_before_the_token(readout, f, make_attention):
    changes = {
        "readout": readout,
        "order": "attend_then_recur",
        "cell": "gru",
        "num_layers": 2,
        "tied_embeddings": "none",
    }
    model = build(make_attention("dot"), **changes)
    source, lengths, target = batch()
    logits, (lower, upper) = model(source, lengths, target).logits, model.decoder.recurrent.cells
    outputs, finals = model.encoder(model.source_embedding(source), lengths)
    for row, length in enumerate(lengths.tolist()):
        keys = outputs[row, :length]
        r, s = (torch.tanh(model.bridge.hidden[depth](finals[depth][row])) for depth in range(2))
        for position, token in enumerate(target[row].tolist()):
            y = 6**0.5 * model.target_embedding.weight[token]
            context = torch.softmax(keys @ s, 0) @ keys
            r = lower(torch.cat([y, context]), r)
            s = upper(r, s)
            made = f(model.decoder.readout(torch.cat([s, context, y])))
            torch.testing.assert_close(logits[row, position], F.linear(made, model.output.weight, model.output.bias))


def test_weights_are_given_only_when_asked_for(make_attention):
    model = build(make_attention("multi_head"))
    assert model(*batch()).weights == {}
    weights = model(*batch(), need_weights=True).weights
    assert list(weights) == ["cross"]
    assert weights["cross"].shape == (4, 4, 5, 6)


@pytest.mark.parametrize("tied", ["none", "decoder", "all"])
def test_tied_embeddings_share_exactly_the_tables_they_name(tied, make_attention):
    model = build(make_attention("additive"), tied_embeddings=tied)
    assert (model.output.weight is model.target_embedding.weight) == (tied != "none")
    assert (model.source_embedding is model.target_embedding) == (tied == "all")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"hidden_size": 7}, "hidden_size=7"),
        ({"input_feeding": True, "order": "attend_then_recur"}, "input_feeding"),
        ({"tied_embeddings": "all", "source_vocab_size": 11}, "11 source and 12"),
    ],
)
def test_options_that_do_not_go_together_are_refused_by_name(changes, named, make_attention):
    with pytest.raises(ValueError, match=named):
        build(make_attention("additive"), **changes)


@pytest.mark.parametrize("name", NOT_DECODING)
def test_attention_within_one_sequence_is_refused_with_the_way_out(name, make_attention):
    with pytest.raises(ValueError, match=r"model=transformer.*attention/pattern=full"):
        build(make_attention(name))


def test_heads_that_do_not_divide_are_refused(make_attention):
    with pytest.raises(ValueError, match="3"):
        build(make_attention("multi_head", "attention.num_heads=3"))


@pytest.mark.parametrize(("name", "variant"), CASES)
def test_model_is_built_on_the_meta_device(name, variant, make_attention):
    with torch.device("meta"):
        model = build(make_attention(name), **VARIANTS[variant])
    assert all(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize(("name", "variant"), CASES)
def test_every_parameter_is_trained(name, variant, make_attention):
    model = build(make_attention(name), **VARIANTS[variant])
    grads = gradients(model, model(*batch()).logits.square().sum())
    unused = [name for name, p in model.named_parameters() if name not in grads or grads[name].eq(0).all()]
    # A bias on all keys shifts every score of a query alike, which a softmax does not see.
    assert [name for name in unused if not name.endswith("key_projection.bias")] == []


def test_dropout_acts_in_training_only(make_attention):
    model = build(make_attention("additive"), dropout=0.5)
    assert_dropout_acts_in_training_only(model, batch())


@pytest.mark.parametrize("name", ["additive", "dot", "multi_head"])
@pytest.mark.parametrize("variant", ["luong", "bahdanau"])
def test_dropout_of_attention_weights_acts_in_training_only(name, variant, make_attention):
    model = build(partial(make_attention(name), dropout=0.5), **VARIANTS[variant])
    assert_dropout_acts_in_training_only(model, batch())


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["luong", "bahdanau"])
def test_sequences_are_learnt_to_be_reversed(variant, make_attention):
    torch.manual_seed(0)
    options = {"embed_dim": 32, "hidden_size": 32, "source_vocab_size": 8, "target_vocab_size": 8}
    model = build(make_attention("additive"), **VARIANTS[variant], **options).float()
    assert loss_after_learning(model, lambda source: source.flip(1), lr=0.01) < 0.3
