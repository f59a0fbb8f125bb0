"""Monotonic attention that chooses one key in evaluation, and the chunks of MoChA: the papers as loops.

Shapes: B items, H heads, Q queries (steps of a decoder), K keys, D sizes, w keys of a chunk. float64.
"""

import functools
import math

import pytest
import torch
from attention_loops import loop
from loops_normalizers import monotonic

from attnfocus.attention import (
    AdditiveScore,
    Attention,
    History,
    LocationScore,
    MochaAttention,
    Monotonic,
    ScaledDotScore,
)
from attnfocus.attention.siblings.mocha import chunk_weights

B, Q, K, D, H = 2, 5, 7, 8, 2
HARD = functools.partial(Monotonic, hard_at_test=True)


def random(*shape, seed=3):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def inputs():
    return random(B, Q, D), random(B, K, D, seed=4), random(B, K, D, seed=5)


def filled(attention):
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in attention.double().parameters():
            parameter.normal_(std=0.5, generator=generator)
    return attention.eval()


def online(scores, offset, allowed):
    """The hard process: each row's key, from that of the row before on, whose sigmoid is above 1/2; None: none."""
    place, chosen = 0, []
    for row in scores:
        if place is not None:
            stops = (j for j in range(place, len(row)) if allowed[j] and 1 / (1 + math.exp(-row[j] - offset)) > 0.5)
            place = next(stops, None)
        chosen.append(place)
    return chosen


@pytest.mark.parametrize("seed", range(6))
def test_one_key_is_chosen_in_evaluation_as_when_decoding_online(seed):
    scores, mask = random(1, 9, 12, seed=seed), torch.rand(12, generator=torch.Generator().manual_seed(seed)) < 0.8
    normalizer = filled(HARD(num_heads=1))
    zeros = torch.zeros(1, 1, 12, dtype=torch.float64)
    for offset in (0.6, -0.8, -2.0):
        normalizer.offset.data.fill_(offset)
        history = History(normalizer.first_weights(zeros), zeros)
        for row, place in enumerate(online(scores[0].tolist(), offset, mask.tolist())):
            weights = normalizer.step(scores[:, row : row + 1], mask, history)
            history = history.after(weights)
            expected = torch.zeros(12, dtype=torch.float64)
            if place is not None:
                expected[place] = 1.0
            assert torch.equal(weights[0, 0], expected)


def test_hard_choices_are_those_of_evaluation_alone():
    soft, hard = (Attention(D, D, score=ScaledDotScore, normalizer=each) for each in (Monotonic, HARD))
    query, keys, values = (each.float() for each in inputs())
    assert torch.equal(hard.train()(query, keys, values)[0], soft.train()(query, keys, values)[0])
    _, weights = hard.eval()(query, keys, values, need_weights=True)
    assert ((weights == 0) | (weights == 1)).all()
    assert not torch.equal(soft.eval()(query, keys, values, need_weights=True)[1], weights)


def mocha_loop(chosen, scores, size):
    """Rows of weights: a key's share in each chunk that it is in, times the chance that the chunk ends there."""
    rows = []
    for alpha, u in zip(chosen, scores, strict=True):
        row = [0.0] * len(u)
        for end, chance in enumerate(alpha):
            chunk = range(max(0, end - size + 1), end + 1)
            for j in chunk:
                row[j] += chance * math.exp(u[j]) / sum(math.exp(u[each]) for each in chunk)
        rows.append(row)
    return rows


