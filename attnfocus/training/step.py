"""One optimizer step: gradients from micro-batches, and what is done with them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from attnfocus.attention.precision import scores_as
from attnfocus.errors import RunError
from attnfocus.tasks.base import StepOutput, Task
from attnfocus.training.device import Precision
from attnfocus.training.distributed.processes import Processes
from attnfocus.training.distributed.shard import whole
from attnfocus.training.options import TrainerOptions
from attnfocus.training.protocols import TrainBatch
from attnfocus.training.seeds import seed_step


class Gradients(NamedTuple):
    """What a step's forward and backward passes gave."""

    loss: float  # over all targets, without the penalties
    norm: float  # of all gradients together, before clipping
    norm_tensor: Tensor
    num_targets: int
    num_words: int
    penalties: Mapping[str, float]  # of regularizers, as they were added to the loss
    is_own_finite: bool  # this process's share of the loss and the penalties

    @property
    def is_finite(self) -> bool:
        return all(map(math.isfinite, (self.loss, self.norm, *self.penalties.values())))


@contextmanager
def _compiling() -> Iterator[None]:
    """Says in a line what torch.compile says in thousands.

    Raises:
        RunError: the model, or its gradient, cannot be compiled.
    """
    try:
        yield
    except RuntimeError as error:
        if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        reason = str(error).strip().splitlines()[0][:300]
        raise RunError(f"trainer.compile=true: torch.compile failed ({reason}). Use trainer.compile=false.") from error


class Stepper:
    """Makes gradients, then applies or drops them.

    Args:
        model: what is trained, on the device of `precision`.
        optimizer: holds its parameters, with the lr that `factor` multiplies.
        processes: those that each compute a share of every batch.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        optimizer: Optimizer,
        options: TrainerOptions,
        precision: Precision,
        processes: Processes,
    ) -> None:
        self.task, self.optimizer, self.options, self.device = task, optimizer, options, precision.device
        self.precision, self.processes = precision, processes
        shared = processes.wrapped(model)
        self.model = cast(nn.Module, torch.compile(shared)) if options.compile else shared
        self.parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self.base_lrs = [float(group["lr"]) for group in optimizer.param_groups]

    def gradients(self, batches: Sequence[TrainBatch], seed: int, step: int) -> Gradients:
        """Of the sum of the batches' losses over all of their targets, in all processes."""
        size, rank = self.processes.size, self.processes.rank
        real = [batch for batch in batches if batch.is_real]
        own = sum(self.task.num_targets(cast(Any, batch)) for batch in real), sum(batch.num_words for batch in real)
        num_targets, num_words = self.processes.summed(torch.tensor(own)).tolist()  # its task knows its kind
        losses = []
        with self.precision.for_update():
            for index, batch in enumerate(batches):
                share = float(batch.is_real) / max(1, num_targets)
                is_last = index + 1 == len(batches)
                seed_step(seed, step, index * size + rank, self.device)
                with nullcontext() if is_last else self.processes.accumulating(self.model):
                    output = self._backward(batch, step, share * size)  # of which the processes take the mean
                sums = torch.stack([output.loss_sum.detach(), *(each.detach() for each in output.penalties.values())])
                losses.append(sums * share)
        self.precision.unscale(self.optimizer)
        grads = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(grads)
        # The step's only wait for the device: what is not finite must be known before it reaches the weights.
        own_means = torch.stack(losses).sum(dim=0).float()
        is_finite = own_means.isfinite().all().float().unsqueeze(0)
        means = self.processes.summed(own_means)
        numbers = torch.cat([is_finite, means, whole(norm).to(self.device).float().unsqueeze(0)]).tolist()
        is_own_finite, loss, *penalties, norm_value = numbers
        by_name = dict(zip(output.penalties, penalties, strict=True))
        return Gradients(loss, norm_value, norm, num_targets, num_words, by_name, bool(is_own_finite))

    def _backward(self, batch: TrainBatch, step: int, factor: float) -> StepOutput:
        """Adds the gradients of a micro-batch's loss times the factor."""
        with _compiling(), self.precision.autocast(), scores_as(self.options.half_scores):
            output = self.task.step(cast(Any, self.model), batch.to(self.device), step)
            total = output.total * factor
        with _compiling():
            self.precision.backward(total)
        return output

    def apply(self, gradients: Gradients, factor: float) -> None:
        """Clips, and updates the weights with a share `factor` of the lr."""
        self.set_lr(factor)
        clip_norm = self.options.clip_norm
        if clip_norm is not None and clip_norm < gradients.norm < math.inf:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, clip_norm, gradients.norm_tensor)
        self.precision.update(self.optimizer)
        self.optimizer.zero_grad()

    def set_lr(self, factor: float) -> None:
        for group, lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = lr * factor

    def drop(self, *, has_overflowed: bool = False) -> None:
        """Forgets the gradients, also of a step that failed half-way.

        Args:
            has_overflowed: the loss was fine, its scaled gradients too large for fp16: the scale is lowered.
        """
        self.optimizer.zero_grad()
        self.precision.leave_out(has_overflowed=has_overflowed)
