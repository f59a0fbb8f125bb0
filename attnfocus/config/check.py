"""Checks a composed configuration against the annotations of what it configures, and collects every problem.

Closed sections are dataclasses; open ones name a `_target_`, whose signature says what is allowed. Nothing here
knows which sections there are.
"""

import dataclasses
import re
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from attnfocus.config.habits import ANY, NEEDED, NO, SWITCHED, YES, ZEROS, kind_of
from attnfocus.config.nearest import did_you_mean, nearest
from attnfocus.config.targets import find_target, is_component
from attnfocus.errors import ConfigError, Problem
from attnfocus.limits import Choice, Range
from attnfocus.marks import Beside, Node
from attnfocus.signatures import parameters_of

_COMPONENT = "component"
Component = Annotated[dict[str, Any], _COMPONENT]  # a node with a `_target_`; stays a mapping

NOTHING = ("none", "all", "off", "no", "never", "inf", "unlimited", "nil", "nan")  # of other tools, for null
NO_LIMIT = -1  # of other tools, too; not a sign too many
_PLAIN_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


class Signature(NamedTuple):
    """What a `_target_` takes: its name for messages, and its options with their annotations."""

    name: str
    options: Mapping[str, Any]


def signature_of(key: str, target: object, trusted: Sequence[str]) -> Signature:
    """The signature of the class or function that `target` names, which is loaded.

    Raises:
        ConfigError: not a name, outside the allow-list, or not found.
    """
    found = find_target(key, target, trusted)
    parameters = parameters_of(found).items()
    return Signature(found.__name__, {name: parameter.annotation for name, parameter in parameters})


class Shared(NamedTuple):
    """A section marked `Beside(schema)`: the node of its class, and the dataclass of what stands beside its options.

    None stands for what has problems.
    """

    component: dict[str, Any] | None
    options: Any


