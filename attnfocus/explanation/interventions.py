"""What the parts of a model say while it reads, noted, and other values put in their place.

A part is what the heads of an attention give (B, H, Q, d), its weights (B, H, Q, K), or the states after a layer
(B, L, D): of a recurrent layer those that it goes on from, hidden state and cell. All of it is for a model of one's
own (`tasks.probe.own_copy`): another thread's calls would be met, too.

Shapes: B rows, H heads, Q queries, K keys, d size of one head, L positions, D size of a state; P positions of any of
these: the last but one axis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from attnfocus.attention import changed_heads, replaced_weights
from attnfocus.attention.role import Axis
from attnfocus.models.base import Layer, Model
from attnfocus.models.recurrent import Recurrence

Kind = Literal["heads", "weights", "states"]
Change = Callable[[Tensor], Tensor]


class Part(NamedTuple):
    """Something of a model that can be noted and changed.

    Attributes:
        kind: what the heads of an attention give; its weights; the states after a layer.
        name: of the attention, or of the layer; of a recurrent one with its number or direction.
        axis: the sequence along its positions.
        is_backward: its values come from the last position on.
    """

    kind: Kind
    name: str
    axis: Axis
    is_backward: bool = False


def parts_of(model: Model, kind: Kind) -> list[Part]:
    """The parts of one kind, in the order of the model; of weights those alone that contexts are made of."""
    places, attentions = {place.name: place for place in model.places()}, model.attentions()
    if kind == "states":
        axes = {name: place.queries for name, place in places.items() if place.kind == "self"}
        found = []
        for path, module in model.named_modules():
            axis = next((axes[name] for name in axes if f"{name}.".startswith(f"{path}.")), None)
            if isinstance(module, Layer) and axis is not None:
                found.append(Part("states", path, axis))
            elif isinstance(module, Recurrence):
                for state, is_backward in module.state_names.items():
                    found.append(Part("states", f"{path}.{state}", module.axis, is_backward))
        return found
    names = [name for name in places if name in attentions]
    if kind == "weights":
        names = [name for name in names if attentions[name].weights_can_be_replaced]
    return [Part(kind, name, places[name].queries) for name in names]


@contextmanager
def changed(model: Model, part: Part, change: Change) -> Iterator[None]:
    """Within, the model goes on with `change(values)` where the part gives values. A decoder asks step by step."""
    if part.kind == "states":
        with _changed_states(model, part.name, change):
            yield
        return
    make = changed_heads if part.kind == "heads" else replaced_weights
    with make(model.attentions()[part.name], change):
        yield


@contextmanager
def _changed_states(model: Model, name: str, change: Change) -> Iterator[None]:
    path, _, last = name.rpartition(".")
    owner = model.get_submodule(path)
    if not isinstance(owner, Recurrence):
        with changed_output(owner.get_submodule(last), change):
            yield
        return
    owner.state_changes[last] = change
    try:
        yield
    finally:
        del owner.state_changes[last]


@contextmanager
def changed_output(module: nn.Module, change: Change) -> Iterator[None]:
    """Within, the module gives `change(output)`; of several outputs the first is changed."""

    def put(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        if isinstance(output, Tensor):
            return change(output)
        states, *rest = output
        return type(output)(change(states), *rest) if hasattr(output, "_fields") else (change(states), *rest)

    handle = module.register_forward_hook(put)
    try:
        yield
    finally:
        handle.remove()


class Noted:
    """Notes the values of a part, and leaves them as they are."""

    def __init__(self) -> None:
        self._parts: list[Tensor] = []

    def __call__(self, values: Tensor) -> Tensor:
        self._parts.append(values.detach())
        return values

    @property
    def values(self) -> Tensor:
        """All of them, those of single steps one after another: (B, ..., P, any)."""
        return torch.cat(self._parts, dim=-2)


class Put:
    """Puts given values (1 or B, ..., P, any) at the chosen places (B, ..., P); the others stay as they are."""

    def __init__(self, values: Tensor, chosen: Tensor) -> None:
        self._values, self._chosen, self._given = values, chosen, 0

    def __call__(self, own: Tensor) -> Tensor:
        first, self._given = self._given, self._given + own.shape[-2]
        part = slice(first, self._given)
        return torch.where(self._chosen[..., part, None], self._values[..., part, :].to(own.dtype), own)
