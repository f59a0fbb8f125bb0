"""Ranking: places among all items, losses, baselines, recommendations; each against a plain loop."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tasks_toys import attention

from attnfocus import models
from attnfocus.data.batches import collate
from attnfocus.data.codecs.history import HistoryCodec
from attnfocus.data.preparation import DatasetOptions
from attnfocus.data.sources.interactions import Histories, history
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.decoding import DecodingOptions
from attnfocus.explanation.attribution import attribute
from attnfocus.models.outputs import SequenceOutput
from attnfocus.special import PAD, UNK
from attnfocus.tasks import RankingTask
from attnfocus.tasks.measures.ranking import negatives_of, ranking_metrics, ranks, sampled_ranks, shared_ranks
from attnfocus.tasks.next_item_losses import FIRST_ITEM, binary_cross_entropy, sampled_softmax

ITEMS = "abcdefgh"


def splits():
    histories = Histories()
    for user, items in {"u": "abcde", "v": "bcdef", "w": "cdefg", "x": "ab", "y": "ghabh"}.items():
        for item in items:
            histories.add(user, item)
    return histories.raw_data().splits


def task_and_model(kind="TransformerLanguageModel", **options):
    codec = HistoryCodec.learn(splits()["train"], TokenizerOptions(kind="whitespace", min_frequency=1), max_items=3)
    torch.manual_seed(0)
    model = getattr(models, kind)(attention=attention("multi_head"), embed_dim=16, **codec.dims())
    return RankingTask(codec, **options), model.double()


def batch_of(task, split="test"):
    return collate(list(task.codec.encode_rows(splits()[split])))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=1, max_size=4), st.data())
def test_places_are_those_of_a_loop(rows, drawn):
    scores = torch.tensor(rows, dtype=torch.float64)
    answers = [drawn.draw(st.integers(0, 5)) for _ in rows]
    left_out = [[i for i in drawn.draw(st.sets(st.integers(0, 5), max_size=3)) if i != a] for a in answers]
    expected = []
    for row, answer, without in zip(rows, answers, left_out, strict=True):
        others = [score for item, score in enumerate(row) if item != answer and item not in without]
        better, alike = sum(s > row[answer] for s in others), sum(s == row[answer] for s in others)
        expected.append(1 + better + alike / 2)
    before = scores.clone()
    assert ranks(scores, torch.tensor(answers), left_out).tolist() == expected
    twice = [[*items, *items] for items in left_out]
    assert ranks(scores, torch.tensor(answers), twice).tolist() == expected
    assert torch.equal(scores, before)
    of_first = scores[0].expand(len(rows), -1)
    shared = shared_ranks(scores[0], torch.tensor(answers), left_out)
    assert torch.equal(shared, ranks(of_first, torch.tensor(answers), left_out))
    negatives = torch.tensor(
        [[*[i for i in range(6) if i != a and i not in w][:2], -1] for a, w in zip(answers, left_out, strict=True)]
    )
    for place, row, answer, others in zip(
        sampled_ranks(scores, torch.tensor(answers), negatives).tolist(), rows, answers, negatives.tolist(), strict=True
    ):
        own = [row[item] for item in others if item >= 0]
        assert place == 1 + sum(s > row[answer] for s in own) + sum(s == row[answer] for s in own) / 2


def test_metrics_of_places():
    found = ranking_metrics([1, 2, 11, math.inf])
    assert found["hit_rate_5"] == found["hit_rate_10"] == 0.5
    assert found["hit_rate_20"] == 0.75
    assert found["ndcg_10"] == pytest.approx((1 + 1 / math.log2(3)) / 4)
    assert found["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 11) / 4)


def test_negatives_are_unknown_different_and_of_the_row_alone():
    items = np.arange(4, 300)
    first = negatives_of("test:7", items, [5, 6], 100)
    assert len(set(first.tolist())) == 100
    assert not {5, 6} & set(first.tolist())
    assert np.array_equal(first, negatives_of("test:7", items, [5, 6], 100))
    assert not np.array_equal(first, negatives_of("test:8", items, [5, 6], 100))
    few = negatives_of("test:7", np.arange(4, 9), [5, 6], 4)
    assert sorted(few.tolist()) == [-1, 4, 7, 8]


def output_of(num_items=6, seed=0):
    torch.manual_seed(seed)
    width, size = 5, FIRST_ITEM + num_items
    readout = torch.randn(2, 3, width, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(size, width, dtype=torch.float64, requires_grad=True)
    return SequenceOutput(readout, weight, torch.randn(size, dtype=torch.float64), {})


def test_binary_cross_entropy_is_its_loop():
    output, expected = output_of(), torch.tensor([[4, 5, PAD], [9, 6, 6]])
    torch.manual_seed(3)
    found = binary_cross_entropy(output, expected, 2)
    torch.manual_seed(3)
    drawn = torch.randint(FIRST_ITEM, 10, (5, 2))
    total, logits, at = 0.0, output.logits, 0
    for row in range(2):
        own = {item for item in expected[row].tolist() if item != PAD}
        for place in range(3):
            if expected[row, place] == PAD:
                continue
            total = total - torch.sigmoid(logits[row, place, expected[row, place]]).log()
            for item in drawn[at].tolist():
                if item not in own:
                    total = total - (1 - torch.sigmoid(logits[row, place, item])).log()
            at += 1
    assert found.item() == pytest.approx(total.item(), abs=1e-9)


def test_sampled_softmax_is_right_on_average():
    output, expected = output_of(40), torch.tensor([[4, 5, PAD], [9, 6, 6]])
    real = expected != PAD
    exact = torch.nn.functional.cross_entropy(
        output.logits[real][:, FIRST_ITEM:], expected[real] - FIRST_ITEM, reduction="sum"
    )
    torch.manual_seed(0)
    many = sampled_softmax(output, expected, 20_000)
    assert many.item() == pytest.approx(exact.item(), rel=0.02)
    one = torch.stack([sampled_softmax(output, expected, 1) for _ in range(50)])
    assert one.isfinite().all()


@pytest.mark.parametrize("kind", ["TransformerLanguageModel", "RNNLanguageModel"])
def test_an_evaluation_is_what_the_scores_say(kind):
    task, model = task_and_model(kind)
    batch = batch_of(task)
    options = DecodingOptions(beam_size=3, num_best=3)
    found = task.evaluate(model, [batch], decoding=options, num_samples=2)
    with torch.no_grad():
        logits = model(batch.inputs, batch.input_lengths).logits
    places, losses = [], []
    for number, row in enumerate(batch.rows):
        scores = logits[number, int(batch.input_lengths[number]) - 1, FIRST_ITEM:].log_softmax(-1)
        answer = int(batch.targets[number, int(batch.input_lengths[number]) - 1])
        if answer == UNK:
            places.append(math.inf)
            continue
        own = scores[answer - FIRST_ITEM]
        losses.append(-own.item())
        seen = set(task.codec.seen(row)) - {answer}
        others = [float(scores[i]) for i in range(len(scores)) if i + FIRST_ITEM not in seen | {answer}]
        places.append(1 + sum(score > own for score in others))
    assert found.metrics["mrr"] == pytest.approx(sum(1 / place for place in places) / len(places))
    assert found.metrics["hit_rate_5"] == sum(place <= 5 for place in places) / len(places)
    assert found.metrics["loss"] == pytest.approx(sum(losses) / len(losses), abs=1e-5)
    assert found.extras["unknown_answers"] == places.count(math.inf)
    assert len(found.samples) == 2
    parts = [collate([each]) for each in task.codec.encode_rows(splits()["test"])]
    again = task.evaluate(model, parts, decoding=options)
    assert again.metrics == pytest.approx(found.metrics, abs=1e-6)


def test_recommended_are_the_best_items_that_the_user_does_not_have():
    task, model = task_and_model()
    batch = collate([task.codec.encode_input("b c d", "1"), task.codec.encode_input("", "2")])
    options = DecodingOptions(beam_size=8, num_best=8)
    first, empty = task.predict(model, [batch], decoding=options)
    names = [each.text for each in first.n_best]
    assert first.text == names[0]
    assert [each.score for each in first.n_best] == sorted((each.score for each in first.n_best), reverse=True)
    assert set(names) == set("aegh")
    assert len(empty.n_best) == len(task.codec.items)
    (kept,) = task.predict(model, [batch.split(2)[0]], decoding=DecodingOptions(exclude_seen=False))
    assert kept.n_best == ()
    (shown, _) = task.inspect(model, [batch], decoding=DecodingOptions())
    assert shown.asked == (2,)
    assert shown.maps[0].key_tokens == ("b", "c", "d")


def test_what_a_recommendation_rests_on_can_be_asked():
    task, model = task_and_model()
    examples = [task.codec.encode_input("b c d", "1")]
    for method in ("gradient_input", "leave_one_out", "attention"):
        (found,) = attribute(task, model.float().eval(), examples, method)
        assert [len(each) for each in (found.query_tokens, found.key_tokens)] == [1, 3], method


def test_two_rules_without_a_model_are_said():
    task, _ = task_and_model()
    rows = [history("v:1", ["a", "c", "c"], asked=True), history("v:2", ["b", "a"], asked=True)]
    found = task.baselines(rows, DecodingOptions(exclude_seen=False))
    counts = task.codec.counts
    ids = {name: task.codec.tokenizer.encode(name)[0] for name in "abc"}
    places = []
    for answer in "ca":
        own = counts[ids[answer]]
        others = [counts[i] for i in task.codec.items if i != ids[answer]]
        places.append(1 + sum(each > own for each in others) + sum(each == own for each in others) / 2)
    assert found["most popular items"]["mrr"] == pytest.approx(sum(1 / place for place in places) / 2)
    again = []
    for answer, last in (("c", "c"), ("a", "b")):
        scores = {i: math.inf if i == ids[last] else counts[i] for i in task.codec.items}
        own, others = scores[ids[answer]], [each for i, each in scores.items() if i != ids[answer]]
        again.append(1 + sum(each > own for each in others) + sum(each == own for each in others) / 2)
    assert again[0] == 1
    assert found["last item again"]["mrr"] == pytest.approx(sum(1 / place for place in again) / 2)
    first, second = task.remarks(rows, "ndcg_10", DecodingOptions())
    assert first.startswith("without a model, most popular items: hit_rate_10 ")
    assert second.startswith("without a model, last item again: hit_rate_10 ")


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "sampled_softmax"])
def test_every_loss_learns_who_follows_whom(loss):
    task, model = task_and_model(loss=loss, **({} if loss == "cross_entropy" else {"num_negatives": 4}))
    batch = batch_of(task, "train")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(60):
        output = task.step(model, batch)
        losses.append(output.loss_sum.item() / output.num_targets)
        optimizer.zero_grad()
        output.loss_sum.backward()
        optimizer.step()
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


def test_options_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="label_smoothing have to be 0"):
        RankingTask(loss="sampled_softmax", label_smoothing=0.1)
    problems = RankingTask.option_problems(DatasetOptions(), DecodingOptions(sampling=True))
    assert problems == ["decoding.sampling: is for texts, and items are ranked. Use decoding.sampling=false."]
