"""Words that training leaves out."""

import pytest
import torch
from tasks_toys import LABELLED, batches, classifier, label_codec, rows, vector_codec

from attnfocus.errors import ConfigError
from attnfocus.special import PAD, UNK
from attnfocus.tasks import ClassificationTask
from attnfocus.tasks.perturbation import drop_words, seen_in_training

MANY = [(text, label) for text, label in LABELLED for _ in range(300)]


def test_the_share_of_tokens_that_become_unknown_is_the_rate_and_padding_stays():
    [batch] = batches(label_codec(), rows(MANY), len(MANY))
    torch.manual_seed(0)
    seen = drop_words(batch, 0.3)
    real = batch.inputs != PAD
    was_dropped = seen.inputs != batch.inputs
    assert was_dropped[real].float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert (seen.inputs[was_dropped] == UNK).all()
    assert (seen.inputs[~real] == PAD).all()
    assert torch.equal(seen.targets, batch.targets)
    assert torch.equal(seen.input_lengths, batch.input_lengths)


def test_no_rate_means_the_same_batch():
    [batch] = batches(label_codec(), rows(LABELLED), 7)
    assert seen_in_training(batch, word_dropout=0.0, r_drop=0.0) is batch


def test_each_pass_of_r_drop_leaves_out_words_of_its_own():
    [batch] = batches(label_codec(), rows(MANY), len(MANY))
    first, second = seen_in_training(batch, word_dropout=0.3, r_drop=1.0).inputs.chunk(2)
    assert not torch.equal(first, second)


def test_training_sees_words_left_out_and_evaluation_all_of_them():
    codec = label_codec()
    model, data = classifier("RNNClassifier", codec).eval(), batches(codec, rows(LABELLED), 7)
    plain, dropping = ClassificationTask(codec), ClassificationTask(codec, word_dropout=0.9)
    torch.manual_seed(0)
    assert dropping.step(model, data[0]).loss_sum != plain.step(model, data[0]).loss_sum
    assert dropping.evaluate(model, data).metrics == plain.evaluate(model, data).metrics


def test_vectors_are_no_words():
    [batch] = batches(vector_codec(), rows([(((1.0, 0.0),), "yes")]), 1)
    with pytest.raises(ConfigError, match=r"trainer.word_dropout: the inputs of this dataset are vectors"):
        drop_words(batch, 0.1)
