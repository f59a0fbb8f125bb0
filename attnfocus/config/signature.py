"""What a class or function can be given, read from its signature."""

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints


def parameters_of(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Parameters by name, with their annotations resolved.

    `*args` and `**kwargs` of a constructor stand for the parameters of the class above, to which it hands them.
    """
    if not inspect.isclass(target):
        return _own(target)
    found: dict[str, inspect.Parameter] = {}
    for cls in target.__mro__:
        if "__init__" not in vars(cls):
            continue
        own = _own(vars(cls)["__init__"])
        own.pop("self", None)
        variable = [name for name, parameter in own.items() if parameter.kind in _VARIABLE]
        found = {**{name: parameter for name, parameter in own.items() if name not in variable}, **found}
        if not variable or cls is object:
            break
    return found


_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _own(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    hints = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    return {name: parameter.replace(annotation=hints.get(name, Any)) for name, parameter in parameters.items()}
