"""Writes the tables of docs/attention.md: the factors, the presets, and what combines with what.

`python scripts/combinations.py` writes the page anew, `--check` only says whether it is up to date. Every combination
is really built, so the page says what the code does. The text between the tables is written by hand.
"""

import argparse
import functools
import importlib
import inspect
import itertools
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from attnfocus.attention import Attention, BaseAttention
from attnfocus.config.folder import description, groups, shipped_folder
from attnfocus.config.targets import make_factory
from attnfocus.config.yaml_files import read_yaml
from attnfocus.models import (
    PoolingClassifier,
    Seq2Seq,
    TransformerClassifier,
    TransformerLanguageModel,
    TransformerSeq2Seq,
)

PAGE = Path(__file__).resolve().parents[1] / "docs" / "attention.md"
NEUTRAL = {"score": "scaled_dot", "normalizer": "softmax", "pattern": "full", "position": "none"}
MODELS: dict[str, Callable[[Any], object]] = {
    "decoder": lambda attention: Seq2Seq(attention=attention, source_vocab_size=8, target_vocab_size=8),
    "encoder": lambda attention: TransformerClassifier(attention=attention, num_classes=2, vocab_size=8),
    "translator": lambda attention: TransformerSeq2Seq(attention=attention, source_vocab_size=8, target_vocab_size=8),
    "language model": lambda attention: TransformerLanguageModel(attention=attention, vocab_size=8),
    "pooling": lambda attention: PoolingClassifier(attention=attention, num_classes=2, vocab_size=8),
}
# "(Luong et al. 2015, eq. 8, arXiv:1508.04025)": names, year, and up to the number of the paper.
SOURCE = re.compile(r"[A-Z][\w-]+(?:,? (?:et al\.|and|[A-Z][\w-]+))* (?:19|20)\d\d[^()]{0,120}?arXiv:\d{4}\.\d{4,5}")
Node = dict[str, Any]


