"""Attention by segments with a memory (Transformer-XL).

Shapes: B items, H heads, Q queries, K keys, D sizes. float64.
"""

import functools
import math

import pytest
import torch
from position_trials import filled, outcome, random
from torch.nn import functional as F

from attnfocus.attention import (
    AdditiveScore,
    Call,
    CausalPattern,
    LocationScore,
    Monotonic,
    NoPosition,
    ScaledDotScore,
    ShawPosition,
    Sparsemax,
    TransformerXLAttention,
    TransformerXLPosition,
)

B, D, H, SEGMENT = 2, 12, 3, 4


def by_segments(position=TransformerXLPosition, **options):
    options = {"score": ScaledDotScore, "num_heads": H, "segment_length": SEGMENT, **options}
    return filled(TransformerXLAttention(D, D, position=position, **options))


def one_segment_after_the_other(attention, sequence):
    """A Transformer-XL layer as its paper has it: one segment at a time, with the states of the last as a memory."""
    p, size, contexts, memory = attention.position, D // H, [], sequence[:, :0]
    for segment in sequence.split(SEGMENT, dim=1):
        states = torch.cat((memory.detach(), segment), dim=1)
        query = attention.query_projection(segment).unflatten(-1, (H, size)).transpose(1, 2)
        keys = attention.key_projection(states).unflatten(-1, (H, size)).transpose(1, 2)
        values = attention.value_projection(states).unflatten(-1, (H, size)).transpose(1, 2)
        i = torch.arange(segment.shape[1]).unsqueeze(-1) + memory.shape[1]
        distance = (i - torch.arange(states.shape[1])).double()  # (Q, K)
        frequencies = 1 / 10000 ** (torch.arange(0, D, 2, dtype=torch.float64) / D)
        waves = distance.unsqueeze(-1) * frequencies
        of_distance = torch.einsum("qkr,hdr->hqkd", torch.cat((waves.sin(), waves.cos()), dim=-1), p.weight)
        scores = (query + p.content_bias) @ keys.transpose(-1, -2)
        scores = scores + torch.einsum("bhqd,hqkd->bhqk", query + p.position_bias, of_distance)
        weights = F.softmax((scores / math.sqrt(size)).masked_fill(distance < 0, -math.inf), dim=-1)
        contexts.append(attention.output_projection((weights @ values).transpose(1, 2).flatten(-2)))
        memory = segment
    return torch.cat(contexts, dim=1)


@pytest.mark.parametrize("length", [1, 4, 5, 8, 12, 18])
@pytest.mark.parametrize("need_weights", [False, True])
def test_segments_at_once_equal_a_layer_that_reads_one_after_the_other(length, need_weights):
    attention, sequence = by_segments(), random(B, length, D)
    context, found = outcome(attention, sequence, None, need_weights)
    leaf = sequence.clone().requires_grad_()
    attention.zero_grad(set_to_none=True)
    expected = one_segment_after_the_other(attention, leaf)
    expected.mul(torch.arange(expected.numel(), dtype=expected.dtype).view_as(expected).cos()).sum().backward()
    torch.testing.assert_close(context, expected.detach())
    torch.testing.assert_close(found, [leaf.grad, *(parameter.grad for parameter in attention.parameters())])


@pytest.mark.parametrize("need_weights", [False, True])
def test_no_gradient_reaches_the_segment_before(need_weights):
    attention, sequence = by_segments(), random(1, 3 * SEGMENT, D).requires_grad_()
    context, _ = attention(sequence, sequence, None, None, need_weights)
    context[:, SEGMENT : 2 * SEGMENT].square().sum().backward()
    of_segments = sequence.grad.unflatten(1, (3, SEGMENT)).abs().sum((0, 2, 3))
    assert of_segments[0] == 0
    assert of_segments[1] > 0
    assert of_segments[2] == 0


