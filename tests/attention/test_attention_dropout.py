"""Our dropout is dropout: its rate, its scale, its gradient, and a function of the seed."""

import pytest
import torch

from attnfocus.attention.dropout import dropout


def dropped(values, rate, seed=0):
    torch.manual_seed(seed)
    return dropout(values, rate)


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5, 0.9])
def test_each_number_is_zero_at_the_rate_or_scaled(rate):
    count = 400_003  # not a multiple of the four that share a draw
    result = dropped(torch.ones(count, dtype=torch.float64), rate)
    values = result.unique().tolist()
    assert values[0] == 0.0
    assert values[1:] == pytest.approx([1 / (1 - rate)], rel=2e-4)
    share = result.eq(0).double()
    assert share.mean().item() == pytest.approx(rate, abs=5 * (rate * (1 - rate) / count) ** 0.5 + 1e-5)
    for lane in range(4):  # none of the numbers that share a draw is favored
        assert share[lane::4].mean().item() == pytest.approx(rate, abs=10 * (rate * (1 - rate) / count) ** 0.5 + 1e-5)
    together = (share[0:-3:4] * share[1:-2:4]).mean().item()  # and they do not go together
    assert together == pytest.approx(rate * rate, abs=10 * (rate / count) ** 0.5)


def test_the_gradient_passes_where_the_numbers_did():
    values = torch.randn(33, 7, dtype=torch.float64, requires_grad=True)
    result = dropped(values, 0.3)
    [gradient] = torch.autograd.grad(result.sum(), values)
    torch.testing.assert_close(gradient, torch.where(result == 0, 0.0, result / values).detach())


def test_the_same_seed_drops_the_same():
    values = torch.randn(5, 9)
    assert torch.equal(dropped(values, 0.4), dropped(values, 0.4))
    assert not torch.equal(dropped(values, 0.4), dropped(values, 0.4, seed=1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_dtype_and_strides_stay(dtype):
    values = torch.ones(6, 4, dtype=dtype).t()
    result = dropped(values, 0.5)
    assert result.dtype == dtype
    assert set(result.flatten().tolist()) == {0.0, 2.0}


def test_nothing_is_dropped_in_evaluation_or_at_rate_zero():
    values = torch.randn(3)
    assert dropout(values, 0.5, training=False) is values
    assert dropout(values, 0.0) is values


def test_a_rate_next_to_one_stays_finite():
    assert dropped(torch.ones(1000), 0.999999).isfinite().all()


def test_empty_tensors_pass():
    assert dropped(torch.empty(0, 3), 0.5).shape == (0, 3)
