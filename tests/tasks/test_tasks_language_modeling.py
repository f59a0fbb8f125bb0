"""Language modeling: the loss of what is asked, answers, what is written behind a text, and what it rests on."""

import math
import random
from itertools import pairwise

import numpy as np
import pytest
import torch
from tasks_toys import attention, batches
from torch.nn import functional as F

from attnfocus import models
from attnfocus.data.batches import collate
from attnfocus.data.clean import CleanOptions
from attnfocus.data.codecs.base import load_codec
from attnfocus.data.codecs.sequence import SequenceCodec
from attnfocus.data.preparation import DatasetOptions
from attnfocus.data.rows import Row
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.decoding import DecodingOptions
from attnfocus.errors import ConfigError, DataError
from attnfocus.explanation.attribution import AttributionOptions, attribute
from attnfocus.explanation.faithfulness import measure_faithfulness
from attnfocus.focus.alignment import AlignmentCounts
from attnfocus.special import BOS, EOS, PAD
from attnfocus.tasks import LanguageModelingTask
from attnfocus.tasks.sequence_probe import Explained, SequenceProbe

TEXTS = ("ab", "abcabc", "b", "cab cab", "aabbcc", "c")
ASKED = (  # the values of keys asked again
    ("k1 v2 k3 v4 k1 v2", ((15, 17),), ((0, 3), (0, 0))),
    ("k3 v4 k5 v2 k5 v2 k3 v4", ((15, 17), (21, 23)), ((0, 9), (3, 3))),
    ("k1 v2", ((3, 5),), ()),
)


def plain_rows():
    return [Row(f"test:{number}", text, "") for number, text in enumerate(TEXTS)]


def asked_rows():
    made = []
    for number, (text, answers, links) in enumerate(ASKED):
        target = " ".join(text[start:end] for start, end in answers)
        made.append(Row(f"test:{number}", text, target, alignment=links, answers=answers))
    return made


def codec_of(rows, kind):
    return SequenceCodec.learn(rows, TokenizerOptions(kind=kind))


def model_of(codec, kind="TransformerLanguageModel", preset="multi_head", **options):
    torch.manual_seed(0)
    return getattr(models, kind)(attention=attention(preset), embed_dim=16, **codec.dims(), **options)


def case(name):
    rows, kind = (plain_rows(), "character") if name.endswith("plain") else (asked_rows(), "whitespace")
    codec = codec_of(rows, kind)
    is_rnn = name.startswith("rnn")
    model = model_of(codec, "RNNLanguageModel", "additive", hidden_size=16) if is_rnn else model_of(codec)
    return LanguageModelingTask(codec), model, codec, rows


EVERY = pytest.mark.parametrize("name", ["plain", "asked", "rnn plain", "rnn asked"])


def test_a_text_is_read_from_its_beginning_and_expected_to_its_end():
    codec = codec_of(plain_rows(), "character")
    [first, *_] = codec.encode_rows(plain_rows())
    a, b = codec.tokenizer.encode("ab")
    assert first.inputs.tolist() == [BOS, a, b]
    assert first.targets.tolist() == [a, b, EOS]
    assert (first.num_targets, first.num_words) == (3, 3)
    assert codec.encode_rows(plain_rows()).lengths.tolist() == [[len(text) + 1, 0] for text in TEXTS]


def test_of_a_row_with_answers_these_alone_are_expected_and_their_evidence_is_known():
    codec = codec_of(asked_rows(), "whitespace")
    encoded = codec.encode_rows(asked_rows())
    ids = {text: codec.tokenizer.encode(text)[0] for text in ["k1", "v2", "k3", "v4", "k5"]}
    assert encoded[1].targets.tolist() == [PAD] * 5 + [ids["v2"], PAD, ids["v4"], PAD]
    assert [each.num_targets for each in encoded] == [1, 2, 1]
    # BOS k3 v4 k5 v2 k5 v2 k3 v4: the place that predicts v2 is that of the second k5
    assert codec.links(asked_rows()[1]).sure == {(5, 4), (7, 2)}
    assert codec.links(asked_rows()[2]) is None


