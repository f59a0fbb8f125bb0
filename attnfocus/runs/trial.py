"""Building a model to see whether its options fit, without its numbers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

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
