"""Several texts in a row, or a text in parts: with every attention the numbers are those of each text at once."""

import numpy as np
import pytest
import torch
from test_models_language_models import CASES, build

from attnfocus.data import Encoded, Row, collate
from attnfocus.models import documents
from attnfocus.special import PAD
from attnfocus.tasks.language_modeling import LanguageModelingTask

LENGTHS = (21, 3, 9, 1, 34, 12, 6)  # rows of up to 40: 34 + 6, 21 + 12 + 3 + 1, 9 and padding


def examples(lengths=LENGTHS):
    random = np.random.default_rng(5)
    found = []
    for number, length in enumerate(lengths):
        inputs, targets = random.integers(4, 12, (2, length))
        targets[random.random(length) < 0.2] = PAD
        count = int((targets != PAD).sum())
        found.append(Encoded(str(number), inputs, targets, length, Row(str(number), "", ""), count))
    return found


def loss_and_gradients(model, batches):
    model.zero_grad()
    loss = sum(LanguageModelingTask().step(model, batch).loss_sum for batch in batches)
    loss.backward()
    return loss.detach(), {name: each.grad for name, each in model.named_parameters() if each.grad is not None}


@pytest.mark.parametrize(("kind", "preset", "variant"), CASES)
def test_packed_texts_have_the_loss_and_the_gradients_of_each_by_itself(kind, preset, variant, monkeypatch):
    model, packed = build(kind, preset, variant), collate(examples(), packed=40)
    assert packed.packing.num_rows == 3
    alone = loss_and_gradients(model, [collate([each]) for each in examples()])
    ways = [False]
    if kind == "transformer" and model.layers[0].attention.takes_documents_by_mask:
        ways.append(True)
    for in_one_call in ways:
        made = documents.Documents.__init__

        def forced(self, *given, of=made, way=in_one_call):
            of(self, *given)
            self.in_one_call = way

        with monkeypatch.context() as patched:
            patched.setattr(documents.Documents, "__init__", forced)
            found = loss_and_gradients(model, [packed])
        torch.testing.assert_close(found, alone, rtol=1e-9, atol=1e-9)


def test_which_attentions_read_packed_texts_in_one_call():
    by_mask = {
        preset
        for kind, preset, variant in CASES
        if kind == "transformer" and not variant and build(kind, preset, "").layers[0].attention.takes_documents_by_mask
    }
    assert {"multi_head", "rotary", "alibi", "t5", "local", "grouped_query", "sink", "forgetting"} <= by_mask
    counting = {"sinusoidal", "learned", "sink_window", "moba", "block_sparse", "bigbird", "prefix", "transformer_xl"}
    assert not by_mask & (counting | {"linear", "ssd", "gla", "delta", "cope", "additive", "differential"})


def test_packed_rows_have_no_weights_to_show():
    batch = collate(examples(), packed=40)
    where = batch.packing
    laid = documents.Documents(where.lengths, where.rows, where.starts, where.num_rows)
    inputs = laid.packed(batch.inputs, PAD)
    for kind in ("transformer", "rnn"):
        model = build(kind, "multi_head", "")
        with pytest.raises(ValueError, match="weights are of one text a row"):
            model(inputs, batch.input_lengths, need_weights=True, documents=laid)


def with_constant_context(model, read, num_context):
    """Logits behind a context: everything at once, by weights; what attentions read of the context is a constant."""
    states = model.position(model.embedding(read))
    for layer in model.layers:
        normed = layer.attention_norm(states)
        normed = torch.cat((normed[:, :num_context].detach(), normed[:, num_context:]), dim=1)
        states = states + layer.attention(normed, normed, need_weights=True)[0]
        hidden = layer.widen(layer.feedforward_norm(states))
        if layer.gate is None:
            hidden = layer.activation(hidden)
        else:
            hidden = torch.nn.functional.silu(layer.gate(layer.feedforward_norm(states))) * hidden
        states = states + layer.narrow(hidden)
    return model.output(model.final_norm(states)[:, num_context:])


@pytest.mark.parametrize(("kind", "preset", "variant"), CASES)
def test_attentions_learn_from_a_context_that_counts_as_if_it_were_read_at_once(kind, preset, variant):
    model = build(kind, preset, variant).train()
    read = torch.cat((torch.arange(4, 8).repeat(2, 3), torch.arange(8, 12).repeat(2, 2)), dim=1)  # (2, 20)
    lengths = torch.tensor([20, 20])
    whole, output = model(read, lengths), model(read, lengths, num_context=12)
    torch.testing.assert_close(output.readout, whole.readout[:, 12:])
    names, weights = zip(*model.named_parameters(), strict=True)
    found = torch.autograd.grad(output.logits.square().sum(), weights, materialize_grads=True)
    if kind == "rnn":  # nothing of its context has a gradient
        embedded = []
        model.embedding.register_forward_hook(lambda _, __, found: embedded.append(found))
        model(read, lengths, num_context=12)
        assert [(each.shape[1], each.requires_grad) for each in embedded] == [(12, False), (8, True)]
        return
    expected = torch.autograd.grad(
        with_constant_context(model, read, 12).square().sum(), weights, materialize_grads=True
    )
    for name, one, other in zip(names, found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9, msg=lambda text, name=name: f"{name}: {text}")


def test_weights_that_were_cast_for_a_context_keep_their_gradient():
    model = build("transformer", "transformer_xl", "").float().train()
    with torch.autocast("cpu", torch.bfloat16):
        output = model(torch.arange(4, 12).repeat(2, 2), torch.tensor([16, 16]), num_context=8)
    output.logits.float().square().sum().backward()
    layer = model.layers[0]
    for weight in (layer.attention.query_projection.weight, layer.attention.key_projection.weight, layer.widen.weight):
        assert weight.grad.abs().sum() > 0


def test_r_drop_and_parts_of_a_batch_are_those_of_the_texts():
    model, packed, whole = build("transformer", "alibi", ""), collate(examples(), packed=40), collate(examples())
    task = LanguageModelingTask(r_drop=1.0)
    steps = [task.step(model, batch) for batch in (packed, whole)]
    torch.testing.assert_close(steps[0].loss_sum, steps[1].loss_sum)
    parts = packed.split(3)
    assert [each.packing.lengths for each in parts] == [LENGTHS[:3], LENGTHS[3:6], LENGTHS[6:]]
    torch.testing.assert_close(loss_and_gradients(model, parts), loss_and_gradients(model, [whole]))
