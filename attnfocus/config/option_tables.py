"""Which options there are, as plain data: what signatures and dataclasses say, known without loading what they are of.

The tables are made from the annotations (`python -m attnfocus.cli.option_tables`) and kept in `option_tables.json`, so
that a wrong value is answered before torch is loaded. `annotation_text` writes an annotation as plain data, `Tables`
makes of it annotations again that a `Checker` takes for the real ones.
"""

import dataclasses
import json
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Union, get_args, get_origin, get_type_hints

from attnfocus.config.check import Checker, Component, Signature, is_factory, signature_of
from attnfocus.limits import Choice, Range
from attnfocus.marks import Beside, Node

FILE = Path(__file__).with_name("option_tables.json")
_PLAIN: dict[str, Any] = {"int": int, "float": float, "str": str, "bool": bool, "null": type(None), "any": Any}


class _Factory(Protocol):
    def __call__(self) -> Any: ...


class NotShippedError(Exception):
    """A `_target_` that is in no table: a class of the user's own, or a mistake; only the real check can tell."""


class TableWriter:
    """Collects the tables of verbs and of what the shipped configurations name."""

    def __init__(self) -> None:
        self.verbs: dict[str, str] = {}
        self.files: dict[str, Sequence[str]] = {}
        self.schemas: dict[str, dict[str, Any]] = {}
        self.targets: dict[str, dict[str, Any]] = {}
        self.monitors: dict[str, Sequence[str]] = {}
        self._classes: dict[str, type] = {}

    def add_verb(self, verb: str, schema: type, file_keys: Sequence[str]) -> None:
        self.verbs[verb], self.files[verb] = self._schema(schema), file_keys

    def add_target(self, section: str, target: str) -> None:
        """What a `_target_` takes that may stand in a section, such as `tracker`."""
        options = signature_of(f"{section}._target_", target, ()).options
        self.targets[target] = {name: self._plain(annotation) for name, annotation in options.items()}

    def text(self) -> str:
        """The tables as JSON, a line for each option."""
        return (
            "".join(
                _lines(
                    {
                        "verbs": self.verbs,
                        "files": self.files,
                        "monitors": self.monitors,
                        "schemas": self.schemas,
                        "targets": self.targets,
                    }
                )
            )
            + "\n"
        )

    def _schema(self, schema: type) -> str:
        name = schema.__name__
        assert self._classes.setdefault(name, schema) is schema, f"there are two schemas called {name}"
        if name not in self.schemas:
            hints = get_type_hints(schema, include_extras=True)
            self.schemas[name] = {}
            fields = dataclasses.fields(schema)
            self.schemas[name] |= {field.name: self._plain(hints[field.name]) for field in fields}
        return name

    def _plain(self, annotation: Any) -> Any:
        """An annotation as plain data; `any` for one that the check does not look into."""
        origin, arguments = get_origin(annotation), get_args(annotation)
        if annotation is Component:
            return "component"
        if annotation is Node:
            return "node"
        if origin is Annotated:
            base, *marks = arguments
            plain: dict[str, Any] = {"of": self._plain(base)}
            for mark in marks:
                if isinstance(mark, Choice):
                    plain["choice"] = mark.group
                if isinstance(mark, Beside):
                    plain["beside"] = self._schema(mark.schema)
                if isinstance(mark, Range):
                    plain["range"] = {key: bound for key, bound in vars(mark).items() if bound not in (None, "")}
            return plain if len(plain) > 1 else plain["of"]
        if origin in (Union, types.UnionType):
            return {"union": [self._plain(each) for each in arguments]}
        if origin is Literal:
            return {"literal": list(arguments)}
        if origin is list:
            return {"list": self._plain(arguments[0])}
        if origin is tuple:
            return {"tuple": ["..." if each is Ellipsis else self._plain(each) for each in arguments]}
        if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
            return {"schema": self._schema(annotation)}
        if is_factory(annotation):
            return "factory"
        return next((name for name, kind in _PLAIN.items() if kind is annotation), "any")


