"""Attention that learns how far to look (adaptive span).

Shapes: B items, H heads, Q queries, K keys, D sizes. float64.
"""

import functools
import math

import pytest
import torch
from position_trials import filled, outcome, random

from attnfocus.attention import (
    AdaptiveSpanAttention,
    AdditiveScore,
    Attention,
    Call,
    CausalPattern,
    FullPattern,
    LocalPattern,
    LocationScore,
    Monotonic,
    RotaryPosition,
    ScaledDotScore,
    Sparsemax,
)

B, D, H = 2, 12, 3


def spanned(span=None, **options):
    """All heads with one span, or with those that the parameters give."""
    options = {"score": ScaledDotScore, "num_heads": H, "max_span": 8, "ramp": 3, "initial_span": 2.5, **options}
    attention = filled(AdaptiveSpanAttention(D, D, **options))
    if span is not None:
        attention.span_logit.data.fill_(math.log(span / (options["max_span"] - span)))
    return attention


def share(distance, span, ramp, max_span):
    return 0.0 if distance > max_span else min(max((ramp + span - distance) / ramp, 0.0), 1.0)


@pytest.mark.parametrize("pattern", [FullPattern, CausalPattern])
@pytest.mark.parametrize("queries", [1, 5, 14])
@torch.no_grad()
def test_spans_are_the_formula_of_the_paper(pattern, queries):
    attention, sequence = spanned(pattern=pattern), random(14, D)
    _, weights = attention(sequence[-queries:], sequence, need_weights=True)
    ordinary = filled(Attention(D, D, score=ScaledDotScore, num_heads=H))
    ordinary.load_state_dict({n: p for n, p in attention.state_dict().items() if n != "span_logit"})
    _, scores = ordinary(sequence[-queries:], sequence, need_weights=True)
    scores = scores.log()  # up to one number for each row, which the sum below takes out again
    for head, logit in enumerate(attention.span_logit.flatten().tolist()):
        span = 8 / (1 + math.exp(-logit))
        assert attention.spans[head].item() == pytest.approx(span)
        for row, i in enumerate(range(14 - queries, 14)):
            powers = [
                share(abs(i - j), span, 3, 8) * math.exp(scores[head, row, j])
                if pattern is FullPattern or j <= i
                else 0.0
                for j in range(14)
            ]
            expected = torch.tensor([power / sum(powers) for power in powers], dtype=torch.float64)
            torch.testing.assert_close(weights[head, row], expected)
            assert ((weights[head, row] == 0) == (expected == 0)).all()


def test_a_key_at_half_the_ramp_counts_half_by_hand():
    """R = 2, z = 1, all scores 0. From query 0: m = 1, 1, 1/2, 0, 0, sum 5/2, so weights are 2/5, 2/5, 1/5, 0, 0."""
    attention = spanned(span=1.0, ramp=2)
    zeros = torch.zeros(5, D, dtype=torch.float64)
    for layer in (attention.query_projection, attention.key_projection):
        layer.bias.data.zero_()
    _, weights = attention(zeros, zeros, need_weights=True)
    torch.testing.assert_close(weights[0, 0], torch.tensor([0.4, 0.4, 0.2, 0.0, 0.0], dtype=torch.float64))


@torch.no_grad()
def test_a_span_beyond_the_sequence_changes_nothing():
    attention = spanned(span=40.0, max_span=64)
    ordinary = filled(Attention(D, D, score=ScaledDotScore, num_heads=H))
    ordinary.load_state_dict({n: p for n, p in attention.state_dict().items() if n != "span_logit"})
    sequence = random(B, 14, D)
    torch.testing.assert_close(attention(sequence, sequence)[0], ordinary(sequence, sequence)[0])


@pytest.mark.parametrize("normalizer", [None, Sparsemax])
def test_spans_agree_on_every_path_and_learn(normalizer):
    options = {} if normalizer is None else {"normalizer": normalizer}
    attention, sequence = spanned(position=RotaryPosition, **options), random(B, 14, D)
    attention.chunk_weights = 90  # several chunks
    mask = torch.rand(B, 14, 14, generator=torch.Generator().manual_seed(5)) < 0.7
    for each in (None, mask, mask[:, :1]):
        plain = outcome(attention, sequence, each, need_weights=True)
        names = [name for name, _ in attention.named_parameters()]
        assert (plain[1][1 + names.index("span_logit")] != 0).all()
        for path in ("auto", "plain", "chunked"):
            attention.wanted_path = path
            torch.testing.assert_close(outcome(attention, sequence, each), plain)


@torch.no_grad()
def test_a_window_of_the_largest_span_cuts_nothing_and_goes_by_blocks():
    windowed = spanned(span=6.0, pattern=functools.partial(LocalPattern, window=8))
    sequence, attention = random(B, 150, D), spanned(span=6.0)
    assert windowed.chosen_path(Call(False, 150, 150)).name == "chunked"
    torch.testing.assert_close(windowed(sequence, sequence)[0], attention(sequence, sequence)[0])


def test_gradients_of_spans_are_those_of_the_function():
    attention, sequence = spanned(), random(1, 9, D).requires_grad_()

    def context(sequence, logit):
        given = {"span_logit": logit}
        return torch.func.functional_call(attention, given, (sequence, sequence))[0]

    assert torch.autograd.gradcheck(context, (sequence, attention.span_logit))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_row_whose_span_is_masked_gives_zero(dtype):
    attention, sequence = spanned(span=1.0).to(dtype), random(1, 14, D).to(dtype).requires_grad_()
    mask = torch.ones(14, 14, dtype=torch.bool)
    mask[5, :12] = False  # what is left lies outside its span
    for need_weights in (False, True):
        context, weights = attention(sequence, sequence, None, mask, need_weights)
        assert (context[0, 5] == 0).all()
        assert weights is None or (weights[0, :, 5] == 0).all()
        context.sum().backward()
        assert sequence.grad.isfinite().all()
        assert all(parameter.grad.isfinite().all() for parameter in attention.parameters())


def test_the_penalty_is_the_mean_span_and_shortens_it():
    attention = AdaptiveSpanAttention(D, D, score=ScaledDotScore, num_heads=2, max_span=100, initial_span=20.0)
    torch.testing.assert_close(attention.spans, torch.tensor([20.0, 20.0]))
    before = attention.span_penalty()
    assert before.item() == pytest.approx(20.0)
    before.backward()
    with torch.no_grad():
        attention.span_logit -= 0.01 * attention.span_logit.grad
    assert attention.span_penalty() < before


def test_spans_refuse_what_does_not_fit():
    build = functools.partial(AdaptiveSpanAttention, D, D)
    with pytest.raises(ValueError, match="initial_span=32 is not below max_span=16, which no span reaches"):
        build(score=ScaledDotScore, max_span=16)
    for step in ({"score": LocationScore}, {"score": AdditiveScore, "normalizer": Monotonic}):
        with pytest.raises(ValueError, match="spans are distances in one: use attention/score=scaled_dot"):
            build(**step)
    with pytest.raises(ValueError, match=r"path=sdpa cannot run this.*AdaptiveSpanAttention makes its weights"):
        build(score=ScaledDotScore, path="sdpa")
