"""One run in several processes: who this one is, what they tell each other, and how a job ends when one of them does.

The engine is PyTorch's: torchrun starts the processes, torch.distributed connects them, DDP or FSDP2 shares the work.
A process alone is the case of one, so that nothing else asks how many there are.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import torch
from torch import Tensor, nn

from attnfocus.errors import ConfigError, RunError
from attnfocus.limits import NonNegativeInt, NumProcesses, PositiveFloat
from attnfocus.training.distributed.shard import replicated, shard

_LOST = re.compile(
    r"gloo|NCCL|connection (was )?(closed|reset|refused)|broken pipe|process ?group|TCPStore|socket timeout",
    re.IGNORECASE,
)


_FAILED = "attnfocus/failed"  # in the store: the rank that tells why


@dataclass(frozen=True, kw_only=True)
class DistributedOptions:
    """The section `distributed`. The comments in `configs/distributed/` say the same to the user.

    Raises:
        ConfigError: a number of processes without a strategy.
    """

    strategy: Literal["ddp", "fsdp"] | None = None
    num_processes: NumProcesses | None = None
    max_restarts: NonNegativeInt = 0
    timeout_seconds: PositiveFloat = 600.0

    def __post_init__(self) -> None:
        if self.strategy is None and self.num_processes is not None:
            raise ConfigError(
                "distributed.num_processes: several processes need a way to share the work. Add distributed=ddp."
            )


class PeerLeftError(RunError):
    """Another process of the job has ended, so that this one cannot go on. What ended it is told elsewhere."""


class Processes:
    """All processes of a run; here the only one. `rank` counts from 0; the first writes and speaks for all."""

    rank = 0
    size = 1
    holds_part = False  # of the model, which none of them has whole

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    @property
    def is_orphan(self) -> bool:
        """Whether the agent that has started this process has died."""
        return False

    def divide(self, model: nn.Module) -> None:
        """Leaves a part of the model here, in place, where no process is to hold all of it; before its optimizer."""

    def wrapped(self, model: nn.Module) -> nn.Module:
        """The model whose gradients are means over the processes."""
        return model

    def accumulating(self, model: nn.Module) -> AbstractContextManager[object]:
        """Around the passes of a micro-batch that is not the step's last: gradients stay here, to be added to."""
        return nullcontext()

    def summed(self, values: Tensor) -> Tensor:
        """The sum over the processes, the same bits in each."""
        return values

    def largest(self, values: Sequence[float]) -> list[float]:
        """The largest of each of some numbers over the processes."""
        return list(values)

    def shared(self, make: Callable[[], str]) -> str:
        """What `make` gives in the first process, where alone it is called, in all of them."""
        return make()

    def gathered(self, content: Callable[[], bytes]) -> list[bytes] | None:
        """In the first process what each has given, in order, of two processes or more; None in others and alone."""
        return None

    def note(self, key: str, value: str) -> None:
        """Remembers something for this job should all of its processes be started anew."""

    def noted(self, key: str) -> str | None:
        """What an earlier start of this job has noted."""
        return None

    def explained(self, error: Exception) -> RunError | None:
        """What to raise in place of an error of the engine; None for all others."""
        return None


