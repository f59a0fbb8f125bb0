"""The measures against loops in float64, and what padding must not do to them."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attnfocus.focus import (
    attends,
    effective_positions,
    entropy,
    mean_over_queries,
    normalized_entropy,
    num_positions,
    sum_over_queries,
)

MEASURES = {
    "entropy": entropy,
    "normalized_entropy": normalized_entropy,
    "effective_positions": effective_positions,
    "num_positions": num_positions,
}


def loop(row, allowed):
    """All measures of one row, written as their definitions."""
    weights = [weight for weight, may in zip(row, allowed, strict=True) if may]
    total = sum(weights)
    if total == 0:
        return {"entropy": 0, "normalized_entropy": 0, "effective_positions": 0, "num_positions": len(weights)}
    nats = -sum(w / total * math.log(w / total) for w in weights if w > 0)
    return {
        "entropy": nats,
        "normalized_entropy": nats / math.log(len(weights)) if len(weights) > 1 else 0,
        "effective_positions": math.exp(nats),
        "num_positions": len(weights),
    }


def random_weights(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(shape, generator=generator) < 0.7
    mask[0] = False
    scores = torch.randn(shape, generator=generator, dtype=torch.float64)
    return torch.softmax(scores.masked_fill(~mask, -1e30), -1).masked_fill(~mask, 0).to(dtype), mask


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("scale", [1.0, 0.3])  # weights of a sigmoid do not sum to 1
def test_measures_equal_their_definition(name, scale):
    weights, mask = random_weights(3, 2, 4, 5)
    measured = MEASURES[name](scale * weights, mask)
    assert measured.shape == (3, 2, 4)
    for index in torch.cartesian_prod(torch.arange(3), torch.arange(2), torch.arange(4)).tolist():
        place = tuple(index)
        expected = loop((scale * weights[place]).tolist(), mask[place].tolist())[name]
        assert measured[place].item() == pytest.approx(expected, abs=1e-12)


def test_known_values_by_hand():
    """Equal weights on 4 keys: entropy ln 4, all of what is possible, spread over 4. One key: 0, 0, 1.
    Halves on 2 of 4: entropy ln 2 = half of ln 4, spread over 2. Nothing: 0 throughout."""
    weights = torch.tensor([[0.25] * 4, [1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0.0] * 4])
    torch.testing.assert_close(entropy(weights), torch.tensor([math.log(4), 0, math.log(2), 0]))
    torch.testing.assert_close(normalized_entropy(weights), torch.tensor([1, 0, 0.5, 0]))
    torch.testing.assert_close(effective_positions(weights), torch.tensor([4.0, 1, 2, 0]))
    torch.testing.assert_close(num_positions(weights), torch.full((4,), 4.0))
    assert attends(weights).tolist() == [True, True, True, False]


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("garbage", [7.0, math.nan])
def test_padding_never_changes_a_measure(name, garbage):
    weights, mask = random_weights(3, 2, 4, 5)
    padded = torch.nn.functional.pad(weights, (0, 3), value=garbage)
    padded_mask = torch.nn.functional.pad(mask, (0, 3), value=False)
    torch.testing.assert_close(MEASURES[name](padded, padded_mask), MEASURES[name](weights, mask))


@pytest.mark.parametrize("name", MEASURES)
def test_masks_broadcast_over_heads_and_queries(name):
    weights, _ = random_weights(3, 2, 4, 5)
    mask = torch.arange(5) < torch.tensor([5, 3, 1]).view(3, 1, 1, 1)
    expected = MEASURES[name](weights, mask.expand(weights.shape))
    torch.testing.assert_close(MEASURES[name](weights, mask), expected)


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_half_precision_weights_measure_alike(name, dtype):
    exact, mask = random_weights(3, 4, 5)
    measured = MEASURES[name](exact.to(dtype), mask)
    assert measured.dtype == torch.float32
    torch.testing.assert_close(measured.double(), MEASURES[name](exact, mask), atol=0.03, rtol=0.01)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_measures_stay_within_their_bounds(row):
    weights = torch.tensor([row], dtype=torch.float64)
    count = len(row)
    assert -1e-9 <= entropy(weights).item() <= math.log(count) + 1e-9
    assert -1e-9 <= normalized_entropy(weights).item() <= 1 + 1e-9
    effective = effective_positions(weights).item()
    assert effective == 0 if sum(row) == 0 else 1 - 1e-9 <= effective <= count + 1e-9


def test_means_leave_out_padded_queries():
    measure = torch.tensor([[[1.0, 3.0, math.nan], [5.0, 7.0, math.nan]]])  # (B, H, Q)
    valid = torch.tensor([[[True, True, False]]])  # (B, 1, Q)
    total, count = sum_over_queries(measure, valid)
    assert (total.item(), count.item()) == (16.0, 4)
    assert mean_over_queries(measure, valid).item() == 4.0
    assert mean_over_queries(torch.tensor([1.0, 2.0])).item() == 1.5
    assert mean_over_queries(measure, torch.zeros(1, 1, 3, dtype=torch.bool)).isnan()


def test_sums_over_batches_give_the_mean_over_all():
    weights, mask = random_weights(6, 2, 4, 5)
    measure, valid = effective_positions(weights, mask), attends(weights, mask)
    parts = [sum_over_queries(measure[part], valid[part]) for part in (slice(0, 1), slice(1, 6))]
    total, count = (sum(column) for column in zip(*parts, strict=True))
    torch.testing.assert_close(total / count, mean_over_queries(measure, valid))


def test_gradients_are_finite_where_weights_are_zero():
    weights, mask = random_weights(3, 4, 5)
    for measure in (entropy, normalized_entropy, effective_positions):
        leaf = weights.clone().requires_grad_()
        measure(leaf, mask).sum().backward()
        assert leaf.grad.isfinite().all()
        assert (leaf.grad[~mask] == 0).all()


def test_subtracted_weights_count_by_their_size():
    signed = torch.tensor([[0.5, -0.5, 0.0, 0.0], [1.5, -0.5, 0.0, 0.0]], dtype=torch.float64)
    assert attends(signed).all()
    torch.testing.assert_close(entropy(signed), entropy(signed.abs()))
    torch.testing.assert_close(effective_positions(signed[:1]), torch.tensor([2.0], dtype=torch.float64))
    assert (normalized_entropy(signed) >= 0).all()
