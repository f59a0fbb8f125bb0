"""Maps by words where tokens are pieces of words, and what is shown where no method is named."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tasks_toys import LABELLED, attention, rows

from attnfocus import models
from attnfocus.data.codecs.text_label import TextLabelCodec
from attnfocus.data.gold import TokenLinks
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
from attnfocus.decoding import DecodingOptions
from attnfocus.errors import ConfigError
from attnfocus.explanation import AttributionOptions
from attnfocus.inspection.examples import Choice, Trained, inspect_examples
from attnfocus.inspection.words import with_words
from attnfocus.models.base import Place
from attnfocus.tasks import ClassificationTask, FocusMap, Inspected, Prediction

KEYS, WRITTEN = ("▁un", "happy", "▁end"), ("▁ja", "▁en", "de", "<eos>")


def trained(kind="bpe"):
    texts = [text for text, _ in LABELLED]
    codec = TextLabelCodec(Tokenizer.train(texts, TokenizerOptions(kind=kind, vocab_size=20)), ("no", "maybe", "yes"))
    torch.manual_seed(0)
    model = models.TransformerClassifier(attention=attention(), embed_dim=16, pooling="cls", **codec.dims()).eval()
    return Trained(ClassificationTask(codec), model, DecodingOptions()), codec.encode_rows(rows(LABELLED))[1:2]


def test_all_maps_of_a_classifier_are_by_words():
    answerer, examples = trained()
    methods = ("attention", "attention_norm", "gradient_input")
    (pieces,) = inspect_examples(answerer, examples, Choice(methods=methods))
    options = AttributionOptions(level="word")
    (words,) = inspect_examples(answerer, examples, Choice(methods=methods, options=options))
    assert words.maps[0].key_tokens == words.maps[0].query_tokens == ("<cls>", "good", "good", "film")
    assert words.maps[-1].key_tokens == ("good", "good", "film")
    assert words.maps[-1].query_tokens == pieces.maps[-1].query_tokens
    np.testing.assert_allclose(words.maps[0].weights.sum(axis=-1), 1.0, rtol=1e-5)
    for one, other in zip(pieces.maps, words.maps, strict=True):
        assert other.weights.dtype == np.float32
        whole, mean = one.weights.sum(axis=-1).mean(), other.weights.sum(axis=-1)
        assert min(mean.min(), 0) <= whole <= max(mean.max(), 0) + 1e-6


def test_what_is_known_follows_the_words():
    place = Place("cross", "cross", "output", "input")
    weights = np.arange(12, dtype=np.float32).reshape(1, 4, 3)
    each = FocusMap("attention", "cross", weights, WRITTEN, KEYS, (0,), place)
    pairs = frozenset({(1, 0), (2, 1), (3, 2)})
    answer = Inspected(
        Prediction("1", "x", 0.0), (each,), links=TokenLinks(pairs, frozenset()), rationale=(False, True, False)
    )
    found = with_words(answer, KEYS)
    assert (found.maps[0].query_tokens, found.maps[0].key_tokens) == (("ja", "ende", "<eos>"), ("unhappy", "end"))
    assert found.maps[0].weights.tolist() == [[[1.0, 2.0], [10.0, 6.5], [19.0, 11.0]]]
    assert found.rationale == (True, False)
    assert found.links == TokenLinks(frozenset({(1, 0), (2, 1)}), frozenset())
    pooled = replace(
        each, place=Place("pooling", "pooling", "learned", "input"), query_tokens=("p 0", "p 1", "p 2", "p 3")
    )
    assert with_words(replace(answer, maps=(pooled,)), KEYS).maps[0].query_tokens == pooled.query_tokens


def test_words_are_refused_where_tokens_are_words():
    answerer, examples = trained("word")
    with pytest.raises(ConfigError, match="level: word joins pieces of words"):
        inspect_examples(answerer, examples, Choice(options=AttributionOptions(level="word")))


def test_the_default_is_integrated_gradients_unless_an_option_or_the_length_says_otherwise():
    assert Choice().default_methods(100, 10) == ("attention", "integrated_gradients")
    assert Choice().default_methods(4000, 10) == ("attention", "gradient_input")
    assert Choice(options=AttributionOptions(against="no")).default_methods(5, 1) == ("integrated_gradients",)
    assert Choice(options=AttributionOptions(span=2)).default_methods(5, 1) == ("leave_one_out",)
    with pytest.raises(ConfigError, match="against: attention shows where"):
        Choice(methods=("attention",), options=AttributionOptions(against="no"))
    answerer, examples = trained()
    (found,) = inspect_examples(answerer, examples, Choice(options=AttributionOptions(span=1, level="word")))
    assert [(each.method, len(each.key_tokens)) for each in found.maps] == [("leave_one_out", 3)]
