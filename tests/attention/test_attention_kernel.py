"""Linear attention and the Performer: the papers' formulas as loops, sums against weights, and what they cost.

Shapes: B items, H heads, Q queries, K keys, D sizes. float64 unless a test is about precision.
"""

import functools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attnfocus.attention import (
    Attention,
    Call,
    CausalPattern,
    FullPattern,
    LinearAttention,
    LocalPattern,
    Performer,
    ScaledDotScore,
)
from attnfocus.attention.contract import check_promises
from attnfocus.attention.siblings.performer import orthogonal_directions

B, Q, K, D = 2, 5, 9, 8
MAPS = {name: functools.partial(LinearAttention, feature_map=name) for name in ("relu", "exp", "taylor", "hedgehog")}
KINDS = [LinearAttention, functools.partial(Performer, num_features=12)]
ALL_KINDS = [*KINDS, *MAPS.values()]


def made(kind, chunk_size=4, **options):
    """With chunks so small that short inputs fill several."""
    torch.manual_seed(1)
    attention = kind(query_dim=D, key_dim=D, **options).double().eval()
    attention.chunk_size = chunk_size
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return attention


def random(*shape, seed=0, scale=1.0):
    return scale * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def of_linear(attention, vector, side, head):
    if attention.feature_map == "relu":
        return [*(max(x, 0.0) for x in vector), 2.0**-48]  # with what makes all alike where nothing is left
    if attention.feature_map == "exp":
        return [math.exp(x) for x in vector]
    if attention.feature_map == "taylor":  # Based, with both y_a y_b and y_b y_a
        scaled = [x / len(vector) ** 0.25 for x in vector]
        return [1.0, *scaled, *(a * b / math.sqrt(2) for a in scaled for b in scaled)]
    if attention.feature_map == "hedgehog":
        rows = getattr(attention, f"{side}_map")[head].tolist()
        shift = getattr(attention, f"{side}_shift")[head, 0].tolist()
        mapped = [sum(w * x for w, x in zip(row, vector, strict=True)) + b for row, b in zip(rows, shift, strict=True)]
        return [math.exp(sign * y) for sign in (1, -1) for y in mapped]
    return [x + 1 if x > 0 else math.exp(x) for x in vector]


def of_performer(attention, vector, side, head):
    vector = [x / len(vector) ** 0.25 for x in vector]
    square = sum(x * x for x in vector) / 2
    rows, count = attention.directions.tolist(), attention.num_features
    return [math.exp(sum(w * x for w, x in zip(row, vector, strict=True)) - square) / math.sqrt(count) for row in rows]


FEATURES = {LinearAttention: of_linear, Performer: of_performer}


