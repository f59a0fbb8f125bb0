"""What a class or function takes, by name: constructors may hand on what they do not name themselves."""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_type_hints


class WholeSignature:
    """Put into a class as `__signature__`: `inspect.signature`, and so help, shows all that the constructor takes.

    Of every class below it, too. Objects of the class have the signature that they had.
    """

    def __get__(self, instance: object, owner: type) -> inspect.Signature:
        if instance is not None:
            raise AttributeError("__signature__")
        parameters = sorted(parameters_of(owner).values(), key=lambda each: each.kind)
        return inspect.Signature([each.replace(name=each.name) for each in parameters], return_annotation=None)


def parameters_of(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Parameters by name, with their annotations resolved.

    `*args` and `**kwargs` of a constructor stand for the parameters of the class above, to which it hands them.
    """
    if not inspect.isclass(target):
        return dict(_own(target))
    found: dict[str, inspect.Parameter] = {}
    for cls in target.__mro__:
        if "__init__" not in vars(cls):
            continue
        own = dict(_own(vars(cls)["__init__"]))
        own.pop("self", None)
        variable = [name for name, parameter in own.items() if parameter.kind in _VARIABLE]
        found = {**{name: parameter for name, parameter in own.items() if name not in variable}, **found}
        if not variable or cls is object:
            break
    return found


_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@cache
def _own(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    hints = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    return {name: parameter.replace(annotation=hints.get(name, Any)) for name, parameter in parameters.items()}
