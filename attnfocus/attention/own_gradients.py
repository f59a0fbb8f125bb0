"""Functions with gradients of their own, written out, and the plain form beside them that has all derivatives."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Plain = Callable[..., Tensor]


def possible() -> bool:
    """Whether a call may take such a function: not where torch traces it, or where `torch.func` is at work."""
    return not (torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active())


def by_plain(plain: Plain, inputs: Sequence[Tensor], gradient: Tensor) -> tuple[Tensor | None, ...]:
    """Gradients of the tensors that have any, by the plain form: for whoever wants gradients of gradients.

    Args:
        plain: computes the same, by operations that torch can differentiate, of copies of the inputs.
        inputs: what it is given.
        gradient: of its result.
    """
    wanted = [tensor for tensor in inputs if tensor.requires_grad]
    with torch.enable_grad():
        result = plain(*inputs)
    found = iter(torch.autograd.grad(result, wanted, gradient, create_graph=True))
    return tuple(next(found) if tensor.requires_grad else None for tensor in inputs)