def loop(attention, query, keys, values, allowed):
    """One item, one pair after the other: context (Q, D), weights (H, Q, K)."""
    phi = functools.partial(FEATURES[type(attention)], attention)
    if attention.has_projections:
        query, keys = attention.query_projection(query), attention.key_projection(keys)
        values = attention.value_projection(values)
    weights = torch.zeros(attention.num_heads, len(query), len(keys), dtype=torch.float64)
    contexts, group = [], attention.num_heads // attention.num_key_heads
    for head in range(attention.num_heads):
        part = query.chunk(attention.num_heads, -1)[head].tolist()
        key_part = keys.chunk(attention.num_key_heads, -1)[head // group].tolist()
        for i, one in enumerate(part):
            for j, other in enumerate(key_part):
                if allowed(i, j):
                    pairs = zip(phi(one, "query", head), phi(other, "key", head // group), strict=True)
                    weights[head, i, j] = sum(a * b for a, b in pairs)
        weights[head] /= weights[head].sum(-1, keepdim=True).clamp(min=1e-300)
        contexts.append(weights[head] @ values.chunk(attention.num_key_heads, -1)[head // group])
    context = torch.cat(contexts, dim=-1)
    return attention.output_projection(context) if attention.has_projections else context, weights


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("pattern", [FullPattern, CausalPattern])
@pytest.mark.parametrize("heads", [{}, {"num_heads": 4, "num_key_heads": 2}])
@torch.no_grad()
def test_both_paths_are_the_formula(kind, pattern, heads):
    attention = made(kind, pattern=pattern, **heads)
    query, keys, values = random(B, Q, D), random(B, K, D, seed=1), random(B, K, D, seed=2)
    by_query = torch.rand(B, Q, K, generator=torch.Generator().manual_seed(4)) < 0.7
    by_query[0, 2] = False
    padding = (torch.arange(K) < torch.tensor([[K], [6]])).unsqueeze(1)
    for mask in (None, padding, by_query):
        summed, _ = attention(query, keys, values, mask)
        context, weights = attention(query, keys, values, mask, need_weights=True)
        for item in range(B):

            def allowed(i, j, item=item, mask=mask):
                seen = mask is None or bool(mask.expand(B, Q, K)[item, i, j])
                return seen and (pattern is FullPattern or j <= i + K - Q)

            expected, expected_weights = loop(attention, query[item], keys[item], values[item], allowed)
            torch.testing.assert_close(context[item], expected)
            torch.testing.assert_close(summed[item], expected)
            torch.testing.assert_close(weights[item], expected_weights)


def test_causal_linear_attention_is_the_recurrence_of_the_paper():
    """Eq. 16 to 20: s_i = s_{i-1} + phi(k_i) v_i^T, z_i = z_{i-1} + phi(k_i), y_i = phi(q_i)^T s_i / phi(q_i)^T z_i."""
    attention = made(LinearAttention, pattern=CausalPattern)
    sequence = random(K, D)
    phi = torch.nn.functional.elu(sequence) + 1
    state, norm, rows = torch.zeros(D, D, dtype=torch.float64), torch.zeros(D, dtype=torch.float64), []
    for feature, value in zip(phi, sequence, strict=True):
        state, norm = state + torch.outer(feature, value), norm + feature
        rows.append(feature @ state / (feature @ norm))
    torch.testing.assert_close(attention(sequence, sequence)[0], torch.stack(rows))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_sums_equal_weights_for_any_sizes_masks_and_chunks(data):
    kind, pattern = data.draw(st.sampled_from(ALL_KINDS)), data.draw(st.sampled_from([FullPattern, CausalPattern]))
    options = {"chunk_size": data.draw(st.integers(1, 5)), "num_key_heads": data.draw(st.sampled_from([1, 2]))}
    attention = made(kind, pattern=pattern, num_heads=2, **options)
    queries, keys = data.draw(st.integers(2, 9)), data.draw(st.integers(1, 9))
    bits = data.draw(st.lists(st.booleans(), min_size=B * keys, max_size=B * keys))
    mask = data.draw(st.sampled_from([None, torch.tensor(bits).view(B, 1, keys)]))
    results = []
    for need_weights in (False, True):
        inputs = [random(B, n, D, seed=seed).requires_grad_() for seed, n in enumerate((queries, keys, keys))]
        context, _ = attention(*inputs, mask, need_weights)
        found = torch.autograd.grad((context * context.detach().cos()).sum(), [*inputs, *attention.parameters()])
        results.append((context, *found))
    torch.testing.assert_close(*results)
    assert all(tensor.isfinite().all() for tensor in results[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pattern", [FullPattern, CausalPattern])
@pytest.mark.parametrize("heads", [{}, {"num_heads": 4, "num_key_heads": 2}])
def test_every_promise_is_kept(kind, pattern, heads):
    check_promises(functools.partial(kind, pattern=pattern, **heads))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("need_weights", [False, True])
def test_the_future_cannot_be_noticed_even_in_the_last_digit(kind, need_weights):
    attention, sequence = made(kind, pattern=CausalPattern, num_heads=2), random(B, 11, D)
    for first in range(1, 11):
        changed = sequence.clone()
        changed[:, first:] = 4 * changed[:, first:] + 1
        before, _ = attention(sequence, sequence, None, None, need_weights)
        after, _ = attention(changed, changed, None, None, need_weights)
        assert torch.equal(before[:, :first], after[:, :first])
        assert not torch.allclose(before[:, first:], after[:, first:])


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("scale", [1e-3, 10.0, 300.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_vectors_of_any_size_keep_their_weights_and_gradients(kind, scale, sign):
    attention = made(kind).float()
    inputs = [tensor.float() for tensor in (random(Q, D).abs(), sign * random(K, D, seed=1).abs())]
    query, keys = ((scale * tensor).requires_grad_() for tensor in inputs)
    weights = attention(query, keys, need_weights=True)[1]
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, Q))
    context, _ = attention(query, keys)
    torch.testing.assert_close(context, (weights @ keys)[0], rtol=1e-3, atol=1e-3)
    context.square().sum().backward()
    assert query.grad.isfinite().all()
    assert keys.grad.isfinite().all()


@pytest.mark.parametrize("need_weights", [False, True])
def test_keys_that_are_nothing_beside_a_later_one_count_alike_before_it(need_weights):
    attention = made(Performer, pattern=CausalPattern, num_features=12).float()
    sequence = torch.cat((1e3 * random(3, D), random(1, D, seed=1))).float().requires_grad_()
    context, _ = attention(sequence, sequence, None, None, need_weights)
    torch.testing.assert_close(context[1], sequence[:2].mean(0))
    context.sum().backward()
    assert sequence.grad.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pattern", [FullPattern, CausalPattern])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_long_sums_survive_half_precision(kind, pattern, dtype):
    """A sum over 3000 keys of features up to 5 would pass the end of float16, and lose bfloat16's digits."""
    attention = made(kind, pattern=pattern).to(dtype)
    sequence = (random(3000, D).abs() + 3).to(dtype)
    context, _ = attention(sequence, sequence)
    expected, _ = attention.double()(sequence.double(), sequence.double())
    assert context.dtype == dtype
    assert (context.double() - expected).norm() <= torch.finfo(dtype).eps * expected.norm()


@torch.no_grad()
def test_the_kernel_of_taylor_is_the_polynomial_of_scaled_dot():
    query, keys = random(Q, D), random(K, D, seed=1)
    _, weights = made(MAPS["taylor"])(query, keys, need_weights=True)
    scores = query @ keys.T / math.sqrt(D)
    kernels = 1 + scores + scores**2 / 2
    torch.testing.assert_close(weights[0], kernels / kernels.sum(-1, keepdim=True))


@torch.no_grad()
def test_features_that_leave_nothing_of_any_key_count_all_alike():
    query, keys = -random(Q, D).abs(), random(K, D, seed=1)
    context, _ = made(MAPS["relu"])(query, keys)
    torch.testing.assert_close(context, keys.mean(0).expand(Q, D))


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("heads", [{}, {"num_heads": 4, "num_key_heads": 2}])
@torch.no_grad()
def test_steps_with_sums_give_what_the_whole_gives(kind, heads):
    """Keys that grow change the scale of what was summed before."""
    attention = made(kind, pattern=CausalPattern, **heads)
    states = random(B, K, D) * torch.linspace(1, 6, K, dtype=torch.float64).unsqueeze(-1)
    whole, weights = attention(states, states, None, None, need_weights=True)
    past, found, sizes = attention.begin(), [], set()
    for part in states.split([3, 1, 1, 4], dim=1):
        context, none, past = attention.proceed(part, past)
        assert none is None
        found.append(context)
        sizes.add(tuple(past.tensors[0].shape))
    torch.testing.assert_close(torch.cat(found, dim=1), whole)
    assert past.length == K
    assert len(sizes) == 1
    assert past.rows(torch.tensor([1, 0, 1])).tensors[0].shape[0] == 3
    torch.testing.assert_close(attention.proceed(states, attention.begin(), True)[:2], (whole, weights))
    with pytest.raises(ValueError, match=r"sums of the 9 positions"):
        attention.proceed(states, past, need_weights=True)
    kept = attention.proceed(states[:, 1:], attention.proceed(states[:, :1], attention.begin(True))[2], True)
    torch.testing.assert_close(kept[:2], (whole[:, 1:], weights[:, :, 1:]))


def test_the_mean_over_directions_is_the_kernel_of_softmax():
    """Lemma 1: E phi(q) . phi(k) = exp(q . k / sqrt(d)), here over 2000 seeds of 8 features each."""
    query, key = random(D, seed=5), random(D, seed=6)
    exact = math.exp(query @ key / math.sqrt(D))
    draws = []
    for seed in range(2000):
        directions = orthogonal_directions(8, D, seed)
        scaled = torch.stack((query, key)) / D**0.25
        features = (scaled @ directions.T - scaled.square().sum(-1, keepdim=True) / 2).exp() / math.sqrt(8)
        draws.append(features[0] @ features[1])
    draws = torch.stack(draws)
    error = draws.std() / math.sqrt(len(draws))
    assert (draws.mean() - exact).abs() < 4 * error
    assert error < 0.1 * exact


@torch.no_grad()
def test_more_features_come_nearer_to_softmax():
    query, keys = random(20, D, scale=0.5), random(30, D, seed=1, scale=0.5)
    softmax = Attention(D, D, score=ScaledDotScore)(query, keys, need_weights=True)[1]
    errors = []
    for count in (16, 256, 4096):
        seeds = range(5)
        maps = [made(Performer, num_features=count, seed=s)(query, keys, need_weights=True)[1] for s in seeds]
        errors.append(sum((weights - softmax).abs().sum(-1).mean().item() for weights in maps) / len(maps))
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert errors[2] < 0.1


def test_directions_are_normal_and_orthogonal_in_blocks():
    directions = orthogonal_directions(10, 4, seed=0)
    for block in directions.split(4):
        products = block @ block.T
        torch.testing.assert_close(products, products.diagonal().diag(), atol=1e-12, rtol=0)
    many = orthogonal_directions(40_000, 4, seed=1)
    torch.testing.assert_close(many.mean(0), torch.zeros(4).double(), atol=0.02, rtol=0)
    torch.testing.assert_close(many.T @ many / len(many), torch.eye(4).double(), atol=0.03, rtol=0)
    torch.testing.assert_close(many.square().sum(-1).var().item(), 8.0, atol=0.3, rtol=0)  # of chi-squared with 4


def test_directions_come_from_their_seed_and_travel_with_the_model():
    torch.manual_seed(0)
    first = Performer(query_dim=D, key_dim=D, num_features=4)
    state = torch.get_rng_state()
    torch.manual_seed(9)
    again, other = (Performer(query_dim=D, key_dim=D, num_features=4, seed=seed) for seed in (0, 1))
    assert torch.equal(first.directions, again.directions)
    assert not torch.equal(first.directions, other.directions)
    other.load_state_dict(first.state_dict())
    assert torch.equal(first.directions, other.directions)
    assert not list(first.parameters())
    torch.manual_seed(0)
    assert torch.equal(state, torch.get_rng_state())  # nothing was drawn from the common generator


def test_the_path_is_told_and_taken():
    made_weights = []

    class Watched(FullPattern):
        """Asked which pairs it allows only where there are weights of pairs."""

        def allows(self, places):
            made_weights.append(1)
            return super().allows(places)

    attention, sequence = made(LinearAttention, pattern=Watched, dropout=0.1), random(B, K, D)
    mask = torch.ones(K, K, dtype=torch.bool)
    cases = [
        ("linear", "once for all queries", (sequence, sequence), Call(False, K, K), {}, False),
        ("linear", "once for all queries", (sequence, sequence, None, mask[:1]), Call(False, K, K), {}, False),
        ("plain", "weights were asked for", (sequence, sequence, None, None, True), Call(True, K, K), {}, False),
        (
            "plain",
            "mask differs",
            (sequence, sequence, None, mask),
            Call(False, K, K),
            {"masked_by_query": True},
            False,
        ),
        ("plain", "one query alone", (sequence[:, :1], sequence), Call(False, 1, K), {}, False),
        ("plain", "dropout=0.1 drops weights", (sequence, sequence), Call(False, K, K), {}, True),
    ]
    for name, reason, arguments, call, options, training in cases:
        attention.train(training)
        choice = attention.chosen_path(call, **options)
        assert choice.name == name
        assert reason in choice.reason
        made_weights.clear()
        attention(*arguments)
        assert bool(made_weights) == (name == "plain")


def test_dropped_weights_keep_their_mean():
    torch.manual_seed(0)
    attention = LinearAttention(query_dim=D, key_dim=D, dropout=0.5)
    query, keys = torch.randn(Q, D), torch.randn(K, D)
    expected, _ = attention.eval()(query, keys)
    draws, _ = attention.train()(query.expand(20_000, Q, D), keys)
    assert draws.std(dim=0).min() > 0.01
    torch.testing.assert_close(draws.mean(dim=0), expected, atol=0.05, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pattern", [FullPattern, CausalPattern])
def test_memory_grows_with_the_length(kind, pattern):
    def saved(length):
        kept, sequence = [], torch.randn(length, D, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
            kind(query_dim=D, key_dim=D, pattern=pattern)(sequence, sequence)
        return sum(kept)

    assert saved(4096) <= 8.5 * saved(512)


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_fit_is_refused_with_a_way_out(kind):
    with pytest.raises(ValueError, match=r"LocalPattern.* needs: use attention/pattern=full or causal, or attention="):
        made(kind, pattern=LocalPattern)
    with pytest.raises(ValueError, match=r"query_dim 8 and key_dim 6: use projections=true"):
        kind(query_dim=8, key_dim=6)
    context, _ = kind(query_dim=8, key_dim=6, projections=True)(torch.randn(2, 8), torch.randn(3, 6))
    assert context.isfinite().all()


def test_causal_says_where_it_makes_sense():
    causal, full = made(LinearAttention, pattern=CausalPattern), made(LinearAttention)
    assert causal.same_sequence_only
    assert not causal.sees_everything
    assert not full.same_sequence_only
    assert full.sees_everything
