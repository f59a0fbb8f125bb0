"""An option is written once: what a shipped YAML file says of it (default, comment) agrees with its annotation."""

import dataclasses
import inspect
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import pytest
import yaml

from attnfocus.cli.verbs import VERBS, schema_of
from attnfocus.commands.sweep.search.options import SearchOptions
from attnfocus.config.check import Checker, signature_of
from attnfocus.config.folder import shipped_folder
from attnfocus.config.overrides import CommandLine
from attnfocus.config.primary import commented_keys
from attnfocus.config.targets import find_target, is_component
from attnfocus.data import Codec
from attnfocus.limits import Range
from attnfocus.marks import Beside
from attnfocus.runs.schema import DecodingOverride, TrainConfig
from attnfocus.signatures import parameters_of

CONFIGS = shipped_folder()
FILES = sorted(CONFIGS.rglob("*.yaml"))
LARGE = 1e6  # a bound from here on keeps nonsense out, and no comment speaks of it
SIGNS = {">": "gt", ">=": "ge", "<": "lt", "<=": "le"}


class Option(NamedTuple):
    """A key of a file: what the file says of it, and what its class or schema says."""

    key: str
    value: Any
    comment: str
    annotation: Any
    is_own: bool  # whether the file is where the key is introduced, not one that changes it (an experiment)


def name_of(path: Path) -> str:
    return str(path.relative_to(CONFIGS))


@cache
def composed(*overrides: str) -> dict[str, Any]:
    return CommandLine("train", ()).compose(list(overrides))


def leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{name}.")
        elif name != "_target_":
            yield f"{prefix}{name}", value


def fields_of(schema: type) -> dict[str, Any]:
    return get_type_hints(schema, include_extras=True)


def annotation_at(schema: type, config: Any, key: str) -> Any:
    """What the annotations say of a key of a composed configuration. KeyError: it is no option."""
    annotation: Any = schema
    place: list[str] = []
    for name in key.split("."):
        beside = next((mark.schema for mark in get_args(annotation)[1:] if isinstance(mark, Beside)), None)
        if beside is not None and name in fields_of(beside):
            annotation = fields_of(beside)[name]
        elif is_component(config):
            annotation = options_of_node(".".join([*place, "_target_"]), config)[name]
        elif get_origin(annotation_without_marks(annotation)) is dict:
            annotation = get_args(annotation_without_marks(annotation))[1]
        else:
            annotation = fields_of(dataclass_in(annotation))[name]
        config = config.get(name) if isinstance(config, dict) else None
        place.append(name)
    return annotation


def options_of_node(key: str, node: Mapping[str, Any]) -> Mapping[str, Any]:
    """What its class takes: a codec by `learn`, all others by the constructor."""
    found: Any = find_target(key, node["_target_"])
    if isinstance(found, type) and issubclass(found, Codec):
        return {name: parameter.annotation for name, parameter in parameters_of(found.learn).items()}
    return signature_of(key, node["_target_"], ()).options


