"""The cross entropy of an output layer, computed in parts, equals torch's over all scores at once."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from attnfocus.tasks.cross_entropy import linear_cross_entropy


def layer(num_tokens, width, vocab, dtype=torch.float64, bias=True):
    generator = torch.Generator().manual_seed(num_tokens + 31 * vocab)

    def numbers(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_()

    expected = torch.randint(0, vocab, (num_tokens,), generator=generator)
    return numbers(num_tokens, width), numbers(vocab, width), numbers(vocab) if bias else None, expected


def plain(readout, weight, bias, expected, smoothing):
    logits = F.linear(readout, weight, bias)
    return F.cross_entropy(logits, expected, reduction="sum", label_smoothing=smoothing)


def gradients(loss, *tensors):
    return torch.autograd.grad(3.0 * loss, [tensor for tensor in tensors if tensor is not None])


@settings(max_examples=60)
@given(
    num_tokens=st.integers(0, 9),
    width=st.integers(1, 5),
    vocab=st.integers(2, 8),
    bias=st.booleans(),
    smoothing=st.sampled_from([0.0, 0.1, 0.5]),
    part=st.integers(1, 80),
)
def test_loss_and_gradients_equal_those_over_all_scores(num_tokens, width, vocab, bias, smoothing, part):
    *parameters, expected = layer(num_tokens, width, vocab, bias=bias)
    loss = linear_cross_entropy(*parameters, expected, smoothing, part_size=part)
    wanted = plain(*parameters, expected, smoothing)
    torch.testing.assert_close(loss, wanted)
    for left, right in zip(gradients(loss, *parameters), gradients(wanted, *parameters), strict=True):
        torch.testing.assert_close(left, right)


def test_without_gradients_none_are_made():
    *parameters, expected = layer(6, 4, 7)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        loss = linear_cross_entropy(*parameters, expected)
    of_scores = 2 * 6 * 4 * 7
    assert counter.get_total_flops() == of_scores
    torch.testing.assert_close(loss, plain(*parameters, expected, 0.0))
    with FlopCounterMode(display=False) as counter:
        linear_cross_entropy(*parameters, expected)
    assert counter.get_total_flops() > of_scores


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_the_loss_is_float32_and_near(dtype):
    *parameters, expected = layer(20, 8, 12, torch.float32)
    wanted = plain(*parameters, expected, 0.1)
    with torch.autocast("cpu", dtype=dtype):
        loss = linear_cross_entropy(*parameters, expected, 0.1)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, wanted, rtol=0.02, atol=0.0)
    for left, right in zip(gradients(loss, *parameters), gradients(wanted, *parameters), strict=True):
        assert left.dtype == torch.float32
        torch.testing.assert_close(left, right, rtol=0.05, atol=0.1)


def test_scores_far_apart_do_not_overflow():
    readout = torch.tensor([[1000.0], [-1000.0]], requires_grad=True)
    weight = torch.tensor([[1.0], [-1.0]], requires_grad=True)
    loss = linear_cross_entropy(readout, weight, None, torch.tensor([1, 0]))
    assert loss.item() == 4000.0
    assert all(gradient.isfinite().all() for gradient in gradients(loss, readout, weight))
