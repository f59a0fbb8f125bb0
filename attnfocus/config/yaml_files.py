"""Limits of what is read as configuration: files that are too large, and small ones that unfold into something huge."""

import functools
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from yaml import YAMLError
from yaml.constructor import ConstructorError
from yaml.error import MarkedYAMLError

from attnfocus.errors import ConfigError
from attnfocus.regular_files import open_to_read

MAX_BYTES = 1_000_000
MAX_NODES = 10_000  # keys, values and sections, each alias counted as what it stands for
MAX_DEPTH = 50
MAX_SHOWN = 80  # characters of a line that is not valid
MAX_PLAIN = 4_000  # characters of a value without quotes, which may be read as a number
MAX_RESOLVED = 1_000_000  # characters of a configuration with its interpolations resolved

Place = tuple[str, ...]
_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # by libyaml, where PyYAML has it: a seventh of the time
_REFERENCE = re.compile(r"\$\{(?:[\w.]+:)?\s*(\.*[A-Za-z_][\w.\[\]]*)")  # also as the argument of a resolver


def read_yaml(path: Path, *, follow_links: bool = True) -> Any:
    """The content of a file of plain YAML: tags that build objects are refused.

    Args:
        path: the file.
        follow_links: False for a file of a run.

    Raises:
        ConfigError: it is, or unfolds into, more than a configuration can be; nothing was built.
        OSError, ValueError, yaml.YAMLError: it cannot be read, or is no plain YAML.
    """
    with open_to_read(path, follow_links=follow_links) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _refusal(path, f"is larger than {MAX_BYTES:,} bytes")
    text = content.decode("utf-8")
    try:
        return _load(path, text, _FAST)
    except yaml.YAMLError:  # which PyYAML's own reader explains better
        return _load(path, text, yaml.SafeLoader)


def _load(path: Path, text: str, loader: Any) -> Any:
    _measure(path, text, loader)
    reader = loader(text)
    try:
        return reader.get_single_data()
    finally:
        reader.dispose()


def check_folder(folder: Path) -> None:
    """Refuses a folder of groups with a file that `read_yaml` would refuse for its size.

    Raises:
        ConfigError: names the file.
    """
    for path in sorted(folder.rglob("*.yaml")):
        if path.is_file():
            status = path.stat()
            _check_file(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=4096)
def _check_file(path: Path, mtime_ns: int, num_bytes: int) -> None:
    """Once for each state of a file."""
    try:
        read_yaml(path)
    except yaml.YAMLError:
        pass  # answered when it is used, with line and column
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 ({error.reason}).") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from error
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path}: holds a value that cannot be read: {error}.") from error


def _measure(path: Path, text: str, loader: Any) -> None:
    """Walks through the events of a YAML text, which builds nothing, and counts."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []  # anchor, and number of nodes before
    count = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.AliasEvent):
            count += sizes.get(event.anchor or "", 1)
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
            if not event.style and len(event.value) > MAX_PLAIN:
                raise _refusal(path, f"has a value of more than {MAX_PLAIN:,} characters without quotes")
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, count))
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = count - before
        if count > MAX_NODES:
            raise _refusal(path, f"unfolds into more than {MAX_NODES:,} values")
        if len(open_nodes) > MAX_DEPTH:
            raise _refusal(path, f"is nested more than {MAX_DEPTH} deep")


def check_interpolations(values: Mapping[str, Any]) -> None:
    """Refuses a configuration whose interpolations (`${a.b}`) unfold into something huge. Loops are not answered here.

    Raises:
        ConfigError: names a key.
    """
    known: dict[Place, int] = {}

    def size_at(place: Place) -> int:
        if place not in known:
            known[place] = 0  # a loop adds nothing
            known[place] = size_of(_value_at(values, place), place)
        return known[place]

    def size_of(value: Any, place: Place) -> int:
        if isinstance(value, Mapping):
            return sum(size_of(inner, (*place, str(name))) + 1 for name, inner in value.items())
        if isinstance(value, list | tuple):
            return sum(size_of(inner, (*place, str(index))) + 1 for index, inner in enumerate(value))
        if not isinstance(value, str):
            return 1
        return len(value) + sum(size_at(_meant(name, place)) for name in _REFERENCE.findall(value))

    for key, value in values.items():
        try:
            size = size_of(value, (key,))
        except RecursionError:
            raise ConfigError(f"{key}: its interpolations form a chain that is too long.") from None
        if size > MAX_RESOLVED:
            raise ConfigError(
                f"{key}: its interpolations unfold into more than {MAX_RESOLVED:,} characters, which no configuration "
                "needs; nothing was run."
            )


def _meant(name: str, place: Place) -> Place:
    """The absolute place that an interpolation at `place` names; leading dots count from the section it stands in."""
    parts = tuple(re.findall(r"[^.\[\]]+", name))
    num_dots = len(name) - len(name.lstrip("."))
    return (*place[: max(0, len(place) - num_dots)], *parts) if num_dots else parts


def _value_at(values: Any, place: Place) -> Any:
    for part in place:
        if isinstance(values, Mapping):
            values = values.get(part)
        elif isinstance(values, list) and part.isdecimal() and int(part) < len(values):
            values = values[int(part)]
        else:
            return None
    return values


def _refusal(path: Path, why: str) -> ConfigError:
    return ConfigError(f"{path}: {why}, which no configuration does; nothing was read from it.")


def yaml_problem(error: YAMLError, file: str = "") -> str:
    """Where the YAML reader stops, in plain words; lines are counted from 1.

    Args:
        file: used where the reader was given text and knows no name.
    """
    mark = error.problem_mark or error.context_mark if isinstance(error, MarkedYAMLError) else None
    if not isinstance(error, MarkedYAMLError) or mark is None:
        return f"{file}: {' '.join(str(error).split())}" if file else " ".join(str(error).split())
    name = file or mark.name
    lines = (getattr(mark, "buffer", None) or "").splitlines()
    if not lines and not file:  # the reader of a stream keeps no text
        with suppress(OSError, ValueError):
            lines = Path(mark.name).read_text("utf-8").splitlines()
    line = lines[mark.line].strip("\0 ")[:MAX_SHOWN] if mark.line < len(lines) else ""
    shown = f" ({line})" if line else ""
    if isinstance(error, ConstructorError):  # valid YAML that is not taken: a key that stands twice, a tag
        return f"{name}: line {mark.line + 1}{shown}: {error.problem}."
    return (
        f"{name}: line {mark.line + 1}{shown} is not valid YAML. Check its spaces, dashes, colons and brackets, and "
        "those of the lines before."
    )
