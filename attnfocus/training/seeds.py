"""Randomness as a function of (seed, step), so that any step can be replayed without a saved generator state."""

import os
import random

import numpy as np
import torch

_MASK = (1 << 64) - 1


def mix(*numbers: int) -> int:
    """64 well-spread bits from a few integers (the finalizer of SplitMix64, Steele et al. 2014, figure 13).

    Spread matters: torch's generator on CPU looks at the lower 32 bits only, where plain sums would collide.
    """
    state = 0
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


def seed_everything(seed: int, *, deterministic: bool = False) -> None:
    """Seeds Python, NumPy and torch; before the model is built, so that its first weights follow from the seed.

    Args:
        deterministic: let torch use only algorithms that give the same bits each time. CPU kernels all do; on CUDA it
            costs speed, and must be asked for before the first use of the GPU.
    """
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    torch.manual_seed(seed)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if deterministic != torch.are_deterministic_algorithms_enabled():  # saying it loads torch's compiler (1 s)
        torch.use_deterministic_algorithms(deterministic)


def seed_step(seed: int, step: int, micro_step: int = 0, device: torch.device | None = None) -> None:
    """Seeds torch's generators (CPU and that of `device`) for one micro-batch of one step.

    Not `torch.manual_seed`, which formats a stack trace at each call while CUDA is unused.
    """
    value = mix(seed, step, micro_step)
    torch.default_generator.manual_seed(value)
    if device is not None and device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(value)
    elif device is not None and device.type == "mps":
        torch.mps.manual_seed(value)
