"""Linformer: the paper's formula as loops, full attention as a special case, and what it cannot do.

Shapes: B items, Q queries, K keys, D sizes. float64.
"""

import functools
import math

import pytest
import torch

from attnfocus.attention import (
    AdditiveScore,
    Attention,
    CausalPattern,
    GeneralScore,
    Linformer,
    ScaledDotScore,
)
from attnfocus.attention.contract import check_promises
from attnfocus.models.stepwise import select_rows

B, Q, K, D, M, N = 2, 3, 7, 8, 4, 10
SHARING = ["none", "headwise", "key_value"]


def made(**options):
    torch.manual_seed(1)
    given = {"score": ScaledDotScore, "num_landmarks": M, "max_length": N, **options}
    attention = Linformer(query_dim=D, key_dim=D, **given).double().eval()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return attention


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def inner(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def loop(attention, query, keys, values, length):
    """One item of `length` keys: softmax(q . (E K) / sqrt(d)) (F V), number by number."""
    query, keys, values = (
        projection(tensor)
        for projection, tensor in (
            (attention.query_projection, query),
            (attention.key_projection, keys),
            (attention.value_projection, values),
        )
    )
    own = attention.sharing == "none"
    key_mixing = attention.key_mixing.tolist()
    value_mixing = key_mixing if attention.sharing == "key_value" else attention.value_mixing.tolist()
    contexts, weights = [], torch.zeros(attention.num_heads, len(query), len(keys), dtype=torch.float64)
    for head in range(attention.num_heads):
        group = head * attention.num_key_heads // attention.num_heads
        e, f = (mixing[group if own else 0] for mixing in (key_mixing, value_mixing))
        of_head = keys.chunk(attention.num_key_heads, -1)[group].tolist()
        landmarks = [[sum(row[j] * of_head[j][n] for j in range(length)) for n in range(len(of_head[0]))] for row in e]
        for i, vector in enumerate(query.chunk(attention.num_heads, -1)[head].tolist()):
            powers = [math.exp(inner(vector, landmark) / math.sqrt(len(vector))) for landmark in landmarks]
            shares = [power / sum(powers) for power in powers]
            for j in range(length):
                weights[head, i, j] = inner(shares, [row[j] for row in f])
        contexts.append(weights[head] @ values.chunk(attention.num_key_heads, -1)[group])
    return attention.output_projection(torch.cat(contexts, dim=-1)), weights


@pytest.mark.parametrize("sharing", SHARING)
@pytest.mark.parametrize("num_key_heads", [1, 2, 4])
@torch.no_grad()
def test_both_paths_are_the_formula(sharing, num_key_heads):
    attention = made(sharing=sharing, num_heads=4, num_key_heads=num_key_heads)
    query, keys, values = random(B, Q, D), random(B, K, D, seed=1), random(B, K, D, seed=2)
    mask = (torch.arange(K) < torch.tensor([[K], [3]])).unsqueeze(1)
    context, weights = attention(query, keys, values, mask, need_weights=True)
    fused, _ = attention(query, keys, values, mask)
    for item, length in enumerate((K, 3)):
        expected, expected_weights = loop(attention, query[item], keys[item], values[item], length)
        torch.testing.assert_close(context[item], expected)
        torch.testing.assert_close(fused[item], expected)
        torch.testing.assert_close(weights[item], expected_weights)


@pytest.mark.parametrize("score", [ScaledDotScore, AdditiveScore, GeneralScore])
@pytest.mark.parametrize("heads", [{}, {"num_heads": 4, "num_key_heads": 2}])
@torch.no_grad()
def test_one_landmark_for_each_key_is_full_attention(score, heads):
    attention = made(score=score, num_landmarks=K, max_length=K, **heads)
    attention.key_mixing.copy_(torch.eye(K))
    attention.value_mixing.copy_(torch.eye(K))
    full = Attention(query_dim=D, key_dim=D, score=score, **heads).double()
    full.load_state_dict({name: t for name, t in attention.state_dict().items() if "mixing" not in name})
    query, keys, values = random(B, Q, D), random(B, K, D, seed=1), random(B, K, D, seed=2)
    for need_weights in (False, True):
        torch.testing.assert_close(
            attention(query, keys, values, None, need_weights), full(query, keys, values, None, need_weights)
        )


@torch.no_grad()
def test_as_many_keys_as_landmarks_start_as_in_full_attention():
    sizes = {"query_dim": D, "key_dim": D, "num_heads": 2, "score": ScaledDotScore}
    attention = Linformer(**sizes, num_landmarks=K, max_length=5 * K).double()
    full = Attention(**sizes).double()
    full.load_state_dict({name: t for name, t in attention.state_dict().items() if "mixing" not in name})
    query, keys, values = random(B, Q, D), random(B, K, D, seed=1), random(B, K, D, seed=2)
    torch.testing.assert_close(attention(query, keys, values, None), full(query, keys, values, None))


@torch.no_grad()
def test_the_weights_over_positions_are_what_the_context_is_made_of():
    attention = made()
    query, keys, values = random(B, Q, D), random(B, K, D, seed=1), random(B, K, D, seed=2)
    mask = (torch.arange(K) < torch.tensor([[K], [3]])).unsqueeze(1)
    context, weights = attention(query, keys, values, mask, need_weights=True)
    assert weights.shape == (B, 1, Q, K)
    assert not attention.weights_are_distributions
    torch.testing.assert_close((weights @ values.unsqueeze(1)).squeeze(1), context)


@pytest.mark.parametrize("sharing", SHARING)
@pytest.mark.parametrize("score", [ScaledDotScore, AdditiveScore])
def test_every_promise_is_kept(sharing, score):
    check_promises(
        functools.partial(Linformer, score=score, sharing=sharing, num_heads=4, num_key_heads=2, num_landmarks=3)
    )


def test_sharing_says_how_many_matrices_there_are():
    def shapes(**options):
        return [tuple(t.shape) for name, t in made(num_heads=4, **options).named_parameters() if "mixing" in name]

    assert shapes(sharing="none") == [(4, M, N), (4, M, N)]
    assert shapes(sharing="none", num_key_heads=2) == [(2, M, N), (2, M, N)]
    assert shapes(sharing="headwise") == [(1, M, N), (1, M, N)]
    assert shapes(sharing="key_value") == [(1, M, N)]


@torch.no_grad()
def test_a_prepared_memory_serves_many_queries_and_can_be_reordered():
    attention, keys = made(num_heads=2), random(B, K, D, seed=1)
    for mask in (None, (torch.arange(K) < torch.tensor([[K], [3]])).unsqueeze(1)):
        memory = attention.prepare(keys, None, mask)
        assert memory.keys.shape == memory.values.shape == (B, 2, M, D // 2)
        query = random(B, Q, D)
        whole = attention.attend(query, memory, need_weights=True)
        order = torch.tensor([1, 0, 1])
        moved = attention.attend(query[order], select_rows(memory, order), need_weights=True)
        torch.testing.assert_close(moved, tuple(tensor[order] for tensor in whole))


def test_masks_that_come_too_late_or_differ_between_queries_are_refused():
    attention, query, keys = made(), random(B, Q, D), random(B, K, D)
    with pytest.raises(
        ValueError, match=r"must be \(\.\.\., 1, K\), got \(3, 7\): use a mask of padding only, or atte"
    ):
        attention(query, keys, None, torch.ones(Q, K, dtype=torch.bool))
    with pytest.raises(ValueError, match="give the mask to prepare or forward"):
        attention.attend(query, attention.prepare(keys), torch.ones(K, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"mask must be bool"):
        attention(query, keys, None, torch.ones(1, K))


def test_inputs_that_are_too_long_are_refused():
    attention = made()
    assert attention(random(B, Q, D), random(B, N, D))[0].isfinite().all()
    with pytest.raises(ValueError, match=r"at most attention.max_length=10 positions, got 11: use a larger"):
        attention(random(B, Q, D), random(B, N + 1, D))


def test_patterns_over_positions_are_refused():
    with pytest.raises(ValueError, match=r"for CausalPattern: use attention/pattern=full and attention/position=none"):
        made(pattern=CausalPattern)


def test_memory_grows_with_the_length():
    def saved(length):
        attention = Linformer(query_dim=D, key_dim=D, score=ScaledDotScore, num_landmarks=M, max_length=4096)
        kept, sequence = [], torch.randn(length, D, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
            attention(sequence, sequence)
        return sum(kept)

    assert saved(4096) <= 8.5 * saved(512)