def test_rows_with_answers_stay_as_they_are_and_a_codec_comes_back(tmp_path):
    options = CleanOptions(lowercase=True, strip=True)
    row = Row("1", "A a ", "a", answers=((2, 3),))
    assert SequenceCodec.clean(row, options) is row
    assert SequenceCodec.clean(Row("1", "A a ", ""), options).input == "a a"
    codec = codec_of(plain_rows(), "character")
    codec.save(tmp_path)
    again = load_codec(tmp_path, LanguageModelingTask.codecs)
    assert again.tokenizer.vocabulary == codec.tokenizer.vocabulary
    one, other = (Row("1", "aa aa", "aa", answers=span) for span in (((0, 2),), ((3, 5),)))
    assert SequenceCodec.fingerprint(one) != SequenceCodec.fingerprint(other)


@EVERY
def test_the_loss_is_that_of_the_tokens_that_are_asked(name):
    task, model, codec, rows = case(name)
    [batch] = batches(codec, rows, len(rows))
    step = task.step(model.eval(), batch)
    expected = 0.0
    for row in codec.encode_rows(rows):
        logits = model(torch.tensor(row.inputs)[None], torch.tensor([len(row.inputs)])).logits[0]
        expected += F.cross_entropy(logits, torch.tensor(row.targets), ignore_index=PAD, reduction="sum").item()
    assert step.loss_sum.item() == pytest.approx(expected, rel=1e-5)
    assert step.num_targets == sum(each.num_targets for each in codec.encode_rows(rows))
    evaluated = task.evaluate(model, [batch])
    assert evaluated.metrics["loss"] == pytest.approx(expected / step.num_targets, rel=1e-5)
    assert evaluated.metrics["perplexity"] == pytest.approx(math.exp(expected / step.num_targets), rel=1e-5)
    if name.endswith("plain"):
        bits = expected / math.log(2) / sum(map(len, TEXTS))
        assert evaluated.metrics["bits_per_character"] == pytest.approx(bits, rel=1e-5)
    positions = evaluated.extras["loss_by_position"]
    assert sum(each["loss"] * each["tokens"] for each in positions) == pytest.approx(expected, rel=1e-3)


@EVERY
def test_metrics_depend_neither_on_the_size_nor_on_the_order_of_batches(name):
    task, model, codec, rows = case(name)
    shuffled = random.Random(0).sample(range(len(rows)), len(rows))
    first = task.evaluate(model, batches(codec, rows, len(rows)), num_samples=2)
    assert len(first.samples) == 2
    again = task.evaluate(model, batches(codec, rows, 2, shuffled), num_samples=2)
    assert again.metrics == pytest.approx(first.metrics, rel=1e-5, abs=1e-7)
    assert [each.text for each in again.predictions] == [each.text for each in first.predictions]
    assert [each.prediction for each in again.samples] == [each.prediction for each in first.samples]
    for sample in first.samples:
        for weights in sample.weights.values():
            assert weights.shape[1:] == (len(sample.key_tokens), len(sample.key_tokens))


def test_answers_are_read_off_their_places_and_right_ones_counted():
    task, model, codec, rows = case("asked")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    [batch] = batches(codec, rows, len(rows))
    for _ in range(60):
        optimizer.zero_grad()
        task.step(model, batch).loss_sum.backward()
        optimizer.step()
    result = task.evaluate(model, [batch])
    assert [each.text for each in result.predictions] == [row.target for row in rows]
    assert (result.metrics["accuracy"], result.metrics["exact_match"]) == (1.0, 1.0)
    assert "bits_per_character" not in result.metrics
    assert [each.asked for each in task.inspect(model, [batch])] == [(5,), (5, 7), (1,)]
    predicted = list(task.predict(model, batches(codec, rows, 2)))
    assert [each.text for each in predicted] == [row.target for row in rows]
    assert [each.score for each in predicted] == pytest.approx([each.score for each in result.predictions], rel=1e-4)


def test_every_attention_is_held_against_the_evidence_and_the_best_one_counts():
    task, model, codec, rows = case("asked")
    evaluated = task.evaluate(model, batches(codec, rows, 3))
    counts = AlignmentCounts()
    for row in rows[:2]:
        example = codec.encode(row)
        output = model(torch.tensor(example.inputs)[None], torch.tensor([len(example.inputs)]), need_weights=True)
        best = output.weights["layers.1"][0].mean(dim=0).argmax(dim=-1).tolist()
        gold = codec.links(row).sure
        queries = {query for query, _ in gold}
        hits = sum((query, best[query]) in gold for query in queries)
        counts += AlignmentCounts(len(queries), len(gold), hits, hits)
    rates = evaluated.extras["alignment_error_rates"]
    assert rates["layers.1"] == pytest.approx(counts.error_rate)
    assert evaluated.metrics["alignment_error_rate"] == min(rates.values())


