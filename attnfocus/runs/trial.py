"""Building a model: on the grid of its data, or without numbers, to see whether its options fit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from attnfocus.attention import BaseAttention
from attnfocus.data.preparation import CodecChoice
from attnfocus.focus import sigma_reparametrize
from attnfocus.grid import Grid
from attnfocus.models.base import Model
from attnfocus.signatures import parameters_of
from attnfocus.tasks import Task

INPUT_SIZES = ("source_vocab_size", "vocab_size")  # of tokens, which cells of a grid have not
NORMAL = (nn.init.normal_, nn.init.trunc_normal_, torch.Tensor.normal_)


@contextmanager
def without_numbers() -> Iterator[None]:
    """On the meta device, where tensors have a shape and no numbers, and nothing normal is drawn.

    What a normal draw would do there torch works out in Python, for which it imports its compiler: a second and more.
    """
    with torch.device("meta"), _NoDraws():
        yield


class _NoDraws(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if func in NORMAL:
            return args[0] if args else given["tensor"]
        return func(*args, **given)


def trial_model(model: Callable[..., Model], task_class: type[Task], codecs: CodecChoice) -> Model:
    """The model in small sizes on the meta device."""
    grid = codecs.trial_grid
    sizes = dict(task_class.trial_sizes)
    if grid is not None:
        of_input = next(name for name in INPUT_SIZES if name in sizes)
        sizes |= {of_input: None, "input_dim": grid.input_dim}
    with without_numbers():
        return on_grid(model, grid)(**sizes)


def on_grid(model: Callable[..., Model], grid: Grid | None) -> Callable[..., Model]:
    """With the grid that the positions of its input are on, if it takes one."""
    made: Any = model
    while isinstance(made, partial):
        made = made.args[0] if made.func is reparametrized else made.func
    return partial(model, grid=grid) if grid is not None and "grid" in parameters_of(made) else model


def reparametrized(model: Callable[..., Model], **sizes: Any) -> Model:
    built = model(**sizes)
    sigma_reparametrize(built)
    return built


def plane_problems(model: nn.Module) -> list[str]:
    """Attentions that need rows and columns, over an input that has none."""
    attentions = [module for module in model.modules() if isinstance(module, BaseAttention)]
    if all(each.plane is not None or not each.needs_plane for each in attentions):
        return []
    return [
        "attention: axes=2 is for images, whose patches have rows and columns. Use axes=1 in its pattern and position."
    ]
