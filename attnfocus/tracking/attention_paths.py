"""Which path each attention of a run takes, and why: seen in the first step, told once."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from attnfocus.attention import BaseAttention, Call, PathChoice
from attnfocus.events import FirstStepDone, Listener, Progress

MAX_NAMES = 3  # of attentions that share a path, in a line


class TakenPaths(Listener):
    """Tells how the attentions compute, after the first step, and later what has gone another way by then.

    Args:
        model: what is trained.
        device: where.
        tell: called with the choices that are new, by the attention's place in the model.
    """

    def __init__(
        self, model: nn.Module, device: torch.device, tell: Callable[[Mapping[str, PathChoice]], object]
    ) -> None:
        self._attentions = {
            _place(name): module for name, module in model.named_modules() if isinstance(module, BaseAttention)
        }
        self._device = device
        self._tell = tell
        self._told: set[tuple[str, str]] = set()

    def on_first_step(self, event: FirstStepDone) -> None:
        self._tell_new()

    def on_progress(self, event: Progress) -> None:
        self._tell_new()

    def choices(self) -> dict[str, PathChoice]:
        """How each attention computed in the last step; one that has made no choice is asked, without sizes."""
        asked = Call(device=self._device.type)
        return {place: module.trained_path or module.chosen_path(asked) for place, module in self._attentions.items()}

    def _tell_new(self) -> None:
        choices = self.choices()
        new = {place: choice for place, choice in choices.items() if (place, choice.name) not in self._told}
        if new:
            self._told |= {(place, choice.name) for place, choice in new.items()}
            self._tell(new)


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
