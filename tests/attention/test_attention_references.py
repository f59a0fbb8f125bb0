"""Equality with the papers' formulas as float64 loops, with other implementations, and with sums done by hand."""

import functools
import math

import pytest
import torch
from attention_loops import loop
from attention_presets import composed
from torch import nn

from attnfocus.attention import (
    AdditiveScore,
    Attention,
    CausalPattern,
    CosineScore,
    DotScore,
    GeneralScore,
    Places,
    RotaryPosition,
    ScaledDotScore,
    T5Position,
)
from attnfocus.attention.contract.trial import random_attention

B, Q, K, D = 2, 3, 5, 8


def require_formula(attention, num_queries, num_keys):
    """Both ways of computing against the loops, over masks that leave a row with nothing to attend."""
    generator = torch.Generator().manual_seed(5)
    counts = (num_queries, num_keys, num_keys)
    query, keys, values = (torch.randn(B, n, D, dtype=torch.float64, generator=generator) for n in counts)
    rows = 1 if attention.uses_history else num_queries  # a decoder's steps see one source
    mask = torch.rand(B, rows, num_keys, generator=generator) < 0.8
    mask[1, rows - 1] = False
    context, weights = attention(query, keys, values, mask, need_weights=True)
    fast, _ = attention(query, keys, values, mask)
    for item in range(B):
        may = mask[item].expand(num_queries, num_keys).tolist()
        expected, expected_weights = loop(
            attention, query[item], keys[item], values[item], lambda i, j, may=may: may[i][j]
        )
        torch.testing.assert_close(weights[item], expected_weights)
        torch.testing.assert_close(context[item], expected)
        torch.testing.assert_close(fast[item], expected)


def sizes_to_try(attention):
    """Numbers of queries and keys: the last queries of a sequence, and a whole one, where both are one sequence."""
    return [(Q, K), (K, K)] if attention.same_sequence_only else [(Q, K)]


@torch.no_grad()
def test_every_preset_of_the_algebra_is_its_formula(factory):
    attention = random_attention(factory)
    if type(attention) is not Attention:
        return  # siblings have loops of their own
    for num_queries, num_keys in sizes_to_try(attention):
        require_formula(attention, num_queries, num_keys)


@torch.no_grad()
def test_every_combination_is_its_formula(combination):
    attention = random_attention(combination)
    for num_queries, num_keys in sizes_to_try(attention):
        require_formula(attention, num_queries, num_keys)


@pytest.mark.parametrize("score", [DotScore, ScaledDotScore, GeneralScore])
@pytest.mark.parametrize(("qk_norm", "soft_cap"), [("l2", None), ("rms", None), ("l2", 0.7), ("none", 0.7)])
@torch.no_grad()
def test_options_of_a_score_are_their_formulas_before_positions(score, qk_norm, soft_cap):
    position = T5Position if score is GeneralScore else RotaryPosition
    options = {"score": functools.partial(score, qk_norm=qk_norm, soft_cap=soft_cap), "position": position}
    attention = random_attention(functools.partial(Attention, num_heads=2, **options))
    require_formula(attention, K, K)
    assert attention.chosen_path().name == ("sdpa" if soft_cap is None else "plain")
    if soft_cap is not None:
        with pytest.raises(ValueError, match=r"path=sdpa cannot run this: soft_cap=0\.7 bends the scores"):
            Attention(D, D, path="sdpa", **options)


@pytest.mark.parametrize("score", [AdditiveScore, GeneralScore])
@pytest.mark.parametrize("num_heads", [1, 2])
@torch.no_grad()
def test_sizes_may_differ(score, num_heads):
    attention = Attention(
        6, 10, 4, score=score, num_heads=num_heads, projections=num_heads > 1, output_dim=None if num_heads == 1 else 5
    ).double()
    query, keys, values = (torch.randn(n, d, dtype=torch.float64) for n, d in ((Q, 6), (K, 10), (K, 4)))
    context, weights = attention(query, keys, values, need_weights=True)
    expected, expected_weights = loop(attention, query, keys, values, lambda i, j: True)
    assert context.shape == (Q, attention.output_dim) == (Q, 4 if num_heads == 1 else 5)
    torch.testing.assert_close(context, expected)
    torch.testing.assert_close(weights, expected_weights)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("need_weights", [False, True])