class Group(Processes):
    """The processes that torchrun, or anything that sets its variables, has started.

    Args:
        device: this process's own.
        strategy: how they share a step.
        timeout_seconds: the longest wait for another process.
    """

    def __init__(self, device: torch.device, strategy: str, timeout_seconds: float) -> None:
        from torch import distributed

        self._torch: Any = distributed
        self.device, self.holds_part = device, strategy == "fsdp"
        self._parent, self._timeout_seconds = os.getppid(), timeout_seconds
        if device.type == "cuda":
            torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        timeout = timedelta(seconds=timeout_seconds)
        with self._talking():
            # One store outlives all starts of a job: without the prefix processes would look for those of the last.
            self._job_store, self.rank, self.size = next(self._torch.rendezvous("env://", timeout=timeout))
            self._store = self._torch.PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), self._job_store)
            distributed.init_process_group(
                backend, store=self._store, rank=self.rank, world_size=self.size, timeout=timeout
            )

    @property
    def is_orphan(self) -> bool:
        return "TORCHELASTIC_RUN_ID" in os.environ and os.getppid() != self._parent

    def divide(self, model: nn.Module) -> None:
        if self.holds_part:
            with self._talking():
                shard(model, self.device, self.size)

    def wrapped(self, model: nn.Module) -> nn.Module:
        if self.holds_part:
            return model
        with self._talking():
            return replicated(model, self.device)

    def accumulating(self, model: nn.Module) -> AbstractContextManager[object]:
        network: Any = model
        return _without_reduction(network) if self.holds_part else network.no_sync()

    def summed(self, values: Tensor) -> Tensor:
        with self._talking():
            self._torch.all_reduce(values)
        return values

    def largest(self, values: Sequence[float]) -> list[float]:
        found = torch.tensor(list(values), dtype=torch.float64)
        with self._talking():
            self._torch.all_reduce(found, op=self._torch.ReduceOp.MAX)
        return found.tolist()

    def shared(self, make: Callable[[], str]) -> str:
        content = _as_tensor(make().encode() if self.is_first else b"")
        size = torch.tensor(len(content) + 1 if self.is_first else 0)
        with self._talking():
            self._torch.broadcast(size, src=0)
            if not int(size):  # what was here before: the first one was killed, and gloo does not always say so
                raise RuntimeError("Connection closed by peer: nothing came of the first process")
            if not self.is_first:
                content = torch.empty(int(size) - 1, dtype=torch.uint8)
            if len(content):
                self._torch.broadcast(content, src=0)
        return content.numpy().tobytes().decode()

    def gathered(self, content: Callable[[], bytes]) -> list[bytes] | None:
        own = _as_tensor(content())
        sizes = torch.zeros(self.size, dtype=torch.int64)
        sizes[self.rank] = len(own)
        found = [own]
        with self._talking():
            self._torch.all_reduce(sizes)
            if not self.is_first:
                self._torch.send(own, dst=0)
                return None
            for rank in range(1, self.size):
                found.append(torch.empty(int(sizes[rank]), dtype=torch.uint8))
                self._torch.recv(found[-1], src=rank)
        return [each.numpy().tobytes() for each in found]

    def explained(self, error: Exception) -> RunError | None:
        if isinstance(error, RuntimeError) and "Expected to have finished reduction" in str(error):
            return RunError(
                "a part of the model took no part in the loss, so that the processes cannot agree on its gradient. "
                "Let every parameter count in every batch, or freeze it (requires_grad=False)."
            )
        if isinstance(error, RuntimeError) and _LOST.search(str(error)):
            return self._lost(error)
        return None

    @contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise self._lost(error) from error

    def _lost(self, error: RuntimeError) -> PeerLeftError:
        line = (str(error).strip().splitlines() or [""])[0][:300]
        if "timed out" in line.lower():
            waited = f"{self._timeout_seconds:g} s (distributed.timeout_seconds)"
            return PeerLeftError(f"another process has not answered for {waited}: {line}")
        return PeerLeftError(f"the connection to another process of the job is lost: {line}")

    def note(self, key: str, value: str) -> None:
        with self._talking():
            self._job_store.set(f"attnfocus/{key}", value)

    def noted(self, key: str) -> str | None:
        with self._talking():
            if not self._job_store.check([f"attnfocus/{key}"]):
                return None
            value: bytes = self._job_store.get(f"attnfocus/{key}")
        return value.decode()

    def claim(self, wait_seconds: float = 0.0) -> bool:
        """Whether this process tells the error that ends the job: the first that asks.

        Args:
            wait_seconds: for others, whose error is more likely to be the cause.
        """
        try:
            deadline = time.monotonic() + wait_seconds
            while time.monotonic() < deadline and not self._store.check([_FAILED]):
                time.sleep(0.1)
            told: bytes = self._store.compare_set(_FAILED, "", str(self.rank))
        except RuntimeError:  # the store was the first process's, and has gone with it
            return not wait_seconds
        return told == str(self.rank).encode()

    def close(self) -> None:
        self._torch.destroy_process_group()


@contextmanager
def _without_reduction(model: Any) -> Iterator[None]:
    model.set_requires_gradient_sync(False)
    try:
        yield
    finally:
        model.set_requires_gradient_sync(True)


def _as_tensor(content: bytes) -> Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else torch.empty(0, dtype=torch.uint8)
