"""The normalizers by their formulas, and at the edges of what floats can hold.

Shapes: B items, H heads, Q queries, K keys. float64 unless a test is about precision.
"""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loops_normalizers import NORMALIZERS

from attnfocus.attention import (
    AdaptiveScalableEntmax,
    Attention,
    CausalPattern,
    DistanceScore,
    Entmax,
    Entmax15,
    LocalPattern,
    ReluSquared,
    ScalableSoftmax,
    ScaledDotScore,
    Sigmoid,
    Sink,
    Softmax,
    SoftmaxPlusOne,
    Softpick,
    Sparsemax,
    StickBreaking,
    TemperatureSoftmax,
    TopKPattern,
)
from attnfocus.attention.normalizers.base import log_count

B, H, Q, K = 3, 2, 4, 6
ALL = [
    Softmax,
    TemperatureSoftmax,
    ScalableSoftmax,
    SoftmaxPlusOne,
    Sink,
    Sigmoid,
    Sparsemax,
    Entmax15,
    Entmax,
    AdaptiveScalableEntmax,
    StickBreaking,
    Softpick,
    ReluSquared,
]


def random(*shape, seed=0, scale=2.0):
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(cls, num_heads=H):
    """Heads that differ, so that a head with another's parameter is found out."""
    normalizer = cls(num_heads=num_heads).double()
    with torch.no_grad():
        for parameter in normalizer.parameters():
            parameter += torch.linspace(-0.7, 0.9, num_heads, dtype=torch.float64).view(-1, 1, 1)
    return normalizer


def random_mask(seed=1):
    mask = torch.rand(B, 1, Q, K, generator=torch.Generator().manual_seed(seed)) < 0.6
    mask[0, 0, 0], mask[1] = False, False  # a row, a whole item
    mask[2, 0, 1] = torch.arange(K) == 3  # a single key
    return mask


def looped(normalizer, scores, mask):
    weights = torch.zeros_like(scores)
    for index in torch.cartesian_prod(*(torch.arange(size) for size in scores.shape[:-1])).tolist():
        seen = [j for j in range(scores.shape[-1]) if mask.expand_as(scores)[*index, j]]
        row = [scores[*index, j].item() for j in seen]
        if row:
            found = NORMALIZERS[type(normalizer).__name__](normalizer, index[-2], row, None)
            weights[*index, seen] = torch.tensor(found, dtype=scores.dtype)
    return weights


@pytest.mark.parametrize("cls", ALL)
def test_every_normalizer_is_its_formula(cls):
    normalizer, scores, mask = made(cls), random(B, H, Q, K), random_mask()
    torch.testing.assert_close(normalizer(scores, mask), looped(normalizer, scores, mask))
    torch.testing.assert_close(normalizer(scores, None), looped(normalizer, scores, torch.ones_like(mask)))


def test_one_more_key_and_single_keys_by_hand():
    """scores ln 2, 0: plus one 2/4, 1/4; sigmoid with n = 2: 1 / (1 + 2/2), 1 / (1 + 2); ln 2 alone: 2/3, both."""
    scores = torch.tensor([[[math.log(2), 0.0]]], dtype=torch.float64)
    first = torch.tensor([True, False])
    plus_one, sigmoid = SoftmaxPlusOne(num_heads=1), Sigmoid(num_heads=1)
    torch.testing.assert_close(plus_one(scores, None).flatten().tolist(), [1 / 2, 1 / 4])
    torch.testing.assert_close(plus_one(scores, first).flatten().tolist(), [2 / 3, 0.0])
    torch.testing.assert_close(sigmoid(scores, None).flatten().tolist(), [1 / 2, 1 / 3])
    torch.testing.assert_close(sigmoid(scores, first).flatten().tolist(), [2 / 3, 0.0])


