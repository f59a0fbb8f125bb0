"""Writers and language models that have learned nothing are told so; what they write decides, not how sure they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tasks_toys import LABELLED, attention, classifier, label_codec, pair_codec, rows, seq2seq

from attnfocus.data.batches import collate
from attnfocus.data.codecs.sequence import SequenceCodec
from attnfocus.data.rows import Row
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.explanation import measure_faithfulness
from attnfocus.explanation.attribution import probe_of
from attnfocus.explanation.limits import Sizes
from attnfocus.explanation.right_answers import shares_of_right_tokens
from attnfocus.models import TransformerLanguageModel
from attnfocus.special import BOS, EOS, PAD
from attnfocus.tasks import ClassificationTask, LanguageModelingTask, TranslationTask

NUM_EXAMPLES = 16
SIZES = Sizes(positions=1, cells=1)  # what takes long decides nothing here


def texts(shortest):
    random = np.random.default_rng(0)
    return [" ".join(random.choice(list("abcd"), size)) for size in random.integers(shortest, 9, NUM_EXAMPLES)]


def writer():
    """It says something else of each input, by chance, and nothing of some."""
    codec = pair_codec()
    model = seq2seq(codec, "additive")
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(4.0)
        model.output.bias[EOS] = 2.0
    return (
        TranslationTask(codec),
        model.eval(),
        list(codec.encode_rows(rows([(text, "x") for text in texts(2)]))),
    )


def language_model():
    """It is asked for the last four words of each text."""
    spans = tuple((start, start + 1) for start in range(8, 16, 2))
    made = [Row(f"test:{number}", text, text[8:], answers=spans) for number, text in enumerate(texts(8))]
    codec = SequenceCodec.learn(made, TokenizerOptions(kind="whitespace"))
    torch.manual_seed(0)
    model = TransformerLanguageModel(attention=attention("multi_head"), embed_dim=16, **codec.dims())
    return LanguageModelingTask(codec), model.eval(), list(codec.encode_rows(made))


def with_answers(parts):
    """The examples with what the model says as what is right."""
    task, model, examples = parts
    if isinstance(task, TranslationTask):
        probe = probe_of(task, model, examples, skip_empty=True)
        said = [[BOS, EOS] for _ in examples]
        for number, answer, size in zip(probe.numbers, probe.answers, probe.num_outputs, strict=True):
            said[number][1:1] = answer[:size].tolist()
    else:
        batch = collate(examples)
        with torch.no_grad():
            likeliest = model(batch.inputs, batch.input_lengths).logits.argmax(dim=-1)
        said = torch.where(batch.targets == PAD, PAD, likeliest).tolist()
    return [replace(each, targets=np.array(ids)) for each, ids in zip(examples, said, strict=True)]


def measured(task, model, examples):
    return measure_faithfulness(task, model, examples, num_examples=NUM_EXAMPLES, seed=0, split="test", most=SIZES)


@pytest.mark.slow
@pytest.mark.parametrize("make", [writer, language_model])
def test_texts_that_are_no_closer_to_the_right_ones_are_told_first(make):
    task, model, examples = make()
    examples = with_answers((task, model, examples))
    right = measured(task, model, examples)
    assert right.metrics["faithfulness/right_tokens"] == 1
    assert right.metrics["faithfulness/right_tokens_others"] < 0.95
    assert right.verdict.reason != "unrelated"
    targets = [each.targets for each in examples]
    turned = [replace(each, targets=targets[number - 5]) for number, each in enumerate(examples)]
    wrong = measured(task, model, turned)
    assert (wrong.verdict.answer, wrong.verdict.reason) == ("cannot_tell", "unrelated")
    assert wrong.sentences["en"][0].startswith("Cannot tell: the model has learned nothing yet")
    assert wrong.sentences["zh"][0].startswith("无法判断：模型还没有学到东西")


def test_an_output_without_a_token_leaves_the_others_beside_their_own_right_answers():
    task, model, examples = writer()
    examples = with_answers((task, model, examples))
    probe = probe_of(task, model, examples, skip_empty=True)
    assert 8 <= len(probe.numbers) < NUM_EXAMPLES
    found = shares_of_right_tokens(task, probe, [examples[number] for number in probe.numbers], 0)
    assert (found[:, 0] == 1).all()
    assert found[:, 1].mean() < 0.9


def test_classes_are_compared_by_their_recall_alone():
    codec = label_codec()
    task, model = ClassificationTask(codec), classifier("PoolingClassifier", codec)
    examples = codec.encode_rows(rows(LABELLED))
    assert np.isnan(shares_of_right_tokens(task, probe_of(task, model, examples), examples, 0)).all()
