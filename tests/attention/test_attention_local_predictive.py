"""Local attention around a predicted position: as a loop, in all its paths, and what it learns.

Shapes: B items, H heads, Q queries, K keys, D sizes. float64 unless a test is about precision.
"""

import math

import pytest
import torch
from loops_scores import SCORES

from attnfocus.attention import Call, CausalPattern, LocalPredictiveAttention, Monotonic, ScaledDotScore

B, Q, K, D = 3, 4, 6, 8
LENGTHS = [6, 3, 1]


def random_inputs(*leading, keys=K, dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    shapes = ((*leading, Q, D), (*leading, keys, D), (*leading, keys, D))
    return [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]


def padding_mask(lengths, keys=K):
    return (torch.arange(keys) < torch.tensor(lengths).unsqueeze(-1)).unsqueeze(-2)  # (B, 1, K)


def local_loop(attention, query, keys, values):
    """One item without padding: align exp(-(j - p)^2 / (2 (D / 2)^2)) inside the window, softmax over the window."""
    score, window = SCORES[type(attention.score).__name__], attention.window
    if attention.has_projections:
        query, keys = attention.query_projection(query), attention.key_projection(keys)
        values = attention.value_projection(values)
    query, keys, values = (t.unflatten(-1, (attention.num_heads, -1)).transpose(0, 1) for t in (query, keys, values))
    queries, keys = query.tolist(), keys.tolist()
    weights = torch.zeros(attention.num_heads, len(queries[0]), len(keys[0]), dtype=torch.float64)
    for head in range(attention.num_heads):
        for i, step in enumerate(queries[head]):
            hidden = [math.tanh(each) for each in (attention.position_weight[head] @ torch.tensor(step).double())]
            fraction = 1 / (
                1 + math.exp(-sum(v * h for v, h in zip(attention.position_vector[head, 0], hidden, strict=True)))
            )
            p = len(keys[head]) * fraction
            inside = [j for j in range(len(keys[head])) if abs(j - p) <= window]
            powers = {j: math.exp(score(attention.score, head, step, keys[head][j], None)) for j in inside}
            for j in inside:
                nearness = math.exp(-((j - p) ** 2) / (2 * (window / 2) ** 2))
                weights[head, i, j] = powers[j] / sum(powers.values()) * nearness
    context = (weights @ values).transpose(0, 1).flatten(-2)
    return attention.output_projection(context) if attention.has_projections else context, weights


@pytest.mark.parametrize("heads", ["attention.num_heads=1", "attention.num_heads=2"])
@pytest.mark.parametrize("window", [1, 2, 10])
@torch.no_grad()
def test_local_predictive_is_its_formula(build, heads, window):
    attention = build("local_predictive", heads, f"attention.window={window}")
    query, keys, values = random_inputs(B)
    context, weights = attention(query, keys, values, padding_mask(LENGTHS), need_weights=True)
    for item, length in enumerate(LENGTHS):
        expected, rows = local_loop(attention, query[item], keys[item, :length], values[item, :length])
        torch.testing.assert_close(context[item], expected)
        torch.testing.assert_close(weights[item, ..., :length], rows)
    assert (weights[0] > 0).any(-1).all()  # the window always holds a key
    assert window > 2 or (weights[0] == 0).any()


@pytest.mark.parametrize("mask", [None, "padding", "random"])
def test_local_predictive_in_chunks_equals_the_plain_path(build, mask):
    inputs = [tensor.requires_grad_() for tensor in random_inputs(B)]
    of = {"padding": padding_mask(LENGTHS), "random": torch.rand(B, Q, K) < 0.5}.get(mask)
    results = []
    for path in ("plain", "chunked", "auto"):
        attention = build("local_predictive", f"attention.path={path}", "attention.window=2")
        attention.chunk_weights = 40  # several chunks
        context, _ = attention(*inputs, of)
        assert attention.chosen_path().name == path.replace("auto", "plain")
        results.append((context, *torch.autograd.grad(context.square().sum(), [*inputs, *attention.parameters()])))
    torch.testing.assert_close(results[1], results[0])
    torch.testing.assert_close(results[2], results[0])
    assert "a way of its own" in attention.chosen_path(Call()).reason


def test_local_predictive_learns_where_to_look():
    """Values that are only good at key 7 of 12: the gradient through the Gaussian moves p there."""
    torch.manual_seed(0)
    attention = LocalPredictiveAttention(D, D, score=ScaledDotScore, window=4)
    query, keys = torch.randn(1, 1, D), torch.zeros(1, 12, D)
    values = torch.zeros(1, 12, D)
    values[:, 7] = 1
    optimizer = torch.optim.Adam(attention.parameters(), lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        (-attention(query, keys, values)[0].mean()).backward()
        optimizer.step()
    assert abs(12 * attention.predicted(query.unsqueeze(1)).item() - 7) < 0.5


@torch.no_grad()
def test_local_predictive_finds_its_place_in_half_precision(build):
    """bfloat16 has no number 257: places are counted in float32."""
    attention = build("local_predictive", "attention.window=1").bfloat16()
    attention.position_vector.zero_()  # p = S / 2
    _, weights = attention(*random_inputs(1, keys=602, dtype=torch.bfloat16), None, need_weights=True)
    assert (weights > 0).nonzero()[:, -1].unique().tolist() == [300, 301, 302]


def test_local_predictive_refuses_what_would_move_its_window():
    with pytest.raises(ValueError, match=r"CausalPattern would cut again: use attention/pattern=full"):
        LocalPredictiveAttention(D, D, score=ScaledDotScore, pattern=CausalPattern)
    with pytest.raises(ValueError, match=r"Monotonic moves on .*use attention/normalizer=softmax"):
        LocalPredictiveAttention(D, D, score=ScaledDotScore, normalizer=Monotonic)


@torch.no_grad()
def test_local_predictive_with_coverage_keeps_its_window(build):
    attention = build("local_predictive", "attention/score=coverage", "attention.window=2")
    attention.score.coverage_weight.zero_()
    plain = build("local_predictive", "attention/score=additive", "attention.window=2")
    plain.load_state_dict(attention.state_dict(), strict=False)
    inputs, mask = random_inputs(B), padding_mask([6, 3, 0])
    torch.testing.assert_close(attention(*inputs, mask, True), plain(*inputs, mask, True))


def test_local_predictive_says_that_its_weights_are_no_distribution(build):
    assert not build("local_predictive").weights_are_distributions
