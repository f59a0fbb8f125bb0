"""What is inspected is what the model did: weights under its own output, of every attention."""

import numpy as np
import pytest
from tasks_toys import LABELLED, PAIRS, batches, classifier, label_codec, pair_codec, rows, seq2seq, transformer

from attnfocus.decoding import DecodingOptions
from attnfocus.tasks import ClassificationTask, TranslationTask

LONG = DecodingOptions(min_length_ratio=1.0, max_length=8)


@pytest.mark.parametrize(("make", "shown"), [(seq2seq, "cross"), (transformer, "decoder.layers.0.cross")])
def test_the_weights_under_an_output_are_those_that_wrote_it(make, shown):
    codec = pair_codec()
    model = make(codec).eval()
    task, found = TranslationTask(codec), batches(codec, rows(PAIRS), 4)
    written = list(task.predict(model, found, decoding=LONG, need_weights=True))
    inspected = list(task.inspect(model, found, decoding=LONG))
    assert [each.prediction.text for each in inspected] == [each.text for each in written]
    for each, expected in zip(inspected, written, strict=True):
        maps = {one.name: one for one in each.maps}
        np.testing.assert_allclose(maps[shown].weights, expected.weights["cross"], atol=1e-5)
        assert maps[shown].query_tokens == expected.query_tokens["cross"]
        assert maps[shown].key_tokens == expected.key_tokens


def test_every_attention_of_a_transformer_has_the_tokens_of_its_side():
    codec = pair_codec()
    (inspected, *_) = TranslationTask(codec).inspect(
        transformer(codec).eval(), batches(codec, rows(PAIRS[3:4]), 1), decoding=LONG
    )
    maps = {each.name: each for each in inspected.maps}
    source = ("a", "a", "b", "c")
    written = maps["decoder.layers.0.cross"].query_tokens
    assert maps["encoder.layers.0"].query_tokens == maps["encoder.layers.0"].key_tokens == source
    assert maps["decoder.layers.0.self"].query_tokens == written
    assert maps["decoder.layers.0.self"].key_tokens == ("<bos>", *written[:-1])
    assert not np.triu(maps["decoder.layers.0.self"].weights, 1).any()
    for each in maps.values():
        assert each.weights.shape == (len(each.heads), len(each.query_tokens), len(each.key_tokens))


@pytest.mark.parametrize("name", ["TransformerClassifier", "RNNClassifier", "PoolingClassifier"])
def test_a_classifier_is_inspected_with_all_of_its_attentions(name):
    codec = label_codec()
    model, task = classifier(name, codec).eval(), ClassificationTask(codec)
    found = batches(codec, rows(LABELLED), 3)
    predicted = list(task.predict(model, found, need_weights=True))
    for each, expected in zip(task.inspect(model, found), predicted, strict=True):
        assert each.prediction.text == expected.text
        assert [one.name for one in each.maps] == list(expected.weights)
        for one in each.maps:
            np.testing.assert_array_equal(one.weights, expected.weights[one.name])


def test_an_input_without_tokens_has_no_maps():
    codec = pair_codec()
    (inspected,) = TranslationTask(codec).inspect(seq2seq(codec).eval(), batches(codec, rows([("", "x")]), 1))
    assert inspected.prediction.skipped == "empty input"
    assert inspected.maps == ()
