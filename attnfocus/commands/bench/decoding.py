"""One more position of a sequence after many, as decoding computes it: with what was kept of those before.

Shapes: B batch_size, L length, D embed_dim, H heads, d size of one head.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention import BaseAttention, GrowingMemory, RollingMemory
from attnfocus.commands.bench.measure import NUM_WARM_UPS, Baseline, wait_for

Step = Callable[[Tensor, Any], Any]  # a position (B, 1, D), and what is kept -> what is kept now
STEPS = 8  # that one measurement takes the mean of, where the length has room for them


class Decoder:
    """An attention that has seen a part of a sequence, and goes on with it, position by position.

    An attention that follows a decoder through another sequence (`uses_history`) takes its steps through all L keys;
    every other one grows with the sequence that it looks back on.

    Args:
        vectors: (B, L, D). The last steps stand at the end of them, so that no position lies beyond L.
        repeats: measurements to come.
    """

    def __init__(self, module: nn.Module, vectors: Tensor, repeats: int) -> None:
        self.vectors, turns, length = vectors.detach(), NUM_WARM_UPS + repeats, vectors.shape[1]
        self.steps = max(1, min(STEPS, (length - 1) // turns))
        self.position = max(1, length - turns * self.steps)
        with torch.no_grad():
            self.step, self.kept = _begun(module.eval(), self.vectors, self.position)

    @torch.no_grad()
    def time_once(self) -> tuple[float, float]:
        """Seconds of one step, the mean of `steps` that follow on each other, and 0 of a backward pass."""
        wait_for(self.vectors.device)
        start = time.perf_counter()
        for _ in range(self.steps):
            index = min(self.position, self.vectors.shape[1] - 1)
            self.kept = self.step(self.vectors[:, index : index + 1], self.kept)
            self.position += 1
        wait_for(self.vectors.device)
        return (time.perf_counter() - start) / self.steps, 0.0


@torch.no_grad()
def state_bytes(module: nn.Module, vectors: Tensor) -> int:
    """What is kept of vectors (B, L, D), without the room that is made for positions to come."""
    _, kept = _begun(module.eval(), vectors.detach(), vectors.shape[1])
    return sum(tensor.numel() * tensor.element_size() for tensor in _tensors(kept))


def _begun(module: nn.Module, vectors: Tensor, count: int) -> tuple[Step, Any]:
    if isinstance(module, Baseline):
        return _baseline(module, vectors, count)
    assert isinstance(module, BaseAttention)
    if module.decoders_only:
        memory = module.prepare(vectors)

        def advance(query: Tensor, kept: Any) -> Any:
            return memory, module.advance(query, memory, kept[1])[2]

        return advance, (memory, module.start(memory))

    def proceed(query: Tensor, kept: Any) -> Any:
        return module.proceed(query, kept)[2]

    kept = module.begin()
    if count > 1:
        kept = module.proceed(vectors[:, : count - 1], kept)[2]
    return proceed, proceed(vectors[:, count - 1 : count], kept)  # alone, so that a window drops what it does not need


def _baseline(module: Baseline, vectors: Tensor, count: int) -> tuple[Step, Any]:
    """A bare cache: keys and values (B, H, L, d), of which the first are used."""
    heads = [layer(vectors).unflatten(-1, (module.num_heads, -1)).transpose(1, 2) for layer in module.memory_layers]
    keys, values = (each.contiguous() for each in heads)

    def step(query: Tensor, kept: Any) -> Any:
        used = min(kept[0].shape[2] + 1, keys.shape[2])
        for layer, cache in zip(module.memory_layers, (keys, values), strict=True):
            cache[:, :, used - 1 : used] = layer(query).unflatten(-1, (module.num_heads, -1)).transpose(1, 2)
        asked = module.query(query).unflatten(-1, (module.num_heads, -1)).transpose(1, 2)
        context = F.scaled_dot_product_attention(asked, keys[:, :, :used], values[:, :, :used])
        module.output(context.transpose(1, 2).flatten(-2))
        return keys[:, :, :used], values[:, :, :used]

    return step, (keys[:, :, :count], values[:, :, :count])


def _tensors(kept: Any) -> list[Tensor]:
    """All that lie in it."""
    if isinstance(kept, Tensor):
        return [kept]
    if isinstance(kept, GrowingMemory | RollingMemory):
        return [kept.memory.keys, kept.memory.values]
    if isinstance(kept, tuple | list):
        return [tensor for each in kept for tensor in _tensors(each)]
    return _tensors(list(vars(kept).values())) if hasattr(kept, "__dict__") else []
