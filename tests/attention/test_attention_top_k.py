"""The pattern that looks at the scores. Shapes: Q queries, K keys. float64."""

import functools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loops_patterns import SELECTIVE

from attnfocus.attention import Attention, CausalPattern, MobaPattern, Places, ScaledDotScore, TopKPattern


@settings(max_examples=60, deadline=None)
@given(
    k=st.integers(1, 6),
    rows=st.lists(st.lists(st.none() | st.integers(-3, 3), min_size=5, max_size=5), min_size=1, max_size=4),
)
def test_top_k_keeps_the_largest_and_the_first_of_equal_ones(k, rows):
    """None stands for a key that the mask forbids."""
    pattern = TopKPattern(k=k)
    scores = torch.tensor([[math.nan if score is None else score for score in row] for row in rows]).float()
    mask = ~scores.isnan()
    places = Places.of(*scores.shape, scores.device)
    kept = pattern.narrow(scores.nan_to_num(9.0), mask, places)
    for row, found, seen in zip(scores.tolist(), kept.tolist(), mask.tolist(), strict=True):
        allowed = [score for score, may in zip(row, seen, strict=True) if may]
        expected = iter(SELECTIVE["TopKPattern"](pattern, allowed, [], 0))
        assert found == [may and next(expected) for may in seen]
    if mask.all():
        unmasked = pattern.narrow(scores, None, places)
        assert (unmasked is None and k >= 5) or torch.equal(unmasked, kept)


@pytest.mark.parametrize("path", ["plain", "chunked"])
def test_top_k_leaves_exactly_k_keys_with_weight_and_gradient(path):
    attention = Attention(8, 8, score=ScaledDotScore, pattern=functools.partial(TopKPattern, k=3), path=path).double()
    inputs = [torch.randn(1, 9, 8, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    _, weights = attention(*inputs, need_weights=True)
    assert ((weights > 0).sum(-1) == 3).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    one = [inputs[0][:, :1], *inputs[1:]]
    of_keys, of_values = torch.autograd.grad(attention(*one)[0].sum(), inputs[1:])
    dropped = (weights[0, 0, 0] == 0).nonzero().flatten()
    assert (of_keys[0, dropped] == 0).all()
    assert (of_values[0, dropped] == 0).all()


def test_top_k_shows_a_score_that_is_no_number():
    scores = torch.tensor([[1.0, math.nan, 3.0, 2.0]])
    assert TopKPattern(k=2).narrow(scores, None, Places.of(1, 4, scores.device))[0, 1]


@pytest.mark.parametrize(("block_size", "k", "length"), [(2, 2, 9), (3, 1, 10), (4, 3, 23)])
@torch.no_grad()
def test_moba_is_softmax_over_the_blocks_of_the_best_mean_keys(block_size, k, length):
    """As the paper says it: gates are products with mean keys of whole blocks; the own block first, none ahead."""
    pattern = functools.partial(MobaPattern, block_size=block_size, k=k, direction="backward")
    attention = Attention(8, 8, score=ScaledDotScore, pattern=pattern).double()
    query, keys = (torch.randn(length, 8, dtype=torch.float64) for _ in range(2))
    weights = torch.zeros(length, length, dtype=torch.float64)
    for i in range(length):
        gates = {block: query[i] @ chunk.mean(0) for block, chunk in enumerate(keys.split(block_size))}
        before = sorted((block for block in gates if block < i // block_size), key=lambda block: -gates[block])
        chosen = [i // block_size, *before[: k - 1]]
        seen = [j for j in range(i + 1) if j // block_size in chosen]
        weights[i, seen] = torch.softmax(keys[seen] @ query[i] / math.sqrt(8), dim=-1)
    torch.testing.assert_close(attention(query, keys, need_weights=True)[1][0], weights)
    attention.wanted_path, attention.chunk_weights = "chunked", 30
    torch.testing.assert_close(attention(query, keys)[0], weights @ keys)


def test_moba_that_may_choose_all_blocks_is_causal_attention():
    moba = functools.partial(MobaPattern, block_size=4, k=3, direction="backward")
    one, other = (Attention(8, 8, score=ScaledDotScore, pattern=pattern) for pattern in (moba, CausalPattern))
    sequence = torch.randn(2, 12, 8)
    torch.testing.assert_close(one(sequence, sequence)[0], other(sequence, sequence)[0])


@pytest.mark.parametrize("k", [1, 4, 9, 20])
@torch.no_grad()
def test_top_k_equals_softmax_over_the_scores_that_torch_finds_largest(k):
    attention = Attention(8, 8, score=ScaledDotScore, pattern=functools.partial(TopKPattern, k=k)).double()
    query, keys = (torch.randn(2, n, 8, dtype=torch.float64) for n in (5, 9))
    scores = query @ keys.mT / math.sqrt(8)
    largest = scores.topk(min(k, 9), dim=-1)
    expected = torch.zeros_like(scores).scatter(-1, largest.indices, largest.values.softmax(-1))
    torch.testing.assert_close(attention(query, keys, need_weights=True)[1].squeeze(1), expected)
    torch.testing.assert_close(attention(query, keys)[0], expected @ keys)