def annotation_without_marks(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def dataclass_in(annotation: Any) -> type:
    options = [annotation, *get_args(annotation)]
    return next(option for option in options if isinstance(option, type) and dataclasses.is_dataclass(option))


def options_of(path: Path) -> list[Option]:
    """All keys that a shipped file gives a value, apart from Hydra's own section."""
    parts = path.relative_to(CONFIGS).with_suffix("").parts
    text = path.read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    defaults = content.pop("defaults", [])
    content.pop("hydra", None)
    comments = {key.name: key.comment for key in commented_keys(path)}
    schema: type = TrainConfig
    config: Any = node_of(path)
    prefix = "" if len(parts) == 1 else "".join(f"{part}." for part in parts[:-1] if part != "_base")
    if parts == ("hydra", "sweeper", "optuna"):
        schema, config, prefix = SearchOptions, {}, ""
    elif parts[0] == "_base":
        schema = schema_of("evaluate" if parts[-1].endswith("_of_run") else "train")
        prefix = "decoding." if parts[-1].startswith("decoding") else "dataset."
    elif len(parts) == 1:
        schema = schema_of(parts[0])
    elif parts[:2] == ("model", "_base"):
        prefix = "model.embedding."
    elif text.startswith("# @package _global_"):
        config, prefix = composed(f"{parts[0]}={parts[1]}"), ""
    elif parts[:2] == ("attention", "_base"):
        config = {"attention": composed()["attention"]}
    elif not is_component(config):
        config = {parts[0]: config}
    is_whole = prefix != "" or len(parts) == 1

    def is_own(key: str) -> bool:
        """In a file over several sections those of its own group, and not `dataset.clean.max_words`."""
        if is_whole:
            return "default" not in defaults
        return key.startswith(f"{parts[0]}.") and key.count(".") == 1 and key != "dataset.task"

    return [
        Option(key, value, comments.get(key, ""), annotation, is_own(key))
        for key, value in leaves(content)
        for annotation in [
            annotation_at(schema, composed(f"{parts[0]}={path.stem}"), f"{parts[0]}.{key}")
            if is_component(config) and schema is TrainConfig and parts[0] == "attention" and "." in key
            else signature_of(f"{parts[0]}._target_", config["_target_"], ()).options[key]
            if is_component(config) and schema is TrainConfig and parts[0] != "hydra"
            else annotation_at(schema, config, prefix + key)
        ]
    ]


def node_of(path: Path) -> dict[str, Any]:
    """What a file of one section holds, with the file that it is based on: quicker than to compose it."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    bases = [entry for entry in content.pop("defaults", []) if isinstance(entry, str) and entry.endswith("@_here_")]
    node: dict[str, Any] = {}
    for entry in bases:
        node |= node_of(path.parent / f"{entry.removesuffix('@_here_')}.yaml")
    return node | content


def limits(annotation: Any) -> dict[str, float]:
    """The bounds of a number that a comment should tell; those of integers as `> 0` rather than `>= 1`."""
    found: dict[str, float] = {}
    for part in parts_of(annotation):
        if isinstance(part, Range):
            bounds = {name: getattr(part, name) for name in ("gt", "ge", "lt", "le")}
            if part.why:  # an upper end that no comment needs to tell: the error says why it is there
                bounds["le"] = None
            found |= {name: bound for name, bound in bounds.items() if bound is not None}
    return {name: bound for name, bound in found.items() if abs(bound) < LARGE}


def parts_of(annotation: Any) -> Iterator[Any]:
    """An annotation with all that is inside of it, marks too."""
    yield annotation
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        for part in get_args(annotation):
            yield from parts_of(part)


def base_of(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        return base_of(next(part for part in get_args(annotation) if part is not type(None)))
    return base_of(get_args(annotation)[0]) if get_origin(annotation) is Annotated else annotation


def said_limits(comment: str) -> list[dict[str, float]]:
    """The ranges in brackets of a comment: `(> 0, must divide ...)`, `(0 to 1)`, `(>= 0 and < 1)`."""
    found = []
    for text in re.findall(r"\(([^()]*)\)", comment):
        bounds = {SIGNS[sign]: float(number) for sign, number in re.findall(r"(?:^|and |, )(>=|<=|>|<) ([\d.]+)", text)}
        between = re.match(r"([\d.]+) to ([\d.]+)\b", text)
        if between:
            bounds = {"ge": float(between[1]), "le": float(between[2])}
        if bounds:
            found.append(bounds)
    return found


def normal(bounds: Mapping[str, float], is_integer: bool) -> dict[str, float]:
    """`>= 1` and `> 0` are the same of an integer."""
    if is_integer and "gt" in bounds:
        return {**{name: bound for name, bound in bounds.items() if name != "gt"}, "ge": bounds["gt"] + 1}
    return dict(bounds)


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_key_has_a_line_and_a_value_that_agree_with_its_annotation(path: Path) -> None:
    wrong = []
    for option in options_of(path):
        checker = Checker()
        is_stack = option.key.endswith("layer_attentions")  # names, of which composing makes nodes
        if not is_stack and not is_reference(option.value) and not (option.value is None and option.key in ("run",)):
            checker.value(option.key, option.value, option.annotation)
        wrong += checker.problems
        base = base_of(option.annotation)
        expected, ranges = normal(limits(option.annotation), base is int), said_limits(option.comment)
        said = [normal(each, base is int) for each in ranges]
        if not option.comment:
            wrong.append(f"{option.key}: has no comment")
        elif expected and expected not in said and (said or (option.is_own and "only" not in option.comment)):
            wrong.append(f"{option.key}: the comment says {ranges}, the annotation {limits(option.annotation)}")
        elif said and not expected and base in (int, float):
            wrong.append(f"{option.key}: the comment says {ranges}, the annotation nothing")
        if "(true, false)" in option.comment and base is not bool:
            wrong.append(f"{option.key}: is not true or false: {base}")
        if get_origin(base) is Literal and option.is_own and "texts only" not in option.comment:
            choices = {str(choice) for choice in get_args(base)}
            missing = {choice for choice in choices if not re.search(rf"\b{re.escape(choice)}\b", option.comment)}
            listed = re.search(r"\((\w+(?:, \w+)+)\)", option.comment)
            if missing:
                wrong.append(f"{option.key}: the comment does not name {missing}")
            if listed and set(listed[1].split(", ")) != choices:
                wrong.append(f"{option.key}: the comment lists {listed[1]}, the annotation {choices}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("verb", VERBS)
def test_a_default_of_a_schema_is_that_of_its_file(verb: str) -> None:
    path = CONFIGS / f"{verb}.yaml"
    values = node_of(path)
    for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["defaults"]:
        if isinstance(entry, dict) and not any(name.startswith("override") for name in entry):
            values |= {group: node_of(CONFIGS / group / f"{choice}.yaml") for group, choice in entry.items() if choice}
        elif "@" in str(entry):
            base, section = entry.split("@")
            values[section] = node_of(CONFIGS / f"{base}.yaml")
    wrong = different_defaults("", values, schema_of(verb))
    assert not wrong, "\n".join(wrong)


def different_defaults(key: str, values: Mapping[str, Any], schema: type) -> list[str]:
    wrong = []
    for field in dataclasses.fields(schema):
        place = f"{key}.{field.name}" if key else field.name
        value = values.get(field.name)
        inner = annotation_without_marks(fields_of(schema)[field.name])
        if isinstance(inner, type) and dataclasses.is_dataclass(inner):
            wrong += different_defaults(place, value or {}, inner)
        elif field.default not in (MISSING, value) and field.name in values and not is_reference(value):
            wrong.append(f"{place}: {field.default!r} in {schema.__name__}, {value!r} in the file")
    return wrong


def is_reference(value: Any) -> bool:
    return isinstance(value, str) and "${" in value


def shipped_nodes() -> dict[str, list[dict[str, Any]]]:
    """Every `_target_` -> the nodes of shipped files that name it."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in FILES:
        node = node_of(path)
        for section in (node, node.get("model"), node.get("dataset")):
            if is_component(section) and section["_target_"].startswith("attnfocus."):
                found.setdefault(section["_target_"], []).append(section)
    return found


def section_of(target: str) -> str:
    """A section that may name the target."""
    return "tracker" if target.startswith("attnfocus.tracking.") else ""


def test_a_default_of_a_signature_is_that_of_a_file() -> None:
    """A variant may have another value (longformer has one global position), but not all of them.

    None in a signature is no value but a way to find one, such as all languages.
    """
    wrong = []
    for target, nodes in shipped_nodes().items():
        for name, parameter in parameters_of(find_target(f"{section_of(target)}._target_", target)).items():
            values = [node[name] for node in nodes if name in node]
            if parameter.default not in (inspect.Parameter.empty, None) and values and parameter.default not in values:
                wrong.append(f"{target}: {name}={parameter.default!r} in the signature, {values[0]!r} in the files")
    assert not wrong, "\n".join(wrong)


def test_decoding_of_a_run_changes_what_decoding_has() -> None:
    decoding = annotation_without_marks(fields_of(TrainConfig)["decoding"])
    assert {name: hint | None for name, hint in fields_of(decoding).items()} == fields_of(DecodingOverride)
    for verb in ("evaluate", "predict"):
        values = CommandLine(verb, ()).compose([])["decoding"]
        assert values == dict.fromkeys(composed()["decoding"])