class Footnotes:
    """Reasons, each with its number, in the order of their first use."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def mark(self, reason: str | None) -> str:
        if reason is None:
            return "yes"
        reason = reason[0].upper() + reason[1:]
        if reason not in self.reasons:
            self.reasons.append(reason)
        return f"({self.reasons.index(reason) + 1})"

    def lines(self) -> list[str]:
        return ["", *(f"{number}. {reason}" for number, reason in enumerate(self.reasons, 1))] if self.reasons else []


@functools.cache
def choices() -> dict[str, dict[str, Path]]:
    """Factor -> choice -> file."""
    found = groups([shipped_folder()])
    return {factor: found[f"attention/{factor}"] for factor in NEUTRAL}


@functools.cache
def node_of(factor: str, choice: str) -> Node:
    return read_yaml(choices()[factor][choice])


def class_of(node: Node) -> type:
    module, _, name = str(node["_target_"]).rpartition(".")
    found: type = getattr(importlib.import_module(module), name)
    return found


def refusal(build: Callable[[], object]) -> str | None:
    """Why something cannot be built, or None."""
    try:
        with torch.device("meta"):
            build()
    except ValueError as error:
        return str(error)
    return None


def attention_of(node: Node) -> BaseAttention:
    built: BaseAttention = make_factory(node)(query_dim=8, key_dim=8)
    return built


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def factor_table(factor: str) -> list[str]:
    rows = []
    for choice, path in choices()[factor].items():
        cls = class_of(node_of(factor, choice))
        rows.append((f"`{choice}`", f"`{cls.__name__}`", description(path), source_of(cls)))
    return table(("choice", "class", "what it is", "source"), rows)


def source_of(cls: type) -> str:
    """The first paper that the docstring names."""
    found = SOURCE.search(" ".join((inspect.getdoc(cls) or "").split()))
    return found.group() if found else ""


def presets() -> dict[str, tuple[Path, Node]]:
    """Name -> file and composed node."""
    found = {}
    with initialize_config_dir(str(shipped_folder()), version_base="1.3"):
        for name, path in groups([shipped_folder()])["attention"].items():
            node: Any = OmegaConf.to_container(compose(overrides=[f"+attention={name}"]).attention)
            found[name] = path, node
    return found


def preset_table(known: Mapping[str, tuple[Path, Node]]) -> list[str]:
    notes, rows = Footnotes(), []
    for name, (path, node) in known.items():
        factory = make_factory(node)
        marks = [notes.mark(refusal(functools.partial(build, factory))) for build in MODELS.values()]
        rows.append((f"`{name}`", description(path), *marks))
    return [*table(("preset", "what it is", *MODELS), rows), *notes.lines()]


def is_sibling(node: Node) -> bool:
    return class_of(node) is not Attention


def sibling_table(known: Mapping[str, tuple[Path, Node]]) -> list[str]:
    notes, rows = Footnotes(), []
    for name, (_, node) in known.items():
        if is_sibling(node):
            taken = [_taken(node, factor, notes) for factor in NEUTRAL]
            rows.append((f"`{name}`", f"`{class_of(node).__name__}`", source_of(class_of(node)), *taken))
    return [*table(("preset", "class", "source", *NEUTRAL), rows), *notes.lines()]


def _taken(node: Node, factor: str, notes: Footnotes) -> str:
    """Which choices of a factor a sibling takes, in a few words."""
    if factor not in node:
        return "its own"
    refused: dict[str, str] = {}
    for choice in choices()[factor]:
        other = {factor: node_of(factor, choice)}
        reason = refusal(functools.partial(attention_of, {**node, **other}))
        if reason is not None:
            refused[choice] = notes.mark(general(reason, other))
    fits = [choice for choice in choices()[factor] if choice not in refused]
    few = fits if len(fits) <= len(refused) else list(refused)
    marks = " ".join(dict.fromkeys(refused.values()))
    return "any" if not refused else f"{'only' if few is fits else 'any but'} {', '.join(few)} {marks}"


def general(reason: str, nodes: Mapping[str, Node]) -> str:
    """A reason without the names of the classes that met, so that one footnote serves many."""
    for factor, node in nodes.items():
        reason = re.sub(rf"\b{class_of(node).__name__}\b(\([^)]*\))?", f"this {factor}", reason)
    return reason


def pair_tables() -> list[str]:
    notes, lines = Footnotes(), []
    for first, second in itertools.combinations(NEUTRAL, 2):
        rows = []
        for a in choices()[first]:
            marks = []
            for b in choices()[second]:
                met = {first: node_of(first, a), second: node_of(second, b)}
                reason = refusal(functools.partial(attention_of, _point(met)))
                marks.append("" if reason is None else notes.mark(general(reason, met)))
            rows.append((f"`{a}`", *marks))
        if any(mark for row in rows for mark in row[1:]):
            head = (f"{first} \\ {second}", *(f"`{b}`" for b in choices()[second]))
            lines += [*table(head, rows), ""]
        else:
            lines += [f"Every {first} goes with every {second}.", ""]
    return [*lines[:-1], *notes.lines()]


def _point(chosen: Mapping[str, Node]) -> Node:
    nodes = {factor: node_of(factor, choice) for factor, choice in NEUTRAL.items()}
    return {"_target_": "attnfocus.attention.Attention", **nodes, **chosen}


def page(text: str) -> str:
    """The page with every table between its marks made anew."""
    known = presets()
    tables = {factor: factor_table(factor) for factor in NEUTRAL}
    tables |= {"presets": preset_table(known), "siblings": sibling_table(known), "pairs": pair_tables()}
    for name, lines in tables.items():
        begin, end = f"<!-- {name}: scripts/combinations.py -->", f"<!-- end of {name} -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = "".join((before, begin, "\n", "\n".join(lines), "\n", end, after))
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page is out of date")
    options = parser.parse_args()
    old = PAGE.read_text(encoding="utf-8")
    new = page(old)
    if options.check:
        return int(old != new)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
