"""Selective attention against loops over its formula, and what it refuses.

Shapes: H heads, L positions, D sizes. float64.
"""

import functools

import pytest
import torch

from attnfocus.attention import (
    AlibiPosition,
    CausalPattern,
    CoverageScore,
    FullPattern,
    LocalPattern,
    NoPosition,
    ScaledDotScore,
    SelectiveAttention,
)
from attnfocus.attention.contract.trial import random_attention

H, L, D = 2, 6, 8


def looped(attention, sequence, hidden, window=L):
    """Weights (H, L, L) of a sequence (L, D) that looks at itself; `hidden` positions may be seen by none."""
    size = D // H
    query, keys = (
        layer(sequence).view(L, H, size).transpose(0, 1).tolist()
        for layer in (attention.query_projection, attention.key_projection)
    )
    slopes = attention.position.slopes("cpu", torch.float64).flatten().tolist() if attention.position.has_bias else None

    def score(head, i, j):
        product = sum(a * b for a, b in zip(query[head][i], keys[head][j], strict=True)) / size**0.5
        return product - (0 if slopes is None else slopes[head] * abs(i - j))

    weights = torch.zeros(H, L, L, dtype=torch.float64)
    for i in range(L):
        seen = [j for j in range(L) if i - window <= j <= i and j not in hidden]
        if not seen:
            continue
        masked = {
            j: sum(max(score(0, t, j), 0) for t in range(i) if t not in hidden and max(0, t - window - 1) < j < t)
            for j in seen
        }
        masked[0] = 0.0
        for head in range(H):
            row = torch.tensor([score(head, i, j) - masked[j] for j in seen], dtype=torch.float64)
            weights[head, i, seen] = row.softmax(0)
    return weights


@pytest.mark.parametrize("position", [NoPosition, AlibiPosition])
@pytest.mark.parametrize("hidden", [set(), {4, 5}, {2}])
@torch.no_grad()
def test_it_is_its_formula(position, hidden):
    options = {"score": ScaledDotScore, "num_heads": H, "position": position, "pattern": CausalPattern}
    attention = random_attention(functools.partial(SelectiveAttention, **options))
    sequence = torch.randn(L, D, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    expected = looped(attention, sequence, hidden)
    padding = torch.tensor([[j not in hidden for j in range(L)]])
    by_query = padding.expand(L, L)
    for mask in (padding, by_query, *([None] if not hidden else [])):
        _, weights = attention(sequence, sequence, None, mask, need_weights=True)
        torch.testing.assert_close(weights, expected)
    assert (looped(attention, sequence, set()) - expected).abs().max() > 0.01 or not hidden


@torch.no_grad()
def test_any_pattern_looks_back_and_says_what_a_position_may_mask():
    options = {"score": ScaledDotScore, "num_heads": H}
    whole, causal, local = (
        random_attention(functools.partial(SelectiveAttention, pattern=pattern, **options))
        for pattern in (FullPattern, CausalPattern, functools.partial(LocalPattern, window=2))
    )
    sequence = torch.randn(L, D, dtype=torch.float64)
    torch.testing.assert_close(
        whole(sequence, sequence, need_weights=True), causal(sequence, sequence, need_weights=True)
    )
    _, weights = local(sequence, sequence, need_weights=True)
    torch.testing.assert_close(weights, looped(local, sequence, set(), window=2))


def test_what_it_cannot_do_it_refuses():
    with pytest.raises(ValueError, match=r"CoverageScore follows where a decoder looked .*: use attention/score=sca"):
        SelectiveAttention(D, D, score=CoverageScore)
    with pytest.raises(ValueError, match=r"query_dim 8, key_dim 6\. Use queries and keys of one sequence"):
        SelectiveAttention(D, 6, score=ScaledDotScore, projections=True)