class Tables:
    """The tables, and checks against them alone."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content
        self.schema: Callable[[str], type] = cache(self._schema)

    def problems(self, verb: str, values: Mapping[str, Any]) -> list[str]:
        """What is wrong with the names, types and ranges of a verb's options; empty for a verb without tables.

        Raises:
            NotShippedError: a `_target_` is in no table.
        """
        checker = Checker(signature=self._signature)
        if verb in self._content["verbs"]:
            checker.dataclass("", values, self.schema(self._content["verbs"][verb]))
        return checker.problems

    def plain_option(self, verb: str, key: str, targets: Mapping[str, str]) -> Any:
        """What a key takes, as plain data; None where the tables do not tell.

        Args:
            targets: section -> the class that it names in the configuration.
        """
        schemas = self._content["schemas"]
        fields: Mapping[str, Any] = schemas.get(self._content["verbs"].get(verb, ""), {})
        parts = key.split(".")
        plain: Any = None
        for depth, part in enumerate(parts):
            section = ".".join(parts[:depth])
            of_class = self._content["targets"].get(targets.get(section, ""), {})
            plain = fields.get(part, of_class.get(part))
            inner = plain if isinstance(plain, Mapping) else {}
            fields = schemas.get(inner.get("schema", inner.get("beside", "")), {})
        return plain

    def monitors(self, task: str) -> Sequence[str]:
        """The metrics that a shipped task can be monitored by; empty for a task of the user's own."""
        found: Sequence[str] = self._content["monitors"].get(task, ())
        return found

    def all_monitors(self) -> list[str]:
        """Those of all shipped tasks."""
        return list(dict.fromkeys(name for names in self._content["monitors"].values() for name in names))

    def takes_file(self, verb: str, key: str) -> bool:
        """Whether one of the shipped choices of a verb's groups takes a file or folder at this key."""
        return key in self._content["files"].get(verb, ())

    def _signature(self, key: str, target: object, trusted: Sequence[str]) -> Signature:
        if target not in self._content["targets"]:
            raise NotShippedError(target)
        table = self._content["targets"][target].items()
        return Signature(str(target).rpartition(".")[2], {name: self._annotation(plain) for name, plain in table})

    def _schema(self, name: str) -> type:
        """A dataclass of the same fields. What the real one says of options together is not in the tables."""
        fields = [
            (field, self._annotation(plain), dataclasses.field(default=None))
            for field, plain in self._content["schemas"][name].items()
        ]
        return dataclasses.make_dataclass(name, fields)

    def _annotation(self, plain: Any) -> Any:
        if plain == "component":
            return Component
        if plain == "node":
            return Node
        if plain == "factory":
            return _Factory
        if isinstance(plain, str):
            return _PLAIN[plain]
        if "schema" in plain:
            return self.schema(plain["schema"])
        if "union" in plain:
            return reduce(or_, (self._annotation(each) for each in plain["union"]))
        if "literal" in plain:
            return Literal[tuple(plain["literal"])]
        if "list" in plain:
            return list[self._annotation(plain["list"])]  # type: ignore[misc]
        if "tuple" in plain:
            return tuple[tuple(... if each == "..." else self._annotation(each) for each in plain["tuple"])]  # type: ignore[misc]
        mark: Any = Range(**plain["range"]) if "range" in plain else None
        if "choice" in plain:
            mark = Choice(plain["choice"])
        if "beside" in plain:
            mark = Beside(self.schema(plain["beside"]))
        return Annotated[self._annotation(plain["of"]), mark]


@cache
def shipped_tables() -> Tables:
    return Tables(json.loads(FILE.read_text(encoding="utf-8")))


def _lines(node: Any, depth: int = 0) -> Iterator[str]:
    if depth > 2 or not node or not isinstance(node, Mapping):
        yield json.dumps(node)
        return
    yield "{"
    for index, (key, value) in enumerate(node.items()):
        yield f"{',' if index else ''}\n{' ' * (depth + 1)}{json.dumps(key)}: "
        yield from _lines(value, depth + 1)
    yield f"\n{' ' * depth}}}"