class Checker:
    """Walks values and annotations side by side; `problems` fills as it goes.

    Args:
        trusted: packages that the user trusts, besides our own.
        signature: what a `_target_` takes.
    """

    def __init__(
        self, trusted: Sequence[str] = (), signature: Callable[[str, object, Sequence[str]], Signature] = signature_of
    ) -> None:
        self.trusted = tuple(trusted)
        self.signature = signature
        self.problems: list[str] = []

    def dataclass(self, key: str, value: Mapping[str, Any], schema: type, extra: Sequence[str] = ()) -> Any:
        """An instance of `schema`, or None after noting why not. `extra` names are allowed and left out."""
        hints = get_type_hints(schema, include_extras=True)
        names = [field.name for field in dataclasses.fields(schema)]
        before = len(self.problems)
        self.unknown(key, value, [*names, *extra], schema.__name__)
        checked = {name: self.value(_join(key, name), value[name], hints[name]) for name in names if name in value}
        if len(self.problems) > before:
            return None
        try:
            return schema(**checked)
        except ConfigError as error:
            self.problems.extend(error.problems)
        except (TypeError, ValueError) as error:
            self.problems.append(f"{key}: {error}" if key else str(error))
        return None

    def component(self, key: str, node: Mapping[str, Any], extra: Sequence[str] = ()) -> dict[str, Any] | None:
        """The node with its options checked and converted, for `make_factory`. `extra` names are left out."""
        try:
            target = self.signature(_join(key, "_target_"), node.get("_target_"), self.trusted)
        except ConfigError as error:
            self.problems.extend(error.problems)
            return None
        options = {name: value for name, value in node.items() if name != "_target_" and name not in extra}
        self.unknown(key, options, list(target.options), target.name)
        checked: dict[str, Any] = {"_target_": node["_target_"]}
        for name, value in options.items():
            if name in target.options:
                checked[name] = self.value(_join(key, name), value, target.options[name])
        return checked

    def value(self, key: str, value: Any, annotation: Any) -> Any:
        """`value` as `annotation` says (1 -> 1.0, a mapping -> a dataclass), or None with a problem noted."""
        if get_args(annotation) == (str, Component):
            return self._named_components(key, value)
        beside = _beside(annotation)
        if beside is not None:
            if isinstance(value, Mapping):
                return self.shared(key, value, beside)
            self.problems.append(f"{key}: needs a _target_, got {_show(value)}.")
            return None
        if is_component(value):
            return value if _is_node(annotation) else self.component(key, value)
        if annotation is Any:
            return value
        origin = get_origin(annotation)
        if origin is Annotated:
            return self._annotated(key, value, annotation)
        if origin in (Union, types.UnionType):
            return self._union(key, value, get_args(annotation))
        if origin is Literal:
            return self._literal(key, value, get_args(annotation))
        if origin in (list, tuple):
            return self._sequence(key, value, origin, get_args(annotation))
        if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
            if isinstance(value, Mapping):
                return self.dataclass(key, value, annotation)
            self.problems.append(f"{key}: must be a section of options, got {_show(value)}.")
            return None
        if is_factory(annotation):
            group = key.replace(".", "/")
            self.problems.append(f"{key}: is not one value; choose with {group}={_show(value).strip(chr(39))}.")
            return None
        return self._plain(key, value, annotation)

    def shared(self, key: str, node: Mapping[str, Any], schema: type) -> Shared:
        """A node whose `_target_` shares its section with the fields of a dataclass."""
        names = [field.name for field in dataclasses.fields(schema)]
        component = self.component(key, node, extra=names)
        return Shared(component, self.dataclass(key, {name: node[name] for name in names if name in node}, schema))

    def unknown(self, key: str, value: Mapping[str, Any], known: Sequence[str], of: str) -> None:
        """Notes the names in `value` that are no options of what is called `of`."""
        for name in value:
            if name not in known:
                self.problems.append(f"{_join(key, name)}: unknown option of {of}.{did_you_mean(str(name), known)}")

    def _annotated(self, key: str, value: Any, annotation: Any) -> Any:
        base, *marks = get_args(annotation)
        if _COMPONENT in marks:
            self.problems.append(f"{key}: needs a _target_, got {_show(value)}.")
            return None
        for mark in marks:
            if isinstance(mark, Choice):
                example = f"{mark.group}@{key}={_show(value).strip(chr(39))}"
                self.problems.append(f"{key}: is not one value; choose with {example}.")
                return None
        before = len(self.problems)
        converted = self.value(key, value, base)
        if len(self.problems) == before:
            for mark in marks:
                if isinstance(mark, Range) and not mark.accepts(converted):
                    why = f" ({mark.why})" if mark.why and not mark.is_below_end(converted) else ""
                    note, meant = _range_note(key, mark, converted)
                    self._add(key, f"must be {mark}{why}, got {value}.{note}", *meant)
        return converted

    def _named_components(self, key: str, value: Any) -> Any:
        """Components by names that the user chooses."""
        if not isinstance(value, Mapping):
            self.problems.append(f"{key}: must be a section of options, got {_show(value)}.")
            return None
        if is_component(value):
            self.problems.append(f"{key}: its nodes need names. Put _target_ and its options below one, such as mine.")
            return None
        return {str(name): self.value(_join(key, name), item, Component) for name, item in value.items()}

    def _union(self, key: str, value: Any, options: tuple[Any, ...]) -> Any:
        if value is None and type(None) in options:
            return None
        kept: list[str] = []
        for option in (option for option in options if option is not type(None)):
            trial = Checker(self.trusted, self.signature)
            converted = trial.value(key, value, option)
            if not trial.problems:
                return converted
            kept = kept or trial.problems
        if isinstance(value, str):
            is_nothing = value.lower() in NOTHING
        else:
            is_nothing = value == NO_LIMIT and key not in ZEROS and any(map(_is_number, options))
        means_null = is_nothing and type(None) in options
        for problem in kept:
            text = problem.replace(", got ", " or null (not set), got ", 1) if "must be" in problem else problem
            if means_null:
                self.problems.append(Problem(text, key, [f"{key}=null"]))
            else:
                self.problems.append(problem.reworded(text) if isinstance(problem, Problem) else text)
        return None

    def _literal(self, key: str, value: Any, options: tuple[Any, ...]) -> Any:
        if isinstance(value, bool) is False and value in options:
            return value
        if value is None and "none" in options:
            return "none"  # YAML reads a bare `none` as text, but `null` is what people also write
        found = nearest(str(value), [str(option) for option in options], count=1)
        hint = f" Did you mean {found[0]}?" if found else ""
        self._add(key, f"must be one of {', '.join(map(str, options))}, got {_show(value)}.{hint}", *found)
        return None

    def _add(self, key: str, text: str, *meant: str) -> None:
        """Notes a problem; `meant`: the value that was meant, if that is known."""
        self.problems.append(Problem(f"{key}: {text}", key, [f"{key}={meant[0]}"] if meant else None))

    def _sequence(self, key: str, value: Any, kind: type, items: tuple[Any, ...]) -> Any:
        if not isinstance(value, (list, tuple)):
            example = "[128,256]" if isinstance(value, int) else "[a,b]"
            plain = [f"[{value}]"] if isinstance(value, str | int | float) and str(value).strip() else []
            self._add(key, f"must be a list such as {example}, got {_show(value)}.", *plain)
            return None
        if kind is tuple and Ellipsis not in items:
            if len(items) != len(value):
                self.problems.append(f"{key}: must have {len(items)} items, got {len(value)}.")
                return None
            return tuple(
                self.value(f"{key}[{i}]", item, hint) for i, (item, hint) in enumerate(zip(value, items, strict=True))
            )
        hint = items[0] if items else Any
        return kind(self.value(f"{key}[{index}]", item, hint) for index, item in enumerate(value))

    def _plain(self, key: str, value: Any, kind: Any) -> Any:
        if kind not in _PLAIN_NAMES:
            return value
        is_bool = isinstance(value, bool)
        if kind is float and isinstance(value, (int, float)) and not is_bool:
            with suppress(OverflowError):  # an integer beyond every float
                return float(value)
        if isinstance(value, kind) and (kind is bool) == is_bool:
            return value
        example = SWITCHED.get(key, {}).get(YES) if kind is str else None
        needed = f"must be {f'a name such as {example}' if example else _PLAIN_NAMES[kind]}"
        if kind is str and key in NEEDED:
            self._add(key, f"{NEEDED[key]}. Got {_show(value)}.", *_plain_meant(key, value, kind))
            return None
        self._add(key, f"{needed}, got {_show(value)}.", *_plain_meant(key, value, kind))
        return None


