"""Recurrent models, step by step: values that are zeroed and states that are put back, against formulas written out."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import torch
from bert_reference import array, linear, softmax
from recurrent_reference import Decoder, embedded, encode, start_of, walk, weights_of
from tasks_toys import PAIRS, attention, pair_codec, rows, seq2seq, shaken

from attnfocus.data import Induction
from attnfocus.data.batches import collate
from attnfocus.data.codecs.sequence import SequenceCodec
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.decoding import DecodingOptions
from attnfocus.explanation import AttributionOptions, attribute
from attnfocus.explanation.interventions import Noted, changed, parts_of
from attnfocus.explanation.patching import patch
from attnfocus.models import RNNLanguageModel
from attnfocus.models.recurrent import Recurrence
from attnfocus.special import BOS
from attnfocus.tasks import LanguageModelingTask, TranslationTask


@pytest.mark.parametrize(
    ("order", "options"),
    [
        ("recur", {}),
        ("recur", {"readout": "tanh"}),
        ("feed", {"input_feeding": True}),
        ("attend", {"order": "attend_then_recur"}),
    ],
)
def test_a_value_is_zeroed_in_the_one_step_of_a_recurrent_decoder(order, options):
    codec = pair_codec()
    task, model = TranslationTask(codec), shaken(seq2seq(codec, "additive", tied_embeddings="none", **options))
    example = codec.encode_rows(rows(PAIRS))[5]
    (found,) = attribute(task, model, [example], "value_zeroing", AttributionOptions(target="y z x y z"))
    decoder = Decoder(model, encode(model, example.inputs.tolist()), order)
    activate = np.tanh if options.get("readout") == "tanh" else lambda x: x
    expected = np.zeros(found.scores.shape)
    starts, _, _ = decoder.begun(example.targets.tolist()[: len(expected)])  # from BOS on
    for step, start in enumerate(starts):
        whole = activate(decoder.step(*start)[1])
        for key in range(expected.shape[1]):
            without = activate(decoder.step(*start, zeroed=key)[1])
            cosine = whole @ without / np.linalg.norm(whole) / np.linalg.norm(without)
            expected[step, key] = 1 - cosine
    np.testing.assert_allclose(found.scores, expected / expected.sum(axis=1, keepdims=True), rtol=1e-5, atol=1e-7)


def language_task():
    source = Induction(vocab_size=6, length=12, num_train=200, num_valid=1, num_test=1)
    return LanguageModelingTask(
        SequenceCodec.learn(source.read(Path(), 1).splits["train"], TokenizerOptions(kind="whitespace"))
    )


def test_a_value_is_zeroed_for_all_that_a_recurrent_language_model_says_behind_it():
    task, sizes = language_task(), {"embed_dim": 8, "hidden_size": 8, "tied_embeddings": False}
    model = shaken(RNNLanguageModel(attention=attention("additive"), **sizes, **task.codec.dims()))
    example = task.codec.encode_input("s0 s1 s2 s0", "text")
    (found,) = attribute(task, model, [example], "value_zeroing", AttributionOptions(target="s1"))
    ids, own = example.inputs.tolist(), model.recurrent.layers
    states = walk(embedded(model.embedding, ids), start_of(own), weights_of(own, "_l0"))
    hidden = np.array([h for h, _ in states])
    score = model.attention.score
    of_query, of_keys = array(score.query_weight)[0], array(score.key_weight)[0]
    moved = np.tanh(of_query @ hidden[-1] + hidden @ of_keys.T + array(score.bias)[0, 0])
    weights = softmax(moved @ array(score.vector)[0])

    def said(zeroed):
        context = sum(weights[key] * hidden[key] for key in range(len(ids)) if key != zeroed)
        return np.tanh(linear(np.concatenate((context, hidden[-1])), model.readout))

    whole, expected = said(None), np.zeros(len(ids))
    for key in range(len(ids)):
        without = said(key)
        expected[key] = 1 - whole @ without / np.linalg.norm(whole) / np.linalg.norm(without)
    np.testing.assert_allclose(found.scores[0], expected / expected.sum(), rtol=1e-5, atol=1e-7)


def latch():
    """A language model of two layers, the weights of which are set: the first keeps s0 to s3 until another of them
    comes, and s4 and s5 change nothing in it; the second says what the first says now, and keeps nothing."""
    task, sizes = language_task(), {"embed_dim": 11, "hidden_size": 11, "num_layers": 2, "tied_embeddings": False}
    model = RNNLanguageModel(attention=attention("dot"), **sizes, **task.codec.dims()).eval()
    kept = [task.codec.encode_input(f"s{number}", "text").inputs[-1].item() for number in range(4)]
    is_kept = torch.zeros(11).index_fill(0, torch.tensor(kept), 1.0)
    write, keep, content, say = (slice(11 * gate, 11 * (gate + 1)) for gate in range(4))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.embedding.weight.copy_(torch.eye(11) / model.embedding.scale)
        first, second = (
            {name: getattr(model.recurrent.layers, f"{name}_l{depth}") for name in ("weight_ih", "bias_ih")}
            for depth in range(2)
        )
        first["weight_ih"][write], first["bias_ih"][write] = 40 * is_kept, -20.0
        first["weight_ih"][keep], first["bias_ih"][keep] = -40 * is_kept, 20.0
        second["bias_ih"][write], second["bias_ih"][keep] = 20.0, -20.0
        for layer in (first, second):
            layer["weight_ih"][content], layer["bias_ih"][say] = 5 * torch.eye(11), 20.0
        model.readout.weight[:, 11:] = torch.eye(11)
        model.output.weight.copy_(5 * torch.eye(11))
    return task, model


def test_the_states_that_hold_what_tells_two_texts_apart_are_found():
    task, model = latch()
    pair = [task.codec.encode_input(text, "text") for text in ("s0 s1 s4 s5 s4", "s0 s2 s4 s5 s4")]
    found = patch(task, model, *pair, ("states",), decoding=DecodingOptions(max_length=1, at_limit="cut"))
    assert (found.answer, found.other) == ("s1", "s2")
    first, second = found.parts
    assert first.positions == second.positions == ("<bos>", "s0", "s1/s2", "s4", "s5", "s4")
    assert first.name, second.name == ("recurrent.0", "recurrent.1")
    np.testing.assert_allclose(first.by_position[0], [0, 0, 1, 1, 1, 1], atol=1e-3)  # from s1 on it is kept
    np.testing.assert_allclose(second.by_position[0], [0, 0, 0, 0, 0, 1], atol=1e-3)  # nothing is
    assert first.whole == pytest.approx([1], abs=1e-3)


@pytest.mark.parametrize("order", ["recur", "feed", "attend"])
def test_states_of_a_translator_are_put_back_as_in_its_formulas(order):
    codec = pair_codec()
    task, options = TranslationTask(codec), {"feed": {"input_feeding": True}, "attend": {"order": "attend_then_recur"}}
    model = shaken(seq2seq(codec, "additive", tied_embeddings="none", **options.get(order, {})))
    names = codec.target_tokens(range(codec.dims()["target_vocab_size"]))
    letters = [number for number, name in enumerate(names) if name in "wxyz"]
    with torch.no_grad():  # nothing else is ever written
        model.output.bias[[number for number in range(len(model.output.bias)) if number not in letters]] = -100.0
    clean, corrupted = (codec.encode_input(text, "text") for text in ("b c a b c", "b a a d c"))
    ids, others = clean.inputs.tolist(), corrupted.inputs.tolist()
    own, corrupted_own = encode(model, ids), encode(model, others)

    def logits(states, tokens, put=None):
        return linear(Decoder(model, states, order).begun(tokens, put)[2][-1], model.output)

    tokens = [BOS]
    for _ in range(2):  # written as with the corrupted input, and then in another way
        tokens.append(int(logits(corrupted_own, tokens).argmax()))
    at_corrupted = logits(corrupted_own, tokens)
    other = int(at_corrupted.argmax())
    answer = next(each for each in letters if each != other)
    target = " ".join(codec.target_tokens([*tokens[1:], answer]))
    found = patch(task, model, clean, corrupted, ("states",), target=target)
    assert (found.output, [found.answer, found.other]) == (2, list(codec.target_tokens([answer, other])))

    def gap(states, put=None):
        both = logits(states, tokens, put)
        return both[answer] - both[other]

    whole, least = gap(own), gap(corrupted_own)
    assert (found.clean, found.corrupted) == pytest.approx((whole, least))
    by_name = {part.name: part.by_position[0] for part in found.parts}
    for direction in ("forwards", "backwards"):
        steps = [gap(encode(model, others, (direction, k, own[direction][k]))) for k in range(len(ids))]
        expected = (np.array(steps) - least) / (whole - least)
        expected = expected[::-1] if direction == "backwards" else expected
        np.testing.assert_allclose(by_name[f"encoder.layers.0.{direction}"], expected, rtol=1e-5, atol=1e-5)
    states = Decoder(model, own, order).begun(tokens)[1]
    expected = [(gap(corrupted_own, (k, states[k])) - least) / (whole - least) for k in range(len(tokens))]
    np.testing.assert_allclose(by_name["decoder.recurrent.0"], expected, rtol=1e-5, atol=1e-5)
    differs = np.abs(np.diff(expected)) > 0.001
    assert differs.all() == (order != "recur")  # what is read of the source goes through the first state alone there


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("options", [{}, {"input_feeding": True}, {"bidirectional": False}])
def test_layers_that_are_walked_through_say_what_they_say_at_once(cell, options):
    codec = pair_codec()
    model = shaken(seq2seq(codec, "additive", cell=cell, num_layers=2, **options))
    batch = collate(list(codec.encode_rows(rows(PAIRS))))
    with torch.no_grad(), ExitStack() as stack:
        given = batch.inputs, batch.input_lengths, batch.targets[:, :-1]
        before = model(*given).readout
        noted = {part: Noted() for part in parts_of(model, "states")}
        for part, each in noted.items():
            stack.enter_context(changed(model, part, each))
        torch.testing.assert_close(model(*given).readout, before)
    widths = {part.name: tuple(each.values.shape[1:]) for part, each in noted.items()}
    width, directions = (2, 1)[cell == "gru"] * 16, 1 if "bidirectional" in options else 2
    assert len(widths) == 2 * directions + 2
    for name, (num_positions, size) in widths.items():
        is_read = name.startswith("encoder")
        assert num_positions == given[0 if is_read else 2].shape[1]
        assert size == (width // directions if is_read else width)
    assert not any(each.state_changes for each in model.modules() if isinstance(each, Recurrence))
