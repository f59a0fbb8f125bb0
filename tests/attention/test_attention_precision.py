"""Weights of half precision are those that are used: scores are made in float32.

Shapes: B items, H heads, Q queries, K keys, D sizes.
"""

import copy

import pytest
import torch
from attention_presets import preset_factory
from torch import nn

from attnfocus.attention import AlibiPosition, Attention, BaseAttention, DotScore, ScaledDotScore
from attnfocus.attention.contract.trial import random_attention, random_inputs, sizes
from attnfocus.attention.precision import scores_as
from attnfocus.attention.siblings.kernel import KernelAttention

B = 2
HALF = [torch.bfloat16, torch.float16]


class Rounding(nn.Module):
    """A projection in half precision inside a model of float64."""

    def __init__(self, half: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.inner, self.dtype = half, dtype

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return self.inner(vectors.to(self.dtype)).double()


def rounding(function, dtype):
    """A step of the attention, whose result is rounded as half precision rounds it."""
    return lambda *given: function(*given).to(dtype).double()


def reference(half: BaseAttention, dtype: torch.dtype) -> BaseAttention:
    """The attention in float64, but for the vectors that half precision rounds: queries and keys before they meet."""
    exact = copy.deepcopy(half).double()
    for name in ("query_projection", "key_projection", "value_projection"):
        if hasattr(exact, name):
            setattr(exact, name, Rounding(getattr(half, name), dtype))
    if isinstance(exact, Attention):
        for part, steps in (
            (exact.position, ("place_queries", "place_keys")),
            (exact.score, ("prepare_keys", "prepare_query")),
        ):
            for step in steps:
                setattr(part, step, rounding(getattr(part, step), dtype))
    return exact


def spread(attention: BaseAttention) -> float:
    """What makes inner products of the inputs about 60 large."""
    return 4.0 if isinstance(attention, Attention) and attention.score.is_inner_product else 1.0


@pytest.mark.parametrize("dtype", HALF)
def test_weights_of_half_precision_are_those_of_float64_on_the_same_vectors(preset, dtype):
    half = random_attention(preset_factory(preset)).to(dtype)
    if isinstance(half, Attention) and half.pattern.is_selective:
        return  # which of two near scores is larger may change
    query, keys, values = random_inputs(half, B, dtype=dtype)
    query, keys = spread(half) * query, spread(half) * keys
    _, weights = half(query, keys, values, None, need_weights=True)
    _, wanted = reference(half, dtype)(query.double(), keys.double(), values.double(), None, need_weights=True)
    # One rounding of a weight, and more where vectors are rounded on the way that the reference does not know.
    tolerance = (4 if isinstance(half, Attention) else 8) * torch.finfo(dtype).eps
    assert weights.dtype == dtype
    assert (weights.double() - wanted).abs().max() <= tolerance * max(1.0, wanted.abs().max())


@pytest.mark.parametrize("dtype", HALF)
def test_the_weights_that_are_returned_are_those_that_made_the_context(preset, dtype):
    half = random_attention(preset_factory(preset)).to(dtype)
    query, keys, values = random_inputs(half, B, dtype=dtype)
    query, keys = spread(half) * query, spread(half) * keys
    fast, _ = half(query, keys, values)
    slow, _ = half(query, keys, values, None, need_weights=True)
    assert (fast.double() - slow.double()).norm() <= 4 * torch.finfo(dtype).eps * slow.double().norm()


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("num_heads", [1, 2])
def test_scores_of_60_lose_nothing(dtype, num_heads):
    """Rounded to bfloat16, such scores are off by up to 1/8, and their weights by a sixth."""
    torch.manual_seed(0)
    attention = Attention(
        64, 64, score=ScaledDotScore, num_heads=num_heads, projections=False if num_heads == 1 else None
    )
    half = attention.to(dtype)
    query, keys = (5 * torch.randn(8, 20, 64)).to(dtype), (5 * torch.randn(8, 20, 64)).to(dtype)
    _, weights = half(query, keys, None, None, need_weights=True)
    exact = reference(half, dtype)
    _, wanted = exact(query.double(), keys.double(), None, None, need_weights=True)
    assert (weights.double() - wanted).abs().max() <= torch.finfo(dtype).eps


def test_scores_beyond_the_largest_number_of_float16_are_scores():
    half = Attention(64, 64, score=DotScore).half()
    query, keys = torch.full((1, 2, 64), 60.0).half(), torch.full((1, 3, 64), 60.0).half()  # 64 * 3600 > 65504
    keys[:, 0] -= 1
    _, weights = half(query, keys, None, None, need_weights=True)
    assert weights.tolist() == [[[[0.0, 0.5, 0.5]] * 2]]


@pytest.mark.parametrize("dtype", HALF)
def test_weights_under_autocast_are_those_that_made_the_context(preset, dtype):
    single = random_attention(preset_factory(preset)).float()
    if isinstance(single, Attention) and single.pattern.is_selective:
        return
    query, keys, values = random_inputs(single, B, dtype=torch.float32)
    query, keys = spread(single) * query, spread(single) * keys
    with torch.autocast("cpu", dtype):
        fast, _ = single(query, keys, values)
        slow, weights = single(query, keys, values, None, need_weights=True)
    assert (fast.double() - slow.double()).norm() <= 8 * torch.finfo(dtype).eps * slow.double().norm()
    if single.weights_are_distributions and not isinstance(single, KernelAttention):
        torch.testing.assert_close(
            weights.float().sum(-1), torch.ones(()).expand(weights.shape[:-1]), atol=0.02, rtol=0
        )


def test_float32_keeps_its_precision(preset):
    single = random_attention(preset_factory(preset)).float()
    query, keys, values = random_inputs(single, B, dtype=torch.float32)
    _, weights = single(query, keys, values, None, need_weights=True)
    assert weights.dtype == torch.float32
    assert sizes(single)[1] == weights.shape[-1]


@pytest.mark.parametrize("dtype", HALF)
def test_runs_of_older_versions_keep_their_rounded_scores(dtype):
    """As they were: a product under autocast, and what is added to it in the precision of the query."""
    score, position = ScaledDotScore(query_dim=8, key_dim=8, num_heads=2), AlibiPosition(num_heads=2, head_dim=8)
    query, keys = torch.randn(3, 2, 4, 8), torch.randn(3, 2, 5, 8)
    offsets = torch.arange(5) - torch.arange(4).unsqueeze(-1)
    with torch.autocast("cpu", dtype), scores_as("rounded"):
        rounded, bias = score(query, keys), position.bias(query.to(dtype), offsets)
        expected = torch.matmul(query * score.kernel_scale, keys.mT)
    assert rounded.dtype == bias.dtype == dtype
    assert torch.equal(rounded, expected)
    with torch.autocast("cpu", dtype):
        assert score(query, keys).dtype == position.bias(query.to(dtype), offsets).dtype == torch.float32
    with scores_as("rounded"):  # it is a rule of autocast
        assert score(query.to(dtype), keys.to(dtype)).dtype == torch.float32
