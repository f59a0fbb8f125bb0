"""A linear layer whose weight gradient is made once for all steps gives what autograd gives step by step."""

import gc
import weakref

import pytest
import torch
from torch.nn import functional as F

from attnfocus.models.stepwise import StepwiseLinear


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def walk(apply, start, used):
    """Three steps, each from the one before; the loss sees the steps `used`."""
    outputs, state = [], start
    for _ in range(3):
        state = torch.tanh(apply(state))
        outputs.append(state)
    return sum((outputs[number] * (number + 1)).sum() for number in used)


@pytest.mark.parametrize("used", [(0, 1, 2), (2,), (0,)])
@pytest.mark.parametrize("start_has_gradient", [True, False])
def test_gradients_equal_those_of_a_plain_layer(used, start_has_gradient):
    weight, start = numbers(4, 4, seed=1), numbers(5, 4).requires_grad_(start_has_gradient)
    wanted = [weight, start] if start_has_gradient else [weight]
    loss = walk(StepwiseLinear(weight), start, used)
    plain = walk(lambda state: F.linear(state, weight), start, used)
    torch.testing.assert_close(loss, plain)
    for left, right in zip(torch.autograd.grad(loss, wanted), torch.autograd.grad(plain, wanted), strict=True):
        torch.testing.assert_close(left, right)


@pytest.mark.parametrize("shape", [(5, 4), (4,)])
def test_what_is_added_gets_its_gradient(shape):
    weight, start, added = numbers(4, 4, seed=1), numbers(5, 4), numbers(*shape, seed=2)
    layer, wanted = StepwiseLinear(weight), [weight, start, added]
    loss = walk(lambda state: layer(state, added), start, (0, 1, 2))
    plain = walk(lambda state: F.linear(state, weight) + added, start, (0, 1, 2))
    torch.testing.assert_close(loss, plain)
    for left, right in zip(torch.autograd.grad(loss, wanted), torch.autograd.grad(plain, wanted), strict=True):
        torch.testing.assert_close(left, right)
    with torch.no_grad():
        torch.testing.assert_close(StepwiseLinear(weight)(start, added), F.linear(start, weight) + added)


def test_a_second_backward_pass_gives_the_same():
    weight, start = numbers(4, 4, seed=1), numbers(5, 4)
    loss = walk(StepwiseLinear(weight), start, (0, 1, 2))
    first, second = (torch.autograd.grad(loss, weight, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_a_frozen_weight_still_passes_gradients_on():
    weight, start = numbers(4, 4, seed=1).detach(), numbers(5, 4)
    [gradient] = torch.autograd.grad(walk(StepwiseLinear(weight), start, (2,)), start)
    [expected] = torch.autograd.grad(walk(lambda state: F.linear(state, weight), start, (2,)), start)
    torch.testing.assert_close(gradient, expected)


def test_a_pass_leaves_no_tensor_behind():
    """What a pass noted goes when its loss goes, also where no backward pass was made: no cycle keeps it."""

    def pass_over(with_backward):
        layer, start = StepwiseLinear(numbers(4, 4, seed=1)), numbers(5, 4)
        loss = walk(layer, start, (0, 1, 2))
        if with_backward:
            loss.backward()
        return [weakref.ref(layer._tape), *map(weakref.ref, layer._tape.inputs)]

    gc.disable()
    try:
        left = [reference() for with_backward in (True, False) for reference in pass_over(with_backward)]
    finally:
        gc.enable()
    assert left == [None] * 8


def test_without_gradients_nothing_is_noted():
    with torch.no_grad():
        layer = StepwiseLinear(numbers(4, 4))
        layer(numbers(5, 4))
    assert not layer._tape.inputs


def test_under_autocast_steps_are_bfloat16_and_the_weight_gets_float32():
    weight, start = numbers(4, 4, seed=1).float().detach().requires_grad_(), numbers(5, 4).float().detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = StepwiseLinear(weight)(start)
    assert output.dtype == torch.bfloat16
    [gradient] = torch.autograd.grad(output.float().sum(), weight)
    assert gradient.dtype == torch.float32
    torch.testing.assert_close(gradient, start.sum(dim=0).expand(4, 4), rtol=0.02, atol=0.02)