@torch.no_grad()
def test_multi_head_equals_torch_multihead_attention(build, causal, need_weights):
    overrides = ["attention/pattern=causal"] if causal else []
    ours = build("multi_head", *overrides, query_dim=D, key_dim=6, value_dim=5)
    theirs = nn.MultiheadAttention(D, ours.num_heads, kdim=6, vdim=5, batch_first=True).double().eval()
    theirs.q_proj_weight.copy_(ours.query_projection.weight)
    theirs.k_proj_weight.copy_(ours.key_projection.weight)
    theirs.v_proj_weight.copy_(ours.value_projection.weight)
    biases = [layer.bias for layer in (ours.query_projection, ours.key_projection, ours.value_projection)]
    theirs.in_proj_bias.copy_(torch.cat(biases))
    theirs.out_proj.weight.copy_(ours.output_projection.weight)
    theirs.out_proj.bias.zero_()
    query, keys, values = (torch.randn(B, K, d, dtype=torch.float64) for d in (D, 6, 5))
    padding = torch.arange(K) >= torch.tensor([[4], [2]])  # torch's meaning: True = may not attend
    future = torch.ones(K, K).triu(1).bool() if causal else None
    expected, expected_weights = theirs(
        query, keys, values, key_padding_mask=padding, attn_mask=future, average_attn_weights=False
    )
    context, weights = ours(query, keys, values, ~padding.unsqueeze(-2), need_weights)
    torch.testing.assert_close(context, expected)
    if need_weights:
        torch.testing.assert_close(weights, expected_weights)


def test_two_queries_and_two_keys_by_hand():
    """Dot score. query 1 = (ln 3, 0), query 2 = (0, 0); keys (1, 0), (0, 1); values (4, 0), (0, 8).

    scores  = [[ln 3, 0], [0, 0]]
    weights = [[3/4, 1/4], [1/2, 1/2]]                 e^(ln 3) = 3, e^0 = 1
    context = [[3/4 * 4, 1/4 * 8], [1/2 * 4, 1/2 * 8]] = [[3, 2], [2, 4]]
    """
    attention = Attention(2, 2, score=DotScore)
    query = torch.tensor([[math.log(3), 0.0], [0.0, 0.0]])
    keys, values = torch.eye(2), torch.tensor([[4.0, 0.0], [0.0, 8.0]])
    for need_weights in (False, True):
        context, weights = attention(query, keys, values, None, need_weights)
        torch.testing.assert_close(context, torch.tensor([[3.0, 2.0], [2.0, 4.0]]))
        if weights is not None:
            torch.testing.assert_close(weights, torch.tensor([[[0.75, 0.25], [0.5, 0.5]]]))
    masked, _ = attention(query, keys, values, torch.tensor([[True, False], [True, True]]))
    torch.testing.assert_close(masked, torch.tensor([[4.0, 0.0], [2.0, 4.0]]))


def test_additive_score_by_hand():
    """h = 1, W = 1, U = 2, b = 0, v = 3: score(q, k) = 3 tanh(q + 2 k); score(1, -1/2) = 3 tanh 0 = 0."""
    score = AdditiveScore(query_dim=1, key_dim=1, num_heads=1, hidden_size=1)
    with torch.no_grad():
        for parameter, number in zip((score.query_weight, score.key_weight, score.vector), (1, 2, 3), strict=True):
            parameter.fill_(number)
    scores = score(torch.tensor([[[1.0]]]), score.prepare_keys(torch.tensor([[[-0.5], [1.0]]])))
    torch.testing.assert_close(scores, torch.tensor([[[0.0, 3 * math.tanh(3)]]]))


