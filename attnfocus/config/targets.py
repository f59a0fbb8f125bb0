"""`_target_`: from a dotted name in a configuration to a class, only inside the allow-list.

Checked twice: the name as written, and where the object that it names was really defined, so that
`attnfocus.models.some_module.os.system` is refused although it begins well. Of our own code, what a configuration is
meant to name is allowed, and nothing that writes files or fetches.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from attnfocus.errors import ConfigError

OWN_PACKAGES = (
    "attnfocus.attention",
    "attnfocus.data",
    "attnfocus.metrics",
    "attnfocus.models",
    "attnfocus.training",
)
# Reached from one section alone: these send or write something, and no saved configuration holds that section.
OWN_PACKAGES_OF = {"tracker": ("attnfocus.tracking.services",)}
OWN_FUNCTIONS = ("attnfocus.training.optimizers", "attnfocus.training.schedulers")  # elsewhere only classes are offered


def _is_inside(name: str, packages: Sequence[str]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def find_target(key: str, name: object, trusted: Sequence[str] = ()) -> Callable[..., Any]:
    """The class or function that `name` says.

    Args:
        key: where the name stands, for the message.
        name: the value of `_target_`.
        trusted: packages that the user trusts, besides our own.

    Raises:
        ConfigError: not a name, outside the allow-list, or not found.
    """
    allowed = (*OWN_PACKAGES, *OWN_PACKAGES_OF.get(key.split(".")[0], ()), *trusted)
    if not isinstance(name, str) or not name.isascii() or not all(part.isidentifier() for part in name.split(".")):
        raise ConfigError(f"{key}: must be a dotted name such as attnfocus.models.Seq2Seq, got {name!r}.")
    root = name.split(".")[0]
    refusal = (
        f"{key}: {name} lies outside the allowed packages ({', '.join(allowed)}); nothing was run. "
        f"If you trust it, say so on the command line: trust=[{root}]."
    )
    if "." not in name or "__" in name or not _is_inside(name, allowed):
        raise ConfigError(refusal)
    found = _resolve(key, name)
    defined_in = getattr(found, "__module__", None) or ""
    if not _is_inside(defined_in, allowed if inspect.isclass(found) else (*OWN_FUNCTIONS, *trusted)):
        raise ConfigError(refusal)
    if not (inspect.isclass(found) or inspect.isfunction(found)):
        raise ConfigError(refusal)
    return found


def _resolve(key: str, name: str) -> Any:
    parts = name.split(".")
    for split in range(len(parts) - 1, 0, -1):
        module_name = ".".join(parts[:split])
        try:
            found: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not _is_inside(module_name, [error.name]):
                raise  # the module is there, something that it needs is not
            continue
        for part in parts[split:]:
            if not hasattr(found, part):
                raise ConfigError(f"{key}: there is no {part} in {module_name}.")
            found = getattr(found, part)
        return found
    raise ConfigError(f"{key}: there is no package {parts[0]}.")


def make_factory(node: Mapping[str, Any], trusted: Sequence[str] = (), key: str = "") -> Callable[..., Any]:
    """A `functools.partial` of the node's `_target_` with its options; nodes inside it become factories too.

    Args:
        key: where the node stands, for what only its section may name.
    """
    target = find_target(f"{key}._target_".lstrip("."), node["_target_"], trusted)
    options = {name: _made(value, trusted) for name, value in node.items() if name != "_target_"}
    return partial(target, **options)


def _made(value: Any, trusted: Sequence[str]) -> Any:
    """An option, with what is a node, or a list of nodes, as factories."""
    if is_component(value):
        return make_factory(value, trusted)
    if isinstance(value, list) and any(map(is_component, value)):
        return [_made(each, trusted) for each in value]
    return value


def is_component(value: object) -> bool:
    """Whether a value is a node with a `_target_` of its own."""
    return isinstance(value, Mapping) and "_target_" in value
