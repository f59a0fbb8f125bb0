"""Dataclasses from JSON that somebody else may have written: each value is of its type and in its range, or refused."""

import dataclasses
import json
import types
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from attnfocus.limits import Range

Record = TypeVar("Record")

_NAMES = {int: "an integer", float: "a number", str: "text", bool: "true or false"}
_MAPPINGS, _SEQUENCES = (dict, Mapping), (list, Sequence)


def to_record(schema: type[Record], values: Any, *, ignore_unknown: bool = False, key: str = "") -> Record:
    """An instance of a dataclass, by the annotations of its fields; `Annotated[int, Range(...)]` says what is in range.

    Args:
        schema: the dataclass. Fields with a default may be missing in the JSON.
        values: what JSON gave.
        ignore_unknown: leave out what is no field; else refuse it.
        key: where the values stand, for messages.

    Raises:
        ValueError: a value is missing, unknown, of another type or out of range; names its key.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{key or 'it'}: must be an object, got {_show(values)}")
    hints = _hints(schema)  # type: ignore[arg-type]
    fields = {field.name: field for field in dataclasses.fields(schema)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields and not ignore_unknown:
            raise ValueError(f"{_join(key, name)}: is unknown")
    for name, field in fields.items():
        if name not in values and field.default is field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{_join(key, name)}: is missing")
    given = {name: to_value(values[name], hints[name], _join(key, name)) for name in fields if name in values}
    return schema(**given)


def to_value(value: Any, annotation: Any, key: str = "") -> Any:
    """A value of JSON as an annotation says, as `to_record` has it. Raises ValueError."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return value
    if origin is Annotated:
        converted = to_value(value, arguments[0], key)
        for mark in arguments[1:]:
            if isinstance(mark, Range) and converted is not None and not mark.accepts(converted):
                raise ValueError(f"{key}: must be {mark}, got {_show(value)}")
        return converted
    if origin in (Union, types.UnionType):
        return _one_of(value, [each for each in arguments if each is not type(None) or value is None], key)
    if origin is Literal:
        if isinstance(value, str) and value in arguments:
            return value
        raise ValueError(f"{key}: must be one of {', '.join(arguments)}, got {_show(value)}")
    if dataclasses.is_dataclass(annotation):
        return to_record(annotation, value, key=key)  # type: ignore[arg-type]
    if origin in _MAPPINGS:
        if not isinstance(value, Mapping):
            raise ValueError(f"{key}: must be an object, got {_show(value)}")
        return {name: to_value(inner, arguments[1], _join(key, name)) for name, inner in value.items()}
    if origin in _SEQUENCES:
        if not isinstance(value, list):
            raise ValueError(f"{key}: must be a list, got {_show(value)}")
        return [to_value(inner, arguments[0], f"{key}[{index}]") for index, inner in enumerate(value)]
    if annotation is float and type(value) is int and abs(value) < 2**1000:
        return float(value)
    if type(value) is annotation:
        return value
    raise ValueError(f"{key}: must be {_NAMES[annotation]}, got {_show(value)}")


@cache
def _hints(schema: type) -> dict[str, Any]:
    return get_type_hints(schema, include_extras=True)


def _one_of(value: Any, annotations: list[Any], key: str) -> Any:
    """As the first that fits; the problem is told of the first."""
    if value is None and type(None) in annotations:
        return None
    if annotations and type(value) is annotations[0]:  # most values, at once
        return value
    problems = []
    for annotation in annotations:
        try:
            return to_value(value, annotation, key)
        except ValueError as error:
            problems.append(str(error))
    raise ValueError(problems[0])


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _show(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
