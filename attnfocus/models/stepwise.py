"""A linear layer that is applied step by step, and whose weight gradient is made for all steps at once.

Shapes: N rows, T steps, I input width, O output width.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from attnfocus.attention import GrowingMemory, RollingMemory, RunningSums


def product_dtype(tensor: Tensor) -> torch.dtype:
    """What a matrix product with this tensor is computed in, autocast considered."""
    device = tensor.device.type
    if device == "meta" or not torch.is_autocast_enabled(device):  # autocast knows no meta device
        return tensor.dtype
    return torch.get_autocast_dtype(device)


class StepwiseLinear:
    """y_t = W x_t + a_t, for steps whose inputs follow from earlier outputs; made anew for each pass over a sequence.

    Autograd alone would make and add up a gradient of W (O, I) at every step: T thin products of (O, N) and (N, I), and
    T sums over a large matrix. Here the steps note what they saw, and one product of (O, T N) and (T N, I) follows when
    the backward pass has gone through all of them.
    """

    def __init__(self, weight: Tensor) -> None:
        weight = weight.to(product_dtype(weight))
        self.weight = weight
        self._tape = _Tape(weight.detach())
        # A compiler makes its own plan, and without gradients there is nothing to save.
        self._records = torch.is_grad_enabled() and weight.requires_grad and not torch.compiler.is_compiling()
        self._end: Tensor | None = _AllSteps.apply(weight, self._tape) if self._records else None

    def __call__(self, inputs: Tensor, added: Tensor | None = None) -> Tensor:
        """(N, I) and, to be added, (N, O) or (O,) -> (N, O)."""
        if not self._records:
            outputs = F.linear(inputs, self.weight)
            return outputs if added is None else outputs + added
        inputs = inputs.to(self.weight.dtype)
        followed: Tensor = _OneStep.apply(inputs, added, self._end, self._tape)
        return followed


class _Tape:
    """What the steps saw: an input forward, the gradient of its output backward."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight
        self.inputs: list[Tensor] = []  # without their graphs
        self.gradients: dict[int, Tensor] = {}  # a step that the loss does not depend on has none


class _OneStep(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, added: Tensor | None, end: Tensor, tape: _Tape) -> Tensor:
        ctx.tape, ctx.number = tape, len(tape.inputs)
        ctx.added_shape = None if added is None else added.shape
        tape.inputs.append(inputs.detach())  # with its graph it would hold this very step, and neither would be freed
        weight = tape.weight.t()
        return inputs @ weight if added is None else torch.addmm(added, inputs, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor, None]:
        ctx.tape.gradients[ctx.number] = gradient
        of_inputs = gradient @ ctx.tape.weight if ctx.needs_input_grad[0] else None
        of_added = gradient.sum_to_size(ctx.added_shape) if ctx.needs_input_grad[1] else None
        return of_inputs, of_added, gradient.new_zeros(()), None


class _AllSteps(torch.autograd.Function):
    """Gives every step a number to depend on, so that its own backward pass comes after theirs."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, tape: _Tape) -> Tensor:
        ctx.tape = tape
        return weight.new_zeros(())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        tape = ctx.tape
        numbers = sorted(tape.gradients)
        outputs = torch.cat([tape.gradients[number] for number in numbers])  # (T N, O)
        tape.gradients.clear()
        return outputs.t() @ torch.cat([tape.inputs[number] for number in numbers]), None


def select_rows(tree: Any, index: Tensor) -> Any:
    """The rows `index` of every tensor (its first axis) and memory in a tree of (named) tuples; None stays None."""
    if tree is None:
        return None
    if isinstance(tree, Tensor):
        return tree.index_select(0, index)
    if isinstance(tree, GrowingMemory | RollingMemory | RunningSums):
        return tree.rows(index)
    if isinstance(tree, tuple):
        rows = [select_rows(branch, index) for branch in tree]
        return type(tree)(*rows) if hasattr(tree, "_fields") else tuple(rows)
    raise TypeError(f"rows can be taken of tensors and tuples of them, not of {type(tree).__name__}")