# Of a block of 2^19 numbers: all items at once, one item, two queries, one query.
@pytest.mark.parametrize(
    ("hidden_size", "num_heads", "dtype"),
    [
        *((6, heads, dtype) for heads in (1, 2) for dtype in (torch.float64, torch.bfloat16)),
        (20_000, 2, torch.float64),
        (40_000, 1, torch.bfloat16),
        (60_000, 1, torch.float64),
    ],
)
def test_additive_blocks_equal_the_obvious_formula(hidden_size, num_heads, dtype):
    score = AdditiveScore(query_dim=3, key_dim=5, num_heads=num_heads, hidden_size=hidden_size).to(dtype)
    query = torch.randn(1, num_heads, Q, 3).to(dtype).requires_grad_()  # one query for the whole batch
    keys = torch.randn(B, num_heads, K, 5).to(dtype).requires_grad_()
    chosen = torch.randn(B, num_heads, Q, K).to(dtype)

    def obvious():
        hidden = torch.tanh(score.prepare_query(query).unsqueeze(-2) + score.prepare_keys(keys).unsqueeze(-3))
        return (hidden * score.vector[:, None, None]).sum(-1)

    leaves, tolerance = [query, keys, *score.parameters()], 1e-12 if dtype == torch.float64 else 0.1
    expected, scores = obvious(), score(query, score.prepare_keys(keys)).to(dtype)  # float32 of half precision
    torch.testing.assert_close(scores, expected, atol=tolerance, rtol=tolerance)
    for found, wanted in zip(
        torch.autograd.grad((scores * chosen).sum(), leaves),
        torch.autograd.grad((expected * chosen).sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(found, wanted, atol=tolerance, rtol=tolerance)


def test_dropped_weights_keep_their_mean_on_both_paths():
    torch.manual_seed(0)
    attention = Attention(D, D, score=ScaledDotScore, dropout=0.5)
    query, keys, values = torch.randn(Q, D), torch.randn(K, D), torch.randn(K, D)
    expected, _ = attention.eval()(query, keys, values)
    attention.train()
    for need_weights in (False, True):
        draws, _ = attention(query.expand(20_000, Q, D), keys, values, None, need_weights)
        assert draws.std(dim=0).min() > 0.01
        torch.testing.assert_close(draws.mean(dim=0), expected, atol=0.05, rtol=0)


def causal(build, preset):
    """The preset with a causal pattern, or None where it takes none, and says what works."""
    if "pattern" not in composed(f"attention={preset}"):
        return None
    try:
        return build(preset, "attention/pattern=causal")
    except ValueError as error:
        message = str(error)
    assert "use " in message.lower()
    return None


def test_causal_attention_never_sees_the_future(build, preset):
    if (attention := causal(build, preset)) is None:
        return
    sequence = torch.randn(B, K, D, dtype=torch.float64)
    changed = sequence.clone()
    changed[:, 2:] += 1
    for need_weights in (False, True):
        before, _ = attention(sequence, sequence, None, None, need_weights)
        after, _ = attention(changed, changed, None, None, need_weights)
        torch.testing.assert_close(before[:, :2], after[:, :2], atol=0, rtol=0)
        assert not torch.allclose(before[:, 2:], after[:, 2:])


def test_causal_queries_one_at_a_time_equal_the_whole_sequence(build, preset):
    if (attention := causal(build, preset)) is None:
        return
    sequence = torch.randn(B, K, D, dtype=torch.float64)
    whole, _ = attention(sequence, sequence)
    for i in range(K):
        step, _ = attention(sequence[:, i : i + 1], sequence[:, : i + 1])
        torch.testing.assert_close(step, whole[:, i : i + 1])


def test_causal_pattern_says_where_it_makes_sense():
    assert Attention(D, D, score=DotScore, pattern=CausalPattern).same_sequence_only
    assert not Attention(D, D, score=DotScore).same_sequence_only
    places = Places.of(2, 3, torch.device("cpu"))
    assert CausalPattern().allows(places).tolist() == [[True, True, False], [True, True, True]]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_cosine_of_a_zero_vector_is_zero_with_a_modest_gradient(dtype):
    score = CosineScore(query_dim=D, key_dim=D, num_heads=1).to(dtype)
    query, keys = torch.zeros(1, Q, D, dtype=dtype, requires_grad=True), torch.randn(1, K, D).to(dtype)
    scores = score(query, score.prepare_keys(keys))
    scores.sum().backward()
    assert (scores == 0).all()
    assert query.grad.abs().max() < 1e5
    assert query.grad.isfinite().all()


def test_cosine_temperature_starts_as_told_and_stays_above_its_floor():
    score = CosineScore(query_dim=D, key_dim=D, num_heads=1, initial_temperature=0.25)
    one = 100 * torch.eye(D)[:1].unsqueeze(0)
    torch.testing.assert_close(score(one, score.prepare_keys(one)).item(), 4.0)
    with torch.no_grad():
        score.log_scale.fill_(50.0)
    torch.testing.assert_close(score(one, score.prepare_keys(one)).item(), 100.0)