def _range_note(key: str, mark: Range, value: float) -> tuple[str, list[str]]:
    """What is said of a number that is out of range, and the value that was meant, if it can be only one.

    Per cent where a share is wanted (30 is 0.3), a sign too many, or a zero or -1 for no limit.
    """
    is_share = mark.ge == 0 and 1 in (mark.lt, mark.le)
    if is_share and 2 <= value < 100:
        return f" {value:g} % is {value / 100:g}.", [f"{value / 100:g}"]
    if value in (0, NO_LIMIT) and key in ZEROS:
        return f" {ZEROS[key].note}.", list(ZEROS[key].meant)
    if value < 0 and value != NO_LIMIT and mark.accepts(-value):
        return " Without the minus sign it can be used.", [str(-value)]
    return "", []


def _plain_meant(key: str, value: Any, kind: Any) -> list[str]:
    """What a value of another type can only have meant: `yes` is true, 1e4 an integer, 10k ten thousand."""
    if kind is bool and kind_of(str(value)) != ANY and value is not None:
        return ["true" if kind_of(str(value)) == YES else "false"]
    if kind is str and isinstance(value, bool):
        meant = SWITCHED.get(key, {}).get(YES if value else NO)
        return [meant] if meant else []
    if kind is int and isinstance(value, float) and value.is_integer():
        return [str(int(value))]
    match = re.fullmatch(r"(\d+)([km])", value.lower()) if kind in (int, float) and isinstance(value, str) else None
    return [str(int(match[1]) * {"k": 1000, "m": 10**6}[match[2]])] if match else []


def _is_number(annotation: Any) -> bool:
    return (annotation, *get_args(annotation)[:1])[-1] in (int, float)


def _beside(annotation: Any) -> type | None:
    """The dataclass that shares a section with a class, if the annotation says so."""
    marks = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return next((mark.schema for mark in marks if isinstance(mark, Beside)), None)


def _is_node(annotation: Any) -> bool:
    """Whether a node stays as it is."""
    return annotation is Node or (
        get_origin(annotation) in (Union, types.UnionType) and any(each is Node for each in get_args(annotation))
    )


def is_factory(annotation: Any) -> bool:
    """Whether the annotation is a protocol of callables: what a nested `_target_` fills."""
    return (
        isinstance(annotation, type) and getattr(annotation, "_is_protocol", False) and "__call__" in vars(annotation)
    )


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else str(name)


def _show(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]  # as it was typed
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