@torch.no_grad()
def test_a_query_sees_its_segment_up_to_itself_and_the_whole_one_before():
    attention, sequence = by_segments(position=NoPosition), random(B, 11, D)
    _, weights = attention(sequence, sequence, need_weights=True)
    for i in range(11):
        expected = [j <= i and j // SEGMENT >= i // SEGMENT - 1 for j in range(11)]
        assert (weights[:, :, i] > 0).all(dim=(0, 1)).tolist() == expected
    torch.testing.assert_close(weights.sum(-1), torch.ones(B, H, 11, dtype=torch.float64))


@pytest.mark.parametrize("score", [ScaledDotScore, AdditiveScore])
@pytest.mark.parametrize("normalizer", [None, Sparsemax])
@pytest.mark.parametrize("length", [3, 8, 13])
@pytest.mark.parametrize("num_key_heads", [1, H])
def test_segments_by_blocks_equal_the_plain_path(score, normalizer, length, num_key_heads):
    options = {} if normalizer is None else {"normalizer": normalizer}
    position = functools.partial(ShawPosition, max_distance=3, with_values=True)
    attention = by_segments(position, score=score, num_key_heads=num_key_heads, **options)
    sequence = random(B, length, D)
    mask = torch.rand(B, length, length, generator=torch.Generator().manual_seed(5)) < 0.7
    mask[0, -1] = False
    for each in (None, mask, mask[:, :1], mask[:, :, :1]):
        plain = outcome(attention, sequence, each, need_weights=True)
        for path in ("auto", "plain", "chunked"):
            attention.wanted_path = path
            torch.testing.assert_close(outcome(attention, sequence, each), plain)


@pytest.mark.parametrize("path", ["plain", "chunked"])
@torch.no_grad()
def test_fewer_queries_are_the_last_positions_of_their_segments(path):
    attention, sequence = by_segments(path=path), random(B, 11, D)
    whole, _ = attention(sequence, sequence)
    mask = torch.arange(11) != 6
    masked, _ = attention(sequence, sequence, None, mask.expand(B, 11, 11))
    for queries in range(12):
        last = sequence[:, 11 - queries :]
        torch.testing.assert_close(attention(last, sequence)[0], whole[:, 11 - queries :])
        narrowed = attention(last, sequence, None, mask.expand(B, queries, 11))[0]
        torch.testing.assert_close(narrowed, masked[:, 11 - queries :])
    for i in range(11):  # one token at a time
        step, _ = attention(sequence[:, i : i + 1], sequence[:, : i + 1])
        torch.testing.assert_close(step, whole[:, i : i + 1])
    assert attention(sequence[:, :0], sequence[:, :0])[0].shape == (B, 0, D)


def test_segments_drop_weights_on_both_paths():
    for path in ("plain", "chunked"):
        attention, sequence = by_segments(path=path, dropout=0.5), random(1, 11, D)
        expected, _ = attention(sequence, sequence)
        torch.manual_seed(0)
        with torch.no_grad():
            draws, _ = attention.train()(sequence.expand(4000, 11, D), sequence.expand(4000, 11, D))
        torch.testing.assert_close(draws.mean(0), expected[0], atol=0.25, rtol=0)
        assert draws.std(0).min() > 0.01


def test_segments_tell_their_path():
    attention = by_segments()
    assert attention.chosen_path(Call(False, 12, 12)).name == "chunked"
    assert attention.chosen_path(Call(False, 8, 8)).name == "plain"
    assert attention.chosen_path(Call(True, 12, 12)).name == "plain"
    assert attention.same_sequence_only
    assert not attention.sees_everything
    assert "block_size=4" in repr(attention)


class Largest(torch.utils._python_dispatch.TorchDispatchMode):
    """Numbers in the largest tensor that is made inside."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.numbers = max(self.numbers, result.numel())
        return result


def test_segments_take_memory_in_step_with_the_length():
    attention, sizes = by_segments(segment_length=16), []
    for length in (256, 512, 1024):
        sequence = random(1, length, D).requires_grad_()
        with Largest() as largest:
            attention(sequence, sequence)[0].sum().backward()
        sizes.append(largest.numbers)
    assert sizes[1] <= 2.1 * sizes[0]
    assert sizes[2] <= 2.1 * sizes[1]


def test_segments_refuse_what_does_not_fit():
    build = functools.partial(TransformerXLAttention, D, D)
    with pytest.raises(ValueError, match="CausalPattern would cut again: use attention/pattern=full"):
        build(score=ScaledDotScore, pattern=CausalPattern)
    for step in ({"score": LocationScore}, {"score": AdditiveScore, "normalizer": Monotonic}):
        with pytest.raises(ValueError, match="segments are parts of one: use attention/score=scaled_dot"):
            build(**step)
    with pytest.raises(ValueError, match=r"path=sdpa cannot run this.*TransformerXLAttention makes its weights"):
        build(score=ScaledDotScore, path="sdpa")
