"""Which path each attention of a run takes, and why: found before the first step, told once."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from attnfocus.attention import BaseAttention, Call, PathChoice

MAX_NAMES = 3  # of attentions that share a path, in a line


def attention_paths(
    build: Callable[[], nn.Module], run: Callable[[nn.Module], Any], device: torch.device
) -> dict[str, PathChoice]:
    """The choice of each attention of a model, by its place in the model.

    The model is built once more on the meta device, where tensors have sizes and no numbers, and runs there: that costs
    no memory, no random number and next to no time. Each attention is asked, with the sizes that it meets, as if it
    were on the run's device.

    Args:
        build: makes the model on the device of the context.
        run: one training step of the model on the meta device, with the sizes of a real batch.
        device: where the run trains.
    """
    with torch.device("meta"):
        model = build()
    attentions = {name: module for name, module in model.named_modules() if isinstance(module, BaseAttention)}
    asked = {name: module.chosen_path for name, module in attentions.items()}
    found: dict[str, PathChoice] = {}
    for name, module in attentions.items():
        module.chosen_path = _told(name, asked[name], found, device)  # type: ignore[assignment, method-assign]
    # A model of the user's own may need numbers; what else is wrong, the first step will say.
    with suppress(Exception), torch.no_grad():
        run(model.train())
    # An attention that was not reached, or that never asks, is asked without sizes.
    return {_place(name): found.get(name) or asked[name](Call(device=device.type)) for name in attentions}


def _told(
    name: str, choose: Callable[[Call | None], PathChoice], found: dict[str, PathChoice], device: torch.device
) -> Callable[[Call | None], PathChoice]:
    """`chosen_path`, which notes the first choice for the run's device, and lets the meta device go the plain way."""

    def chosen_path(call: Call | None = None) -> PathChoice:
        call = replace(Call() if call is None else call, device=device.type)
        found.setdefault(name, choose(call))
        return PathChoice("plain", "there is nothing to compute")

    return chosen_path


def _place(name: str) -> str:
    """`layers.0` of `layers.0.attention`."""
    return name.removesuffix(".attention")


def path_lines(choices: Mapping[str, PathChoice]) -> list[str]:
    """A line for each distinct choice, with the attentions that made it where there are several choices."""
    places: dict[PathChoice, list[str]] = {}
    for place, choice in choices.items():
        places.setdefault(choice, []).append(place)
    return [
        f"attention path {choice.name}{_names(of_choice) if len(places) > 1 else ''}: {choice.reason}"
        for choice, of_choice in places.items()
    ]


def _names(places: Sequence[str]) -> str:
    more = f" and {len(places) - MAX_NAMES} more" if len(places) > MAX_NAMES else ""
    return f" ({', '.join(places[:MAX_NAMES])}{more})"
