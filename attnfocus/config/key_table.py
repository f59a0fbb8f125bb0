"""What each key of a configuration is: the marks of its option, and the value that counts where the key is missing."""

import dataclasses
import types
from collections.abc import Mapping, Sequence
from functools import cache
from inspect import Parameter
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from attnfocus.config.targets import find_target, is_component
from attnfocus.errors import ConfigError
from attnfocus.marks import Before, Beside, Mark
from attnfocus.signatures import parameters_of

MISSING = dataclasses.MISSING
Marks = frozenset[Mark | Beside | Before]


class KeyTable:
    """The keys of one configuration, sections included, by their dotted names (`trainer.max_steps`, `runs.0`).

    Args:
        schema: the dataclass of the whole configuration.
        values: the configuration. The classes that its nodes name say what their options are; one that cannot be
            looked at, because it is not trusted or not installed, says nothing.
        trusted: packages, besides our own, whose classes may be looked at.
    """

    def __init__(self, schema: type, values: Mapping[str, Any], trusted: Sequence[str] = ()) -> None:
        self._trusted = tuple(trusted)
        self._marks: dict[str, Marks] = {}
        self._defaults: dict[str, Any] = {}
        self._before: dict[str, Any] = {}
        self._sections: set[str] = set()
        self._add_options(schema, "", values, frozenset(), MISSING)

    def has(self, key: str, *marks: Mark) -> bool:
        """Whether a key, or the nearest section around it that is known, has one of the marks."""
        while key and key not in self._marks:
            key = key.rpartition(".")[0]
        return bool(self._marks.get(key, frozenset()).intersection(marks))

    def with_mark(self, mark: Mark) -> list[str]:
        """The keys that a mark stands at; of a section that has it, `section.*` alone."""
        found: list[str] = []
        for key, marks in self._marks.items():
            if mark in marks and not key.startswith(tuple(name[:-1] for name in found if name.endswith("*"))):
                found.append(f"{key}.*" if key in self._sections else key)
        return found

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Keys -> the default of their option, of those that have one."""
        return self._defaults

    @property
    def before(self) -> Mapping[str, Any]:
        """Keys whose default has changed -> what counts in a run that was saved without the key (`marks.Before`)."""
        return self._before

    def is_of_before(self, key: str, now: Any, then: Any) -> bool:
        """Whether a key has its default now, and then had the one of before (`marks.Before`)."""
        return (key, then) in self._before.items() and (key, now) in self._defaults.items()

    def completed(self, leaves: Mapping[str, Any]) -> dict[str, Any]:
        """Flat values, with the default of each option in the place of a key that is missing.

        That is what the option was when the key was not there yet: a new option leaves old runs as they are.
        """
        return {**self._defaults, **flat(self._before), **leaves}

    def _add(self, key: str, annotation: Any, value: Any, above: Marks, default: Any) -> None:
        """A key and all below it. `value` and `default` are `MISSING` where there is none."""
        marks, schema, item = _read(annotation)
        marks |= {mark for mark in above if isinstance(mark, Mark)}
        self._marks[key] = marks
        changed = [mark.value for mark in marks if isinstance(mark, Before)]
        self._before.update((key, value) for value in changed)
        is_absent_section = schema is not None and value is MISSING and default is not None
        if isinstance(value, Mapping) or is_absent_section:
            self._sections.add(key)
        if is_component(value):
            self._add_component(key, value, marks)
        elif schema is not None and key in self._sections:
            self._add_options(schema, f"{key}.", value if isinstance(value, Mapping) else {}, marks, default)
        elif isinstance(value, Mapping):
            for name, inner in value.items():
                self._add(f"{key}.{name}", item, inner, marks, MISSING)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                self._add(f"{key}.{index}", item, inner, marks, MISSING)
        if key not in self._sections:
            self._note_default(key, default)

    def _note_default(self, key: str, default: Any) -> None:
        if default is None or isinstance(default, bool | int | float | str | list):  # not a class, whose name is public
            self._defaults[key] = default

    def _add_options(self, schema: type, prefix: str, node: Mapping[str, Any], above: Marks, default: Any) -> None:
        """The fields of a dataclass. `default`: an instance, whose values count where the section is missing."""
        hints = _hints(schema)
        for field in dataclasses.fields(schema):
            own = _default_of(field) if default is MISSING else getattr(default, field.name)
            self._add(f"{prefix}{field.name}", hints[field.name], node.get(field.name, MISSING), above, own)

    def _add_component(self, key: str, node: Mapping[str, Any], marks: Marks) -> None:
        try:
            parameters = parameters_of(find_target(key, node["_target_"], self._trusted))
        except (ConfigError, ImportError):
            parameters = {}
        beside = next((mark.schema for mark in marks if isinstance(mark, Beside)), None)
        shared = [] if beside is None else [field.name for field in dataclasses.fields(beside)]
        for name in dict.fromkeys([*parameters, *node]):
            if name not in shared:
                parameter = parameters.get(name, Parameter(name, Parameter.KEYWORD_ONLY, annotation=Any))
                default = MISSING if parameter.default is Parameter.empty else parameter.default
                self._add(f"{key}.{name}", parameter.annotation, node.get(name, MISSING), marks, default)
        if beside is not None:
            self._add_options(beside, f"{key}.", node, marks, MISSING)


class KeyTables:
    """The tables of many configurations of one schema: those with the same keys and classes share one.

    That is all that a table is made of: no value besides the name of a class changes it.
    """

    def __init__(self, schema: type, trusted: Sequence[str] = ()) -> None:
        self._schema, self._trusted = schema, tuple(trusted)
        self._by_form: dict[object, KeyTable] = {}

    def of(self, values: Mapping[str, Any]) -> KeyTable:
        form = _form(values)
        if form not in self._by_form:
            self._by_form[form] = KeyTable(self._schema, values, self._trusted)
        return self._by_form[form]


def _form(value: Any) -> object:
    """All of a configuration that a `KeyTable` reads: keys in their order, classes, and how long lists are."""
    if isinstance(value, Mapping):
        inner = [(name, str(part) if name == "_target_" else _form(part)) for name, part in value.items()]
        return ("section", *inner)
    return ("list", *map(_form, value)) if isinstance(value, list) else None


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as one mapping of dotted keys; the nodes of a list are sections by their numbers."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        inner = value
        if isinstance(value, list) and value and all(map(is_component, value)):
            inner = {str(number): node for number, node in enumerate(value)}
        found |= flat(inner, f"{prefix}{name}.") if isinstance(inner, Mapping) else {f"{prefix}{name}": value}
    return found


def _read(annotation: Any) -> tuple[Marks, type | None, Any]:
    """The marks of an annotation, the dataclass of a section, and the annotation of what a list or mapping holds."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        marks, schema, item = _read(inner[0])
        return marks | {mark for mark in inner[1:] if isinstance(mark, Mark | Beside | Before)}, schema, item
    if origin in (Union, types.UnionType):
        parts = [_read(part) for part in inner]
        return (
            frozenset().union(*(marks for marks, _, _ in parts)),
            next((schema for _, schema, _ in parts if schema is not None), None),
            next((item for _, _, item in parts if item is not Any), Any),
        )
    if origin in (list, tuple, dict):
        return frozenset(), None, inner[-1] if origin is dict or inner[-1] is not Ellipsis else inner[0]
    is_section = isinstance(annotation, type) and dataclasses.is_dataclass(annotation)
    return frozenset(), annotation if is_section else None, Any


def _default_of(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


@cache
def _hints(schema: type) -> dict[str, Any]:
    return get_type_hints(schema, include_extras=True)
