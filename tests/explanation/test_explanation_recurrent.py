"""Recurrent models, step by step: values that are zeroed and states that are put back, against formulas written out."""

from pathlib import Path

import numpy as np
import pytest
import torch
from bert_reference import array, linear, softmax
from recurrent_reference import Decoder, embedded, encode, start_of, walk, weights_of
from tasks_toys import PAIRS, attention, pair_codec, rows, seq2seq

from attnfocus.data import Induction
from attnfocus.data.codecs.sequence import SequenceCodec
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.explanation import AttributionOptions, attribute
from attnfocus.models import RNNLanguageModel
from attnfocus.tasks import LanguageModelingTask, TranslationTask


def shaken(model, seed=5):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model.double().eval()


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


def test_a_value_is_zeroed_for_all_that_a_recurrent_language_model_says_behind_it():
    source = Induction(vocab_size=6, length=12, num_train=200, num_valid=1, num_test=1)
    codec = SequenceCodec.learn(source.read(Path(), 1).splits["train"], TokenizerOptions(kind="whitespace"))
    sizes = {"embed_dim": 8, "hidden_size": 8, "tied_embeddings": False}
    model = shaken(RNNLanguageModel(attention=attention("additive"), **sizes, **codec.dims()))
    example, task = codec.encode_input("s0 s1 s2 s0", "text"), LanguageModelingTask(codec)
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
