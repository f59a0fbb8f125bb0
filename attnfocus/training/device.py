"""Where and in which precision a run computes."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from attnfocus.errors import ConfigError, Problem
from attnfocus.limits import DEVICES

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_device(name: str) -> torch.device:
    """The device called `name`; `auto` takes cuda, then mps, then cpu. `cuda:1` names one of several.

    Of several processes on a machine (torchrun's LOCAL_RANK) each takes its own GPU.

    Raises:
        ConfigError: there is no such device here.
    """
    kind, _, index = name.partition(":")
    if kind not in DEVICES or (index and (kind != "cuda" or not index.isdecimal())):
        raise ConfigError(f"device: must be one of {', '.join(DEVICES)}, or cuda:1 for the second GPU, got {name}.")
    has_cuda, has_mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if kind == "auto":
        kind = name = "cuda" if has_cuda else "mps" if has_mps else "cpu"
    if (kind == "cuda" and not has_cuda) or (kind == "mps" and not has_mps):
        here = "cuda" if has_cuda else "mps" if has_mps else "cpu"
        raise ConfigError(Problem(f"device: {name}: {_why_not(kind)} Use device={here}.", "device", [f"device={here}"]))
    if kind == "cuda" and not index and "LOCAL_RANK" in os.environ:
        index = os.environ["LOCAL_RANK"]
        name = f"cuda:{index}"
    if index and int(index) >= torch.cuda.device_count():
        raise ConfigError(
            f"device: {name} was given or is this process's own, but there are {torch.cuda.device_count()} GPUs, "
            "counted from 0. Start as many processes as there are GPUs, or use device=cpu."
        )
    return torch.device(name)


def _why_not(kind: str) -> str:
    """Why a kind of device is not there."""
    if kind == "mps":
        return "this PyTorch finds no GPU of Apple (mps)."
    if torch.version.cuda is None:
        return "this PyTorch was installed without CUDA, so it uses no NVIDIA GPU; `attnfocus doctor` shows more."
    return (
        "this PyTorch finds no NVIDIA GPU: there is none, or its driver is missing or too old; `attnfocus doctor` "
        "shows more."
    )


class Precision:
    """Mixed precision of a run: the forward pass under autocast, and with fp16 a scaled loss.

    Micikevicius et al. 2018, sections 3.1 and 3.2, arXiv:1710.03740. Weights and optimizer states stay float32.

    Raises:
        ConfigError: the device cannot do it.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        if name == "fp16" and device.type != "cuda":
            raise ConfigError(f"trainer.precision: fp16 needs device=cuda, the device is {device.type}. Use bf16.")
        if name == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
            raise ConfigError("trainer.precision: this GPU has no bf16. Use fp16 or float32.")
        self.device = device
        self.dtype = _DTYPES.get(name)
        self.scaler = torch.amp.GradScaler(device.type) if name == "fp16" else None

    def require(self, model: nn.Module) -> None:
        """Refuses a model whose layers the device does not compute in this precision; it may be without numbers.

        Raises:
            ConfigError: it has an LSTM, and the CPU lacks the instructions.
        """
        if self.device.type != "cpu" or self.dtype is None or not any(isinstance(m, nn.LSTM) for m in model.modules()):
            return
        if not cpu_lstms_take(self.dtype):
            text = (
                "trainer.precision: got bf16, but this CPU computes no LSTM in bfloat16. Here it must be float32. Or "
                "use device=cuda, or a model without LSTMs (model.cell=gru)."
            )
            raise ConfigError(Problem(text, "trainer.precision", ["trainer.precision=float32"]))

    def autocast(self) -> AbstractContextManager[object]:
        return nullcontext() if self.dtype is None else torch.autocast(self.device.type, dtype=self.dtype)

    def for_update(self) -> AbstractContextManager[object]:
        """Within, on a CPU, each weight is rounded once, however many micro-batches there are.

        Autocast keeps what it has rounded until the outermost of its contexts ends; weights must not change in it.
        """
        return self.autocast() if self.device.type == "cpu" else nullcontext()

    def backward(self, loss: Tensor) -> None:
        with torch.autocast(self.device.type, enabled=False) if self.dtype else nullcontext():
            (loss if self.scaler is None else self.scaler.scale(loss)).backward()

    def unscale(self, optimizer: Optimizer) -> None:
        """Gives the gradients their true size; before they are measured and clipped."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)

    def update(self, optimizer: Optimizer) -> None:
        """One optimizer step."""
        if self.scaler is None:
            optimizer.step()
        else:
            self.scaler.step(optimizer)
            self.scaler.update()

    def leave_out(self, *, has_overflowed: bool = False) -> None:
        """After gradients that are not applied, or were not finished: the scaler is ready for the next ones.

        Args:
            has_overflowed: they were too large for the scale, which is lowered.
        """
        if self.scaler is None:
            return
        self.scaler.scale(torch.zeros((), device=self.device))  # makes the scale, if nothing was scaled yet
        scale = self.scaler.get_scale()
        self.scaler.update(scale * self.scaler.get_backoff_factor() if has_overflowed else scale)
        if has_overflowed:
            self.scaler.load_state_dict({**self.scaler.state_dict(), "_growth_tracker": 0})


def cpu_bf16() -> tuple[str, ...]:
    """The instructions with which this CPU multiplies bfloat16; none: it is emulated, and slower than float32."""
    found = {"amx": torch.cpu._is_amx_tile_supported(), "avx512_bf16": torch.cpu._is_avx512_bf16_supported()}
    return (*(name for name, is_there in found.items() if is_there), *_arm_bf16())


def _arm_bf16() -> tuple[str, ...]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:  # no Linux
        return ()
    features = {word for line in lines if line.startswith("Features") for word in line.split()}
    return ("bf16",) if "bf16" in features else ()


def emulation_warning(precision: str, device: torch.device) -> str | None:
    """What to say of a precision that the device only emulates."""
    if precision != "bf16" or device.type != "cpu" or cpu_bf16():
        return None
    return (
        "trainer.precision=bf16: this CPU has no instructions for it (avx512_bf16, AMX), so that it is emulated, and "
        "slower than float32. Use trainer.precision=float32 here."
    )


@cache
def cpu_lstms_take(dtype: torch.dtype) -> bool:
    """Whether LSTMs compute in a half precision on this CPU: oneDNN does it only where the CPU has the instructions.

    No table of CPUs says it, so one is tried. Random numbers stay as they are.
    """
    with torch.random.fork_rng(devices=()):
        lstm = nn.LSTM(4, 4)
    try:
        with torch.no_grad(), torch.autocast("cpu", dtype):
            lstm(torch.zeros(2, 1, 4))
    except RuntimeError:
        return False
    return True