@pytest.mark.parametrize("score", [AdditiveScore, functools.partial(ScaledDotScore, qk_norm="l2")])
@pytest.mark.parametrize("size", [1, 3, 20])
@pytest.mark.parametrize("normalizer", [Monotonic, HARD])
@torch.no_grad()
def test_weights_are_those_of_the_paper(score, size, normalizer):
    options = {"score": score, "normalizer": normalizer}
    attention = filled(MochaAttention(D, D, chunk_size=size, **options))
    query, keys, values = inputs()
    lengths = [K, 4]
    mask = (torch.arange(K) < torch.tensor(lengths).unsqueeze(-1)).unsqueeze(-2)
    context, weights = attention(query, keys, values, mask, need_weights=True)
    for item, length in enumerate(lengths):
        rows = [keys[item, :length].unsqueeze(0), query[item].unsqueeze(0)]
        energies = [each(each.normed_query(rows[1]), each.prepare_keys(each.normed_keys(rows[0])))[0]
                    for each in (attention.score, attention.chunk_score)]  # fmt: skip
        past, chosen = None, []
        if normalizer is Monotonic:
            for row in energies[0].tolist():
                past = monotonic(attention.normalizer, 0, row, past)
                chosen.append(past)
        else:
            for place in online(energies[0].tolist(), attention.normalizer.offset.item(), [True] * length):
                chosen.append([float(place == j) for j in range(length)])
        expected = torch.tensor(mocha_loop(chosen, energies[1].tolist(), size), dtype=torch.float64)
        torch.testing.assert_close(weights[item, 0, :, :length], expected)
        assert weights[item, ..., length:].eq(0).all()
        torch.testing.assert_close(context[item], expected @ values[item, :length])
    if size == 1:
        alone = filled(Attention(D, D, **options))
        alone.load_state_dict({name: each for name, each in attention.state_dict().items() if "chunk" not in name})
        for item, length in enumerate(lengths):
            of_one = loop(alone, query[item], keys[item, :length], values[item, :length], lambda i, j: True)[1]
            if normalizer is Monotonic:
                torch.testing.assert_close(weights[item, ..., :length], of_one)


def test_chunk_weights_by_hand():
    """w = 2, the chunk ends at key 1 or 2, each with 1/2; exp(u) = 1, 3, 1.

    weight_0 = 1/2 * 1/4,  weight_1 = 1/2 * 3/4 + 1/2 * 3/4,  weight_2 = 1/2 * 1/4
    """
    chosen = torch.tensor([[0.0, 0.5, 0.5]], dtype=torch.float64)
    scores = torch.tensor([[0.0, math.log(3), 0.0]], dtype=torch.float64)
    expected = torch.tensor([[1 / 8, 6 / 8, 1 / 8]], dtype=torch.float64)
    torch.testing.assert_close(chunk_weights(chosen, scores, None, 2), expected)


def test_chunks_of_scores_far_apart_are_exact():
    scores = torch.tensor([[-3000.0, -3000.0, 0.0, 5000.0]], dtype=torch.float64).requires_grad_()
    chosen = torch.tensor([[0.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
    weights = chunk_weights(chosen, scores, None, 2)  # one sum over all keys would make it 0 / 0
    torch.testing.assert_close(weights, torch.tensor([[0.5, 0.5, 0.0, 0.0]], dtype=torch.float64))
    (gradient,) = torch.autograd.grad(weights[0, 0], scores)
    torch.testing.assert_close(gradient, torch.tensor([[0.25, -0.25, 0.0, 0.0]], dtype=torch.float64))


@pytest.mark.parametrize("parts", [[1] * Q, [2, 3]])
def test_steps_in_any_parts_equal_all_at_once(parts):
    attention = filled(MochaAttention(D, D, score=AdditiveScore, normalizer=Monotonic, num_heads=H))
    query, keys, values = inputs()
    mask = (torch.arange(K) < torch.tensor([[6], [3]])).unsqueeze(-2)
    whole, weights = attention(query, keys, values, mask, need_weights=True)
    memory, contexts, rows = attention.prepare(keys, values, mask), [], []
    history = attention.start(memory)
    for part in query.split(parts, dim=-2):
        context, row, history = attention.advance(part, memory, history, need_weights=True)
        contexts.append(context)
        rows.append(row)
    torch.testing.assert_close(torch.cat(contexts, dim=-2), whole)
    torch.testing.assert_close(torch.cat(rows, dim=-2), weights)


def test_factors_that_make_no_chunk_are_refused_with_a_way_out():
    with pytest.raises(ValueError, match=r"Softmax does not: use attention/normalizer=monotonic"):
        MochaAttention(D, D, score=AdditiveScore)
    with pytest.raises(ValueError, match=r"LocationScore follows .*: use attention/score=additive or scaled_dot"):
        MochaAttention(D, D, score=LocationScore, normalizer=Monotonic)
