"""Attention that follows a decoder: location, coverage and monotonic, as loops, closed forms and by chance.

Shapes: B items, H heads, Q queries (steps of a decoder), K keys, D sizes. float64 unless a test is about precision.
"""

import math
from functools import partial

import pytest
import torch
from attention_loops import loop
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from attnfocus.attention import (
    AdditiveScore,
    Attention,
    CoverageScore,
    History,
    LocationScore,
    Monotonic,
    own_gradients,
)
from attnfocus.attention.normalizers.monotonic import Alignments, carried
from attnfocus.attention.scores.additive import TanhProduct
from attnfocus.attention.scores.steps import SoftmaxSteps

B, Q, K, D = 3, 4, 6, 8
LENGTHS = [6, 3, 1]
FOLLOWING = ["location", "coverage", "monotonic"]
DECODING = [*FOLLOWING, "local_predictive"]
HEADS = ["attention.num_heads=1", "attention.num_heads=2"]


def random_inputs(*leading, queries=Q, keys=K, dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    shapes = ((*leading, queries, D), (*leading, keys, D), (*leading, keys, D))
    return [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]


def padding_mask(lengths, keys=K):
    return (torch.arange(keys) < torch.tensor(lengths).unsqueeze(-1)).unsqueeze(-2)  # (B, 1, K)


@pytest.mark.parametrize("name", FOLLOWING)
@pytest.mark.parametrize("heads", HEADS)
@torch.no_grad()
def test_every_step_is_the_formula_after_the_steps_before_it(build, name, heads):
    attention, (query, keys, values) = build(name, heads), random_inputs(B)
    context, weights = attention(query, keys, values, padding_mask(LENGTHS), need_weights=True)
    torch.testing.assert_close(attention(query, keys, values, padding_mask(LENGTHS))[0], context)
    for item, length in enumerate(LENGTHS):
        expected, rows = loop(attention, query[item], keys[item, :length], values[item, :length], lambda i, j: True)
        torch.testing.assert_close(context[item], expected)
        torch.testing.assert_close(weights[item, ..., :length], rows)
        assert (weights[item, ..., length:] == 0).all()


@pytest.mark.parametrize("name", DECODING)
@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("parts", [[1, 1, 1, 1], [2, 2], [1, 3], [4]])
def test_steps_in_any_parts_equal_all_at_once(build, name, heads, parts):
    attention, (query, keys, values) = build(name, heads), random_inputs(B)
    mask = padding_mask([6, 3, 0])
    whole, weights = attention(query, keys, values, mask, need_weights=True)
    memory = attention.prepare(keys, values, mask)
    history, contexts, rows = attention.start(memory), [], []
    assert (history is None) == (name == "local_predictive")
    for part in query.split(parts, dim=-2):
        context, row, history = attention.advance(part, memory, history, need_weights=True)
        contexts.append(context)
        rows.append(row)
    torch.testing.assert_close(torch.cat(contexts, dim=-2), whole)
    torch.testing.assert_close(torch.cat(rows, dim=-2), weights)


@pytest.mark.parametrize("name", ["coverage", "monotonic", "local_predictive"])
def test_a_masked_key_is_as_one_that_is_not_there(build, name):
    """Not so for location, whose filters count the places between the keys."""
    attention, (query, keys, values) = build(name), random_inputs(B)
    mask = torch.tensor([False, True, True, False, True, False])
    context, weights = attention(query, keys, values, mask, need_weights=True)
    expected, rows = attention(query, keys[:, mask], values[:, mask], need_weights=True)
    torch.testing.assert_close(context, expected)
    torch.testing.assert_close(weights[..., mask], rows)


@torch.no_grad()
def test_location_with_monotonic_knows_at_the_first_step_that_it_starts_at_the_first_key(build):
    attention, (query, keys, values) = build("location", "attention/normalizer=monotonic"), random_inputs(B)
    history = attention.start(attention.prepare(keys, values))
    assert history.previous.tolist() == [[[[1.0] + [0.0] * (K - 1)]]] * B
    assert history.total.eq(0).all()
    context, weights = attention(query, keys, values, need_weights=True)
    for item in range(B):
        expected, rows = loop(attention, query[item], keys[item], values[item], lambda i, j: True)
        torch.testing.assert_close(context[item], expected)
        torch.testing.assert_close(weights[item], rows)


@pytest.mark.parametrize("name", FOLLOWING)
def test_the_path_says_that_steps_come_one_by_one(build, name):
    assert build(name).chosen_path().name == "plain"
    assert "one by one" in build(name).chosen_path().reason
    with pytest.raises(ValueError, match="one by one"):
        build(name, "attention.path=chunked")


@pytest.mark.parametrize("name", FOLLOWING)
def test_what_has_no_steps_to_follow_is_refused_with_what_works(build, name):
    for override in ("attention/pattern=causal", "attention/pattern=top_k"):
        with pytest.raises(ValueError, match=r"step by step.*attention/pattern=full"):
            build(name, override)


def test_location_features_are_a_convolution(build):
    attention = build("location", "attention.num_heads=2", "attention.score.kernel_size=5")
    score, previous = attention.score, torch.rand(B, 2, 1, K, dtype=torch.float64)
    found = score.features(History(previous, torch.zeros_like(previous)))
    for head in range(2):
        filtered = F.conv1d(previous[:, head], score.filters[head].unsqueeze(1), padding=2)  # (B, k, K)
        torch.testing.assert_close(found[:, head], filtered.transpose(1, 2) @ score.feature_weight[head].T)


def test_location_of_an_even_width_is_refused():
    with pytest.raises(ValueError, match=r"must be odd.*got 4: use 3 or 5"):
        LocationScore(query_dim=D, key_dim=D, num_heads=1, kernel_size=4)


def test_coverage_starts_as_the_additive_score():
    torch.manual_seed(0)
    attention = Attention(D, D, score=CoverageScore).double()
    plain = Attention(D, D, score=AdditiveScore).double()
    plain.score.load_state_dict(attention.score.state_dict(), strict=False)
    inputs = random_inputs(B)
    torch.testing.assert_close(attention(*inputs, None, True), plain(*inputs, None, True))
    attention(*inputs)[0].square().sum().backward()
    assert attention.score.coverage_weight.grad.ne(0).any()


def test_coverage_by_hand():
    """h = 1, W = U = b = 0, v = 1, w = -2: score_ij = tanh(-2 c_ij). Two keys, and a first step that looks at both.

    c_1 = (0, 0), weights (1/2, 1/2); c_2 = (1/2, 1/2), again; with c = (1, 0) instead: tanh(-2) = -0.964 against 0.
    """
    score = CoverageScore(query_dim=1, key_dim=1, num_heads=1, hidden_size=1)
    with torch.no_grad():
        for parameter, number in zip(score.parameters(), (0, 0, 0, 1, -2), strict=True):
            parameter.fill_(number)
    query, keys = torch.ones(1, 1, 1), score.prepare_keys(torch.ones(1, 2, 1))
    for covered, expected in (([0.5, 0.5], [math.tanh(-1)] * 2), ([1.0, 0.0], [math.tanh(-2), 0.0])):
        history = History(torch.zeros(1, 1, 2), torch.tensor([[covered]]))
        torch.testing.assert_close(score.step(query, keys, history), torch.tensor([[expected]]))


def monotonic_steps(scores, mask=None, offset=0.0):
    """scores (..., Q, K) -> weights (..., Q, K), step after step."""
    normalizer = Monotonic(num_heads=1, initial_offset=offset).to(scores.dtype).eval()
    zeros = torch.zeros_like(scores[..., :1, :]).unsqueeze(-3)
    history, rows = History(normalizer.first_weights(zeros), zeros), []
    for row in scores.unsqueeze(-3).split(1, dim=-2):
        weights = normalizer.step(row, mask, history)
        history = history.after(weights)
        rows.append(weights)
    return torch.cat(rows, dim=-2).squeeze(-3)


def test_monotonic_by_hand():
    """p = (1/2, 1/2, 1/2) at each step.

    weights_1 = (1/2, 1/4, 1/8)
    weights_2 = (1/2 * 1/2, 1/2 (1/2 * 1/2 + 1/4), 1/2 (1/2 * 1/2 * 1/2 + 1/2 * 1/4 + 1/8)) = (1/4, 1/4, 3/16)
    """
    weights = monotonic_steps(torch.zeros(2, 3))
    torch.testing.assert_close(weights, torch.tensor([[1 / 2, 1 / 4, 1 / 8], [1 / 4, 1 / 4, 3 / 16]]))


def test_monotonic_that_never_stops_sees_nothing_and_that_always_stops_stays():
    for scores, expected in ((torch.full((3, 5), -torch.inf), 0.0), (torch.full((3, 5), torch.inf), 1.0)):
        weights = monotonic_steps(scores)
        assert weights[:, 0].eq(expected).all()
        assert weights[:, 1:].eq(0).all()


def test_monotonic_is_what_walks_by_chance_do_on_average():
    """The process of the paper's sec. 2.2: from where the last step stopped, stop at each key with probability p."""
    generator = torch.Generator().manual_seed(0)
    num_walks, scores = 20_000, torch.randn(4, 5, generator=generator, dtype=torch.float64)
    stop, place = torch.sigmoid(scores), torch.zeros(num_walks, dtype=torch.long)
    for step in range(4):
        chance = torch.rand(num_walks, 5, generator=generator, dtype=torch.float64) < stop[step]
        chance &= torch.arange(5) >= place.unsqueeze(1)
        place = torch.where(chance.any(1), chance.long().argmax(1), 5)  # 5: behind the last key, for good
        found = torch.bincount(place, minlength=6)[:5] / num_walks
        torch.testing.assert_close(found, monotonic_steps(scores)[step].float(), atol=0.015, rtol=0)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_monotonic_never_goes_back_and_adds_nothing(data):
    num_keys, seed = data.draw(st.integers(1, 9)), data.draw(st.integers(0, 10**6))
    spread = data.draw(st.sampled_from([0.1, 1.0, 30.0]))
    scores = spread * torch.randn(5, num_keys, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    mask = torch.tensor(data.draw(st.lists(st.booleans(), min_size=num_keys, max_size=num_keys)))
    weights = monotonic_steps(scores, mask)
    up_to = weights.cumsum(-1)
    assert (weights >= 0).all()
    assert (weights[:, ~mask] == 0).all()
    assert (up_to[:, -1] <= 1 + 1e-12).all()
    assert (up_to[1:] <= up_to[:-1] + 1e-12).all()  # what has moved on never comes back


def test_monotonic_is_exact_on_long_inputs():
    """The paper's form in cumulative products and sums divides by prod (1 - p), which is 0 after some 200 keys."""
    scores = torch.randn(6, 1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    stop = torch.sigmoid(scores)
    previous, expected = [1.0] + [0.0] * 999, []
    for row in stop.tolist():
        arriving, weights = 0.0, []
        for j, p in enumerate(row):
            arriving = (1 - row[j - 1]) * arriving + previous[j] if j > 0 else previous[0]
            weights.append(p * arriving)
        expected.append(weights)
        previous = weights
    torch.testing.assert_close(monotonic_steps(scores), torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(monotonic_steps(scores.float()).double(), torch.tensor(expected).double())
    scores.requires_grad_()
    monotonic_steps(scores).square().sum().backward()
    assert scores.grad.isfinite().all()
    assert scores.grad.ne(0).any()


@pytest.mark.parametrize("num_keys", [0, 1, 2, 3, 7, 8, 9])
def test_carried_is_the_recurrence(num_keys):
    entering, passing = torch.rand(2, num_keys, dtype=torch.float64), torch.rand(2, num_keys, dtype=torch.float64)
    found, x = carried(entering, passing), torch.zeros(2, dtype=torch.float64)
    assert found.shape == entering.shape
    for j in range(num_keys):
        x = entering[:, j] + (passing[:, j - 1] * x if j > 0 else 0)
        torch.testing.assert_close(found[:, j], x)


def test_monotonic_noise_acts_in_training_only():
    scores, noisy = torch.zeros(2, 1, 3, 5), Monotonic(num_heads=1, noise=1.0)
    assert not torch.equal(noisy(scores, None), noisy(scores, None))
    assert torch.equal(noisy.eval()(scores, None), Monotonic(num_heads=1)(scores, None))


def test_monotonic_says_that_its_weights_are_no_distribution(build):
    assert not build("monotonic").weights_are_distributions
    assert build("location").weights_are_distributions


def small(name, heads, **options):
    """An attention of 3 hidden units, and inputs (2, 4, 4) and (2, 5, 4), one row of which is half hidden."""
    torch.manual_seed(0)
    factory = {"location": partial(LocationScore, hidden_size=3, kernel_size=3, num_filters=2)}.get(name, CoverageScore)
    normalizer = {"normalizer": Monotonic} if name == "monotonic" else {}
    score = partial(AdditiveScore, hidden_size=3) if name == "monotonic" else partial(factory, hidden_size=3)
    attention = Attention(4, 4, score=score, num_heads=heads, projections=True, **normalizer, **options).double()
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    generator = torch.Generator().manual_seed(1)
    query, keys = (torch.randn(2, n, 4, generator=generator, dtype=torch.float64, requires_grad=True) for n in (4, 5))
    mask = torch.ones(2, 4, 5, dtype=torch.bool)
    mask[0, :, 3:], mask[1, 2] = False, False  # padding, and a step that sees nothing
    return attention, (query, keys, None, mask)


@pytest.mark.parametrize("name", FOLLOWING)
@pytest.mark.parametrize("heads", [1, 2])
def test_all_steps_at_once_have_the_gradients_of_step_after_step(name, heads, monkeypatch):
    attention, inputs = small(name, heads)
    wanted = [*inputs[:2], *attention.parameters()]

    def results():
        context, weights = attention(*inputs, need_weights=True)
        return context, weights, torch.autograd.grad(context.sin().sum() + weights.square().sum(), wanted)

    calls = []
    function = Alignments if name == "monotonic" else SoftmaxSteps
    whole = function.apply
    monkeypatch.setattr(function, "apply", lambda *given: calls.append(1) or whole(*given))
    at_once = results()
    assert len(calls) == 1
    monkeypatch.setattr(own_gradients, "possible", lambda: False)
    torch.testing.assert_close(at_once, results())
    assert len(calls) == 1


@pytest.mark.parametrize("name", FOLLOWING)
def test_all_steps_at_once_pass_a_check_of_both_derivatives(name):
    attention, (query, keys, _, mask) = small(name, 1)
    parameters = dict(attention.named_parameters())

    def function(query, keys, *given):
        return torch.func.functional_call(
            attention, dict(zip(parameters, given, strict=True)), (query, keys, None, mask)
        )[0]

    inputs = (query, keys, *parameters.values())
    assert torch.autograd.gradcheck(function, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, inputs, fast_mode=True)


def test_additive_scores_are_the_formula_where_exponentials_would_overflow():
    """Queries of 60 have exp(-2 q) = 0 in float32: beside them, and beside NaN, a sigmoid is computed for each pair."""
    query, keys, vector = torch.randn(1, 3, 4), torch.randn(1, 5, 4), torch.randn(1, 1, 4)
    for far in (0.0, 39.0, 60.0, 1e4):
        shifted, back = query + far, keys - far
        expected = (vector.unsqueeze(2) * torch.tanh(shifted.unsqueeze(2).double() + back.unsqueeze(1))).sum(-1)
        found = TanhProduct.apply(shifted, back, vector)
        torch.testing.assert_close(found, expected.float(), atol=2e-6, rtol=1e-5)
    query[0, 1, 2] = torch.nan
    assert TanhProduct.apply(query, keys, vector).isnan().any(-1).tolist() == [[False, True, False]]
