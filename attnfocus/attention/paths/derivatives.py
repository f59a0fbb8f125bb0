"""Fused kernels have no gradients of their gradients: their path is left where that can be known, or else says so."""

from typing import Any

import torch
from torch import Tensor

_KERNELS = ("ScaledDotProduct", "FlexAttention", "CompiledFunction")  # how the names of their nodes begin
_STEPS = 3  # between a kernel and its result: the cut of a padding, a view


def second_order() -> bool:
    """Whether the call stands inside two derivatives of `torch.func`. Those of `backward` are not known beforehand."""
    if not torch._C._are_functorch_transforms_active():
        return False
    kinds = torch._C._functorch.TransformType
    stack = torch._C._functorch.get_interpreter_stack() or ()
    return sum(level.key() in (kinds.Grad, kinds.Jvp) for level in stack) > 1


def once(context: Tensor, path: str) -> Tensor:
    """The result of a kernel. Whoever wants gradients of its gradients is told which path has them.

    Raises:
        RuntimeError: later, when gradients of gradients reach the kernel.
    """
    if torch.compiler.is_compiling() or context.grad_fn is None:
        return context
    node: Any = context.grad_fn
    for _ in range(0 if context.device.type == "cpu" else _STEPS):
        if node is None or node.name().startswith(_KERNELS):
            break
        node = node.next_functions[0][0] if node.next_functions else None
    if node is not None and node.name().startswith(_KERNELS):
        node.register_hook(lambda gradients, _: _refusing(gradients, path))
    return context


def _refusing(gradients: tuple[Tensor | None, ...], path: str) -> tuple[Tensor | None, ...] | None:
    """Gradients of a kernel, of which there are no gradients; None: nobody could ask for any."""
    if not torch.is_grad_enabled():
        return None
    return tuple(None if gradient is None else _Refusal.apply(gradient, path) for gradient in gradients)


class _Refusal(torch.autograd.Function):
    """The gradient itself; going back through it is refused."""

    generate_vmap_rule = True

    @staticmethod
    def forward(gradient: Tensor, path: str) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.path = inputs[1]

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> Any:
        raise RuntimeError(
            f"gradients of gradients are asked for, and the fused kernel of path={ctx.path} has none. "
            "Use path=plain (attention.path=plain), which has."
        )