@pytest.mark.parametrize("cls", ALL)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_row_and_mask_keeps_the_promises(cls, data):
    size = data.draw(st.integers(1, 8))
    numbers = st.floats(-1e4, 1e4) | st.sampled_from([0.0, 1.0, -1.0, 1e30, -1e30])
    row = data.draw(st.lists(numbers, min_size=size, max_size=size))
    bits = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    scores, mask = torch.tensor(row, dtype=torch.float64).view(1, 1, size).requires_grad_(), torch.tensor(bits)
    normalizer = made(cls, num_heads=1)
    weights = normalizer(scores, mask)
    assert (weights >= 0).all()
    assert not normalizer.is_bounded or (weights <= 1 + 1e-12).all()
    assert (weights[..., ~mask] == 0).all()
    if normalizer.sums_to_one and mask.any():
        torch.testing.assert_close(weights.sum(), torch.ones((), dtype=torch.float64))
    (weights * torch.arange(1, size + 1)).sum().backward()
    assert (scores.grad[..., ~mask] == 0).all()
    assert scores.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in normalizer.parameters())
    kept = scores.detach()[..., mask]
    torch.testing.assert_close(weights[..., mask], normalizer(kept, None), atol=1e-12, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("cls", ALL)
def test_gradients_are_those_of_the_function_and_can_be_differentiated_again(cls):
    normalizer, scores, mask = made(cls), random(B, H, Q, K).requires_grad_(), random_mask()
    parameters = dict(normalizer.named_parameters())

    def function(scores, *values):
        return torch.func.functional_call(normalizer, dict(zip(parameters, values, strict=True)), (scores, mask))

    assert torch.autograd.gradcheck(function, (scores, *parameters.values()))
    assert torch.autograd.gradgradcheck(function, (scores, *parameters.values()))


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(cls, dtype):
    normalizer, mask = made(cls), random_mask()
    scores = random(B, H, Q, K).to(dtype)
    half = cls(num_heads=H).to(dtype)
    half.load_state_dict(normalizer.state_dict())
    exact = made(cls)
    exact.load_state_dict(half.state_dict())
    weights, expected = half(scores, mask), exact(scores.double(), mask)
    assert weights.dtype == dtype
    one_rounding = torch.finfo(dtype).eps
    torch.testing.assert_close(weights.double(), expected, atol=1e-5, rtol=one_rounding + 1e-4)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_largest_numbers_of_a_precision_are_fine(cls, dtype):
    largest = torch.finfo(dtype).max / (100 if dtype == torch.bfloat16 or dtype == torch.float32 else 1)
    scores = torch.tensor([[[largest, -largest, 0.0], [-largest, -largest, -largest]]], dtype=dtype)
    scores = scores.expand(H, 2, 3).clone().requires_grad_()
    weights = cls(num_heads=H).to(dtype)(scores, torch.tensor([True, True, False]))
    weights.sum().backward()
    if not cls.is_bounded:  # and so may be beyond any precision
        assert not weights.isnan().any()
        return
    assert weights.isfinite().all()
    assert scores.grad.isfinite().all()
    assert (weights[:, 0, 0] == 1).all()
    assert (weights[..., 2] == 0).all()


@pytest.mark.parametrize("cls", ALL)
def test_padding_changes_nothing(cls):
    """More masked keys, whatever their scores, and any shape of the mask that broadcasts."""
    normalizer, scores = made(cls), random(B, H, Q, K)
    padded = torch.cat((scores, 100 + random(B, H, Q, 50)), dim=-1)
    mask = torch.arange(K + 50) < K
    weights = normalizer(padded, mask)
    torch.testing.assert_close(weights[..., :K], normalizer(scores, None))
    assert (weights[..., K:] == 0).all()
    for shape in ((Q, 1), (B, 1, 1, 1), (1,), (H, Q, K), (B, 1, Q, 1)):
        broad = torch.rand(shape, generator=torch.Generator().manual_seed(2)) < 0.7
        torch.testing.assert_close(normalizer(scores, broad), normalizer(scores, broad.expand(B, H, Q, K)))


@pytest.mark.parametrize("cls", ALL)
def test_rows_are_independent(cls):
    normalizer, scores, mask = made(cls), random(B, H, Q, K), random_mask()
    whole = normalizer(scores, mask)
    for item in range(B):
        for query in range(Q):
            row = slice(query, query + 1)
            alone = normalizer(scores[item, :, row], mask[item, :, row])
            torch.testing.assert_close(alone, whole[item, :, row], atol=1e-14, rtol=1e-12)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("mask", [None, torch.ones(0, dtype=torch.bool)])
def test_no_keys_at_all(cls, mask):
    assert made(cls)(random(B, H, Q, 0), mask).shape == (B, H, Q, 0)


@pytest.mark.parametrize("cls", ALL)
def test_nothing_depends_on_values_on_the_host(cls):
    with torch.device("meta"):
        normalizer, scores = cls(num_heads=H), torch.empty(B, H, Q, K, requires_grad=True)
        for mask in (None, torch.ones(B, 1, 1, K, dtype=torch.bool)):
            weights = normalizer(scores, mask)
            weights.sum().backward()
            assert weights.shape == scores.grad.shape == scores.shape


@pytest.mark.parametrize("initial", [1.02, 1.3, 1.5, 1.99])
def test_parameters_start_as_told(initial):
    torch.testing.assert_close(Entmax(num_heads=2, initial_alpha=initial).alpha, torch.full((2, 1, 1), initial))
    temperature = TemperatureSoftmax(num_heads=1, initial_temperature=initial)
    scores = random(1, Q, K).float()
    torch.testing.assert_close(temperature(scores, None), (scores / initial).softmax(-1))
    assert (ScalableSoftmax(num_heads=2, initial_scale=initial).scale == initial).all()


def test_temperature_starts_as_softmax_and_stays_above_its_floor():
    normalizer, scores = TemperatureSoftmax(num_heads=1).double(), random(1, Q, K, scale=0.01)
    torch.testing.assert_close(normalizer(scores, None), scores.softmax(-1))
    torch.nn.init.constant_(normalizer.log_scale, 50.0)
    torch.testing.assert_close(normalizer(scores, None), (100 * scores).softmax(-1))


def test_scalable_softmax_keeps_its_largest_weight_as_keys_are_added():
    """One score of 3 among scores of -2, as in the paper's figure 1."""
    largest = {Softmax: [], ScalableSoftmax: []}
    for size in (10, 100, 10_000):
        scores = torch.full((1, 1, size), -2.0, dtype=torch.float64)
        scores[..., -1] = 3.0
        for cls, found in largest.items():
            found.append(cls(num_heads=1).double()(scores, None)[..., -1].item())
    assert largest[Softmax][0] > 0.9
    assert largest[Softmax][-1] < 0.02
    assert largest[ScalableSoftmax] == sorted(largest[ScalableSoftmax])
    torch.testing.assert_close(largest[ScalableSoftmax][0], largest[Softmax][0], atol=0.01, rtol=0)  # n = 10


def test_sigmoid_of_equal_scores_is_about_one_over_n():
    for size in (1, 10, 1000):
        weights = Sigmoid(num_heads=1)(torch.zeros(1, 1, size, dtype=torch.float64), None)
        torch.testing.assert_close(weights, torch.full_like(weights, 1 / (size + 1)))


def test_plus_one_equals_softmax_beside_a_zero_key():
    scores = random(B, H, Q, K)
    with_zero = torch.cat((torch.zeros(B, H, Q, 1, dtype=torch.float64), scores), dim=-1).softmax(-1)
    torch.testing.assert_close(SoftmaxPlusOne(num_heads=H)(scores, None), with_zero[..., 1:])


def test_counts_are_of_the_keys_that_a_row_may_attend_to():
    scores, mask = random(B, H, Q, K), random_mask()
    counts = torch.tensor([[max(1, sum(row)) for row in item[0]] for item in mask.tolist()]).double()
    torch.testing.assert_close(log_count(scores, mask), counts.log()[:, None, :, None])
    torch.testing.assert_close(log_count(scores, torch.tensor([True])).item(), math.log(K))
    assert log_count(scores, None) == math.log(K)


@pytest.mark.parametrize("pattern", [CausalPattern, LocalPattern, TopKPattern, None])
@pytest.mark.parametrize("cls", ALL)
def test_every_path_gives_the_same(cls, pattern):
    length, options = 24, {} if pattern is None else {"pattern": pattern}
    results = []
    for path in ("plain", "chunked", "auto"):
        attention = Attention(8, 8, score=ScaledDotScore, normalizer=cls, num_heads=2, path=path, **options).double()
        attention.chunk_weights = 64  # several chunks
        generator = torch.Generator().manual_seed(9)
        with torch.no_grad():
            for parameter in attention.parameters():
                parameter.normal_(std=0.7, generator=generator)
        inputs = random(B, length, 8, seed=4).requires_grad_()
        mask = (torch.arange(length) < torch.tensor([24, 11, 0]).unsqueeze(-1)).unsqueeze(-2)
        context, _ = attention(inputs, inputs, None, mask)
        (context * random(*context.shape, seed=6)).sum().backward()
        results.append((context.detach(), inputs.grad, [parameter.grad for parameter in attention.parameters()]))
        assert (context[2] == 0).all()
    for found in results[1:]:
        torch.testing.assert_close(found, results[0])


@pytest.mark.parametrize("cls", [SoftmaxPlusOne, Sigmoid, Sink, StickBreaking, Softpick, ReluSquared])
def test_weights_that_need_not_sum_to_one_say_so(cls):
    assert not Attention(8, 8, score=ScaledDotScore, normalizer=cls).weights_are_distributions
    assert made(cls)(random(B, H, Q, K), None).sum(-1).sub(1).abs().max() > 0.01


@pytest.mark.parametrize("cls", [Softpick, ReluSquared])
def test_a_score_that_is_never_above_zero_leaves_some_normalizers_nothing(cls):
    with pytest.raises(
        ValueError, match=rf"DistanceScore is never above 0, and {cls.__name__} gives weight to .*: use"
    ):
        Attention(8, 8, score=DistanceScore, normalizer=cls)
