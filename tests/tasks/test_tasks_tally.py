"""Tallies: parts of a split, evaluated apart and sent as bytes, give the evaluation of the whole to the bit."""

import random

import numpy as np
import pytest
import torch
from tasks_toys import LABELLED, PAIRS, batches, classifier, label_codec, pair_codec, rows, seq2seq, transformer

from attnfocus.decoding import DecodingOptions
from attnfocus.events import Sample
from attnfocus.tasks import Candidate, ClassificationTask, Prediction, TranslationTask
from attnfocus.tasks.tally import add_up, pack, unpack

KINDS = (Prediction, Candidate, Sample)


def every_task():
    pairs, labels = pair_codec(), label_codec()
    yield TranslationTask(pairs), seq2seq(pairs, "additive"), pairs, rows(PAIRS)
    yield TranslationTask(pairs), transformer(pairs), pairs, rows(PAIRS)
    for name in ("RNNClassifier", "TransformerClassifier", "PoolingClassifier"):
        yield ClassificationTask(labels), classifier(name, labels, "scaled_dot"), labels, rows(LABELLED)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("num_parts", [1, 2, 5])
def test_parts_give_the_whole(number, num_parts):
    task, model, codec, examples = list(every_task())[number]
    every = list(batches(codec, examples, 2))
    random.Random(0).shuffle(every)
    how = {"decoding": DecodingOptions(beam_size=2, num_best=2), "num_samples": 3}
    whole = task.evaluate(model, every, **how)
    parts = [task.tally(model, every[first::num_parts], **how) for first in range(num_parts)]
    found = task.conclude(add_up([unpack(pack(part, KINDS), KINDS) for part in parts]), 3)
    assert found.metrics == whole.metrics
    assert found.predictions == whole.predictions
    assert found.extras == whole.extras
    assert found.heads == whole.heads
    assert [each.id for each in found.samples] == [each.id for each in whole.samples]
    for one, other in zip(found.samples, whole.samples, strict=True):
        assert one.key_tokens == other.key_tokens
        assert one.query_tokens == other.query_tokens
        assert all(np.array_equal(one.weights[name], other.weights[name]) for name in other.weights)


def test_what_is_sent_comes_back_as_it_was():
    tally = {
        "numbers": [1, 2.5, float("inf"), True, None, "text\n"],
        "pairs": (torch.arange(3), torch.zeros(2, 0)),
        "array": np.ones((2, 1), dtype=np.float32),
        "answers": [Prediction("a", "b", -1.5, n_best=(Candidate("c", 1.0, 2.0),))],
        "empty": {},
    }
    found = unpack(pack(tally, KINDS), KINDS)
    assert found["numbers"] == tally["numbers"]
    assert found["answers"] == tally["answers"]
    assert found["empty"] == {}
    assert isinstance(found["pairs"], tuple)
    assert [each.tolist() for each in found["pairs"]] == [[0, 1, 2], [[], []]]
    assert found["array"].dtype == np.float32
    with pytest.raises(TypeError):
        pack({"unknown": Prediction("a", "b", 0.0)}, (Sample,))
