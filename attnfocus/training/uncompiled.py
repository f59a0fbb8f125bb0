"""torch's optimizers without its compiler, which they load when they are made and first used."""

import inspect
from typing import TypeVar

import torch
from torch.optim import Optimizer

Kind = TypeVar("Kind", bound=Optimizer)

# What torch wraps so that a compiled function may hold it; ours are never called from inside of one.
_METHODS = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def uncompiled(kind: type[Kind]) -> type[Kind]:
    """The same optimizer with its methods as they were before they were wrapped for the compiler.

    Loading torch._dynamo takes longer (1.1 s) than all other imports of a run but torch itself. Not for use inside of
    a function that is compiled; a compiled model beside it is fine.
    """
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in _METHODS}
    step = torch.no_grad()(inspect.unwrap(kind.step))  # the wrapping also turned gradients off
    return type(kind.__name__, (kind,), {**methods, "step": step})