def by_hand(model, ids, count):
    """The most probable token, then the next, each time with all that stands before it."""
    written, score = [], 0.0
    for _ in range(count):
        read = torch.tensor([[*ids, *written]])
        log_probs = model(read, torch.tensor([read.shape[1]])).logits[0, -1].log_softmax(-1)
        log_probs[[PAD, BOS]] = -torch.inf
        written.append(int(log_probs.argmax()))
        score += log_probs.max().item()
        if written[-1] == EOS:
            return written[:-1], score
    return written, score


@pytest.mark.parametrize("name", ["plain", "rnn plain"])
def test_a_text_is_gone_on_with_as_by_hand(name):
    task, model, codec, _ = case(name)
    model.eval()
    options = DecodingOptions(max_length=6, at_limit="cut")
    inputs = [codec.encode_input(text, text) for text in ("ab", "", "cab c", "zz")]
    answers = list(task.predict(model, [collate(inputs)], decoding=options, need_weights=True))
    for example, answer in zip(inputs, answers, strict=True):
        written, score = by_hand(model, example.inputs.tolist(), 6)
        assert answer.text == codec.tokenizer.decode(written)
        assert answer.score == pytest.approx(score, rel=1e-4)
        size = len(example.inputs) + len(written) - 1
        assert len(answer.key_tokens) == size
        assert all(each.shape[1:] == (size, size) for each in answer.weights.values())
    looked = task.inspect(model, [collate(inputs)], decoding=options)
    for example, answer, shown in zip(inputs, answers, looked, strict=True):
        assert shown.asked == tuple(range(len(example.inputs) - 1, len(answer.key_tokens)))
    assert answers[3].unknown == pytest.approx(2 / 3)
    beams = next(task.predict(model, [collate(inputs[:1])], decoding=DecodingOptions(beam_size=3, num_best=3)))
    assert len(beams.n_best) == 3
    drawn = [
        [
            each.text
            for each in task.predict(model, [collate(inputs)], decoding=DecodingOptions(sampling=True, seed=seed))
        ]
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_nothing_longer_is_written_than_the_model_can_read():
    codec = codec_of(plain_rows(), "character")
    model = model_of(codec, max_length=8).eval()
    model.output.weight.data[EOS] = 0  # it would rather not end
    task = LanguageModelingTask(codec)
    for limit in ("cut", "end"):
        options = DecodingOptions(max_length=50, at_limit=limit)
        (answer,) = task.predict(model, [collate([codec.encode_input("abcab", "1")])], decoding=options)
        assert len(answer.text) <= 3


def test_a_space_between_a_text_and_what_follows_is_kept():
    rows = [Row("1", "to be or not to be", "")]
    codec = SequenceCodec.learn(rows, TokenizerOptions(kind="bpe", vocab_size=40))
    ids, more = codec.tokenizer.encode("to be"), codec.tokenizer.encode("or not")
    assert codec.continued([BOS, *ids], more) == " or not"


@pytest.mark.parametrize("kind", ["character", "bytes", "bpe", "word"])
def test_one_text_is_heard_while_it_is_written(kind):
    codec = codec_of(plain_rows(), kind)
    task, model, heard = LanguageModelingTask(codec), model_of(codec), []
    batch = collate([codec.encode_input("cab cab", "1")])
    for options in ({}, {"sampling": True, "seed": 2}):
        decoding = DecodingOptions(max_length=12, at_limit="cut", **options)
        (silent,) = task.predict(model, [batch], decoding=decoding)
        heard.clear()
        task.heard = heard.append
        (answer,) = task.predict(model, [batch], decoding=decoding)
        task.heard = None
        assert answer == silent
        assert heard[0] == "cab cab"
        whole = [*heard, answer.source + answer.text]
        assert all(
            after.startswith(before.removesuffix("\N{REPLACEMENT CHARACTER}")) for before, after in pairwise(whole)
        )
        assert len(heard) > 1
    heard.clear()
    task.heard = heard.append
    list(task.predict(model, [batch], decoding=DecodingOptions(beam_size=2, max_length=4)))
    two = collate([codec.encode_input(text, text) for text in ("ab", "cab")])
    list(task.predict(model, [two], decoding=DecodingOptions(max_length=4)))
    assert heard == []


@EVERY
def test_integrated_gradients_add_up_and_leaving_out_is_a_text_without_the_token(name):
    task, model, codec, rows = case(name)
    options = AttributionOptions(num_steps=64)
    chosen = codec.encode_rows(rows)[1]
    decoding = DecodingOptions(max_length=4, at_limit="cut")
    found = attribute(task, model.eval(), [chosen], "integrated_gradients", options, decoding)[0]
    assert found.error < 0.05
    assert found.scores.shape == (len(found.query_tokens), len(chosen.inputs))
    removed = attribute(task, model, [chosen], "leave_one_out", AttributionOptions(leave_out="remove"), decoding)[0]
    ids = chosen.inputs.tolist()

    def odds(read, place, token):
        logits = model(torch.tensor([read]), torch.tensor([len(read)])).logits[0, place].double()
        return float(logits[token] - torch.cat((logits[:token], logits[token + 1 :])).logsumexp(0))

    if name.endswith("asked"):
        place = int(np.flatnonzero(chosen.targets)[0])
        token = int(model(torch.tensor([ids]), torch.tensor([len(ids)])).logits[0, place].argmax())
    else:
        place = len(ids) - 1
        token = by_hand(model, ids, 1)[0][0]
    gone = 2
    shorter = [each for number, each in enumerate(ids) if number != gone]
    with torch.no_grad():
        expected = odds(ids, place, token) - odds(shorter, place - 1, token)
    assert removed.scores[0, gone] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", ["asked", "rnn plain"])
def test_every_method_and_the_tests_of_faithfulness_apply(name):
    task, model, codec, rows = case(name)
    examples, decoding = list(codec.encode_rows(rows))[:2], DecodingOptions(max_length=3, at_limit="cut")
    for method in ("attention", "attention_rollout", "attention_gradient", "attention_norm", "gradient_input"):
        for found in attribute(task, model, examples, method, decoding=decoding):
            assert found.scores.shape == (len(found.query_tokens), len(found.key_tokens))
            assert np.isfinite(found.scores).all()
    with pytest.raises(ConfigError, match="attention_flow is for classifiers"):
        attribute(task, model, examples, "attention_flow", decoding=decoding)
    measured = measure_faithfulness(task, model, examples, num_examples=2, seed=0, split="test")
    assert 0 <= measured.metrics["faithfulness/adversarial_distance"] <= math.log(2)
    if name == "asked":
        with pytest.raises(ConfigError, match="answers of 2 tokens together, got 1"):
            attribute(task, model, examples[1:], "attention", AttributionOptions(target="v2"))


def test_weights_of_any_of_the_examples_can_be_put_in():
    """Of some that write less than others, too."""
    codec = codec_of(plain_rows(), "character")
    model, batch = model_of(codec).eval(), collate(list(codec.encode_rows(plain_rows()))[:2])
    written = [Explained([5]), Explained([5, 6, 7])]
    probe = SequenceProbe(model, batch.inputs, batch.input_lengths, written, codec.input_tokens)
    first = torch.tensor([0])
    own = {name: each[:1] for name, each in probe.weights().items()}
    torch.testing.assert_close(probe.logits_given(own, first)[:, 0], probe.logits_given({}, first)[:, 0])


def test_what_a_language_model_has_not_is_refused():
    options = DecodingOptions(replace_unknown=True, coverage_penalty=0.5, beam_size=2)
    dataset = DatasetOptions(tokenizer=TokenizerOptions(shared=True))
    problems = LanguageModelingTask.option_problems(dataset, options)
    assert [each.split(":")[0] for each in problems] == [
        "decoding.replace_unknown",
        "decoding.coverage_penalty",
        "dataset.tokenizer.shared",
    ]
    codec = codec_of(plain_rows(), "character")
    with pytest.raises(DataError, match="no example"):
        LanguageModelingTask(codec).evaluate(model_of(codec), [])
