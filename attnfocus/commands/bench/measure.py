"""What an attention costs: time and peak memory of a forward and a backward pass.

Shapes: B batch_size, L length, D embed_dim.
"""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

NUM_WARM_UPS = 1  # passes before those that count: they compile kernels and fill caches


@dataclass(frozen=True)
class Inputs:
    """One sequence that attends to itself, and the gradient that comes back."""

    vectors: Tensor  # (B, L, D), with a gradient
    mask: Tensor | None  # (B, 1, L)
    gradient: Tensor  # (B, L, D)

    @classmethod
    def of(
        cls, batch_size: int, length: int, embed_dim: int, device: torch.device, dtype: torch.dtype, with_mask: bool
    ) -> "Inputs":
        vectors = torch.randn(batch_size, length, embed_dim, device=device, dtype=dtype)
        mask = torch.ones(batch_size, 1, length, device=device, dtype=torch.bool) if with_mask else None
        return cls(vectors.requires_grad_(), mask, torch.randn_like(vectors))


@dataclass(frozen=True)
class Candidate:
    """An attention at one length, and the seconds of each forward and backward pass that counts."""

    name: str
    module: nn.Module
    timed: Callable[[], tuple[float, float]] | None = None  # another measurement than a pass over the inputs
    times: list[tuple[float, float]] = field(default_factory=list)


class Baseline(nn.Module):
    """The four projections of a multi-head layer around a bare `scaled_dot_product_attention`: the least it costs."""

    def __init__(self, embed_dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query, self.keys, self.values = (nn.Linear(embed_dim, embed_dim) for _ in range(3))
        self.output = nn.Linear(embed_dim, embed_dim, bias=False)

    @property
    def memory_layers(self) -> tuple[nn.Module, nn.Module]:
        """The projections of keys and of values."""
        return self.keys, self.values

    def forward(self, query: Tensor, keys: Tensor, values: None, mask: Tensor | None) -> tuple[Tensor, None]:
        heads = [
            layer(vectors).unflatten(-1, (self.num_heads, -1)).transpose(-2, -3)
            for layer, vectors in ((self.query, query), (self.keys, keys), (self.values, keys))
        ]
        mask = None if mask is None else mask.unsqueeze(1)
        context = F.scaled_dot_product_attention(heads[0], heads[1], heads[2], mask)
        return self.output(context.transpose(-2, -3).flatten(-2)), None


def time_once(module: nn.Module, inputs: Inputs) -> tuple[float, float]:
    """Seconds of one forward and one backward pass. The device's work is waited for; gradients are cleared before."""
    module.zero_grad(set_to_none=True)
    inputs.vectors.grad = None
    start = _now(inputs.vectors.device)
    context, _ = module(inputs.vectors, inputs.vectors, None, inputs.mask)
    middle = _now(inputs.vectors.device)
    context.backward(inputs.gradient)
    return middle - start, _now(inputs.vectors.device) - middle


def interleaved(candidates: Sequence[Candidate], inputs: Inputs, repeats: int) -> None:
    """Times all candidates in turn, again and again, so that what else the machine does hits all alike."""
    for turn in range(NUM_WARM_UPS + repeats):
        first = turn % len(candidates)
        for candidate in (*candidates[first:], *candidates[:first]):  # no one always follows the same other
            times = time_once(candidate.module, inputs) if candidate.timed is None else candidate.timed()
            if turn >= NUM_WARM_UPS:
                candidate.times.append(times)


def medians(candidate: Candidate) -> tuple[float, float]:
    """Medians of the forward and of the backward times."""
    forward, backward = zip(*candidate.times, strict=True)
    return statistics.median(forward), statistics.median(backward)


def quartiles(candidate: Candidate) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile of the whole passes, forward and backward together."""
    return _quartiles([forward + backward for forward, backward in candidate.times])


def _quartiles(numbers: Sequence[float]) -> tuple[float, float, float]:
    if len(numbers) == 1:
        return numbers[0], numbers[0], numbers[0]
    low, middle, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return low, middle, high


def of_baseline(candidate: Candidate, baseline: Candidate) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile of how much longer it took than the baseline in the same turn."""
    pairs = zip(candidate.times, baseline.times, strict=True)
    return _quartiles([sum(times) / sum(of_bare) for times, of_bare in pairs])


def peak_bytes(module: nn.Module, inputs: Inputs) -> int | None:
    """The most memory that tensors take during one forward and backward pass, beyond what was there before.

    Gradients count; parameters, inputs and the gradient that comes back do not. On cuda it is what the allocator's own
    statistics say. On a CPU it is the running sum of everything that torch's allocator hands out and takes back, as
    the profiler records it: temporaries inside kernels count, scratch memory of the math library does not. None on
    other devices, which keep no such count.
    """
    time_once(module, inputs)  # whatever is made once and kept
    module.zero_grad(set_to_none=True)
    inputs.vectors.grad = None
    device = inputs.vectors.device
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        time_once(module, inputs)
        return torch.cuda.max_memory_allocated(device) - before
    if device.type != "cpu":
        return None
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # read at the first use: the profiler's library talks on stderr
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as profiler:
        time_once(module, inputs)
    recorded = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = peak = 0
    for event in sorted(recorded, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak


def _now(device: torch.device) -> float:
    wait_for(device)
    return time.perf_counter()


def wait_for(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
