"""bf16 on a CPU: weights are rounded once per update, and what is only emulated is said."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from attnfocus.commands.doctor.checks import bf16_finding
from attnfocus.training.device import Precision, cpu_bf16, emulation_warning

CPU = torch.device("cpu")


class Casts(TorchDispatchMode):
    """Counts what becomes bfloat16 of a shape."""

    def __init__(self, shape):
        super().__init__()
        self.shape, self.count = shape, 0

    def __torch_dispatch__(self, function, types, given=(), named=None):
        if function is torch.ops.aten._to_copy.default and (named or {}).get("dtype") == torch.bfloat16:
            self.count += given[0].shape == self.shape
        return function(*given, **(named or {}))


def test_weights_are_rounded_once_per_update_and_their_gradients_are_those_of_single_batches():
    layer, batches = nn.Linear(5, 7, bias=False), [torch.randn(3, 5) for _ in range(3)]
    precision = Precision("bf16", CPU)

    def gradients(steps):
        layer.zero_grad()
        for step in steps:
            with precision.for_update():
                for batch in step:
                    with precision.autocast():
                        loss = layer(batch).square().sum()
                    precision.backward(loss)
        return layer.weight.grad.clone()

    with Casts(layer.weight.shape) as casts:
        together = gradients([batches])
    assert casts.count == 1
    with Casts(layer.weight.shape) as casts:
        apart = gradients([[batch] for batch in batches])
    assert casts.count == 3
    assert together.dtype == torch.float32
    torch.testing.assert_close(together, apart)


def test_no_gradient_is_computed_under_autocast():
    seen = []

    class Noting(torch.autograd.Function):
        @staticmethod
        def forward(ctx, vectors):
            return vectors.clone()

        @staticmethod
        def backward(ctx, gradient):
            seen.append(torch.is_autocast_enabled("cpu"))
            return gradient

    precision = Precision("bf16", CPU)
    with precision.for_update(), precision.autocast():
        precision.backward(Noting.apply(torch.ones(2, requires_grad=True)).sum())
    assert seen == [False]


@pytest.mark.parametrize("instructions", [(), ("avx512_bf16",)])
def test_a_cpu_that_emulates_bf16_is_told_with_the_way_out(monkeypatch, instructions):
    monkeypatch.setattr("attnfocus.training.device.cpu_bf16", lambda: instructions)
    warning, finding = emulation_warning("bf16", CPU), bf16_finding()
    assert finding.facts == {"instructions": list(instructions)}
    if instructions:
        assert warning is None
        assert "avx512_bf16" in finding.detail
    else:
        assert "trainer.precision=float32" in warning
        assert "trainer.precision=float32" in finding.detail
    assert emulation_warning("float32", CPU) is None
    assert emulation_warning("bf16", torch.device("cuda")) is None


def test_what_this_cpu_has_is_what_its_flags_say():
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            words = set(file.read().split())
    except OSError:
        pytest.skip("no list of flags here")
    assert bool(cpu_bf16()) == bool(words & {"avx512_bf16", "amx_tile", "bf16"})
