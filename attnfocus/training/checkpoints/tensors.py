"""Weights and optimizer states as named tensors, the form in which they are saved. No pickle anywhere.

What is saved is whole, however many processes hold parts of it, and so can be loaded into any other number of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from attnfocus.errors import CheckpointError
from attnfocus.training.distributed.shard import parted_as, whole

SEPARATOR = "/"  # between a parameter's name, which has dots, and the optimizer's name of a state


def original_module(model: nn.Module) -> nn.Module:
    """The module that torch.compile wrapped, or the model itself: their state dicts must be the same."""
    inner = getattr(model, "_orig_mod", None)
    return inner if isinstance(inner, nn.Module) else model


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Copies on the CPU; a tensor with several names (tied embeddings) once, under its first name."""
    own = original_module(model).state_dict(keep_vars=True)
    return {name: _copy(own[name]) for name, first in _first_names(model).items() if name == first}


def load_model_tensors(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Strict: every tensor of the model, and no other, in the same shape.

    Raises:
        CheckpointError: the tensors are of another architecture; names what differs.
    """
    module = original_module(model)
    own = module.state_dict()
    first_names = _first_names(model)
    require_same_shapes(tensors, saved_tensors(model))
    module.load_state_dict({name: parted_as(tensors[first], own[name]) for name, first in first_names.items()})


def saved_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The tensors of a model that a checkpoint has, as they are; of a model without numbers too."""
    own = original_module(model).state_dict()
    return {name: own[name] for name in dict.fromkeys(_first_names(model).values())}


def require_same_shapes(saved: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    """Refuses tensors of another architecture, which need not have numbers.

    Raises:
        CheckpointError: names what differs.
    """
    problems = _differences(saved, own)
    if problems:
        raise CheckpointError(
            "the checkpoint is of another model:\n  "
            + "\n  ".join(problems)
            + "\nUse the configuration that it was trained with (config.yaml in its run directory)."
        )


def optimizer_tensors(optimizer: Optimizer, model: nn.Module) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The optimizer's state as tensors `<parameter>/<state>`, and the rest as JSON.

    Hyperparameters are not part of it: they come from the configuration, and the lr from the schedule.
    """
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, float | int | None] = {}
    for name, parameter in _names(optimizer, model):
        for key, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[name + SEPARATOR + key] = _copy(value)
            else:
                numbers[name + SEPARATOR + key] = value
    return tensors, {"kind": type(optimizer).__name__, "numbers": numbers}


def load_optimizer_tensors(
    optimizer: Optimizer, model: nn.Module, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]
) -> None:
    """Puts a state back into an optimizer of the same kind over the same model.

    Raises:
        CheckpointError: it is the state of another optimizer.
    """
    kind = type(optimizer).__name__
    if rest.get("kind") != kind:
        raise CheckpointError(
            f"optimizer: the checkpoint holds a state of {rest.get('kind')}, the configuration asks for {kind}. "
            "Resume with the optimizer of the run."
        )
    index = {name: number for number, (name, _) in enumerate(_names(optimizer, model))}
    parameters = dict(_names(optimizer, model))
    states = {**rest.get("numbers", {}), **tensors}
    require_optimizer_shapes(optimizer, model, states)
    state: dict[int, dict[str, Any]] = {}
    for full_name, value in states.items():
        name, _, key = full_name.rpartition(SEPARATOR)
        has_shape = isinstance(value, Tensor) and value.ndim
        state.setdefault(index[name], {})[key] = parted_as(value, parameters[name]) if has_shape else value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def require_optimizer_shapes(optimizer: Optimizer, model: nn.Module, states: Mapping[str, Any]) -> None:
    """Refuses a state of another model, the tensors of which need not have numbers.

    Raises:
        CheckpointError: names the first that does not belong to the model.
    """
    parameters = dict(_names(optimizer, model))
    for full_name, value in states.items():
        name = full_name.rpartition(SEPARATOR)[0]
        has_shape = isinstance(value, Tensor) and value.ndim
        if name not in parameters or (has_shape and value.shape != parameters[name].shape):
            raise CheckpointError(f"optimizer: the checkpoint's state {full_name} does not belong to this model.")


def _copy(tensor: Tensor) -> Tensor:
    return whole(tensor.detach()).to("cpu", copy=True).contiguous()


def _first_names(model: nn.Module) -> dict[str, str]:
    """For each name in the state dict, the first name of the same tensor."""
    first: dict[int, str] = {}
    own = original_module(model).state_dict(keep_vars=True)
    return {name: first.setdefault(id(tensor), name) for name, tensor in own.items()}


def _names(optimizer: Optimizer, model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Names of the optimizer's parameters in the order in which torch numbers them."""
    names = {id(parameter): name for name, parameter in original_module(model).named_parameters()}
    return [(names[id(parameter)], parameter) for group in optimizer.param_groups for parameter in group["params"]]


def _differences(saved: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    """At most three lines on what differs."""
    lines = []
    for title, names in (
        ("only in the checkpoint", [name for name in saved if name not in own]),
        ("only in this model", [name for name in own if name not in saved]),
    ):
        if names:
            lines.append(f"{title}: {', '.join(names[:3])}" + (f" and {len(names) - 3} more" if len(names) > 3 else ""))
    shapes = [
        f"{name} is {_describe(saved[name])}, here {_describe(own[name])}"
        for name in own
        if name in saved and _describe(saved[name]) != _describe(own[name])
    ]
    if shapes:
        lines.append("; ".join(shapes[:3]) + (f" and {len(shapes) - 3} more" if len(shapes) > 3 else ""))
    return lines


def _describe(tensor: Tensor) -> str:
    shape = "x".join(str(size) for size in tensor.shape) or "a number"
    return shape if tensor.dtype == torch.float32 else f"{shape} {str(tensor.dtype).removeprefix('torch.')}"
