"""Names that a package offers without importing their modules: each is imported when it is first asked for."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def late_names(
    package: str, names: Mapping[str, Sequence[str]]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """`__all__`, `__getattr__` and `__dir__` of a package (PEP 562).

    Args:
        package: its `__name__`.
        names: module below it -> the names of that module which it offers.
    """
    module_of = {name: module for module, offered in names.items() for name in offered}
    own = vars(sys.modules[package])

    def get(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        own[name] = getattr(import_module(f"{package}.{module_of[name]}"), name)
        return own[name]

    return sorted(module_of), get, lambda: [*own, *module_of]
