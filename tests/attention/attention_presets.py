"""The presets and factors of the YAML folder, and what builds an attention of them."""

import contextlib
import functools
import importlib
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from presets_support import CONFIGS, composed
from presets_support import PRESETS as PRESETS

from attnfocus.attention import Attention

FACTORS = ("score", "normalizer", "pattern", "position")
CHOICES = {factor: sorted(path.stem for path in (CONFIGS / "attention" / factor).glob("*.yaml")) for factor in FACTORS}
NEUTRAL = {"score": "scaled_dot", "normalizer": "softmax", "pattern": "full", "position": "none", "heads": "one"}
HEADS: dict[str, dict[str, int]] = {
    "one": {},
    "four": {"num_heads": 4},
    "four_over_two": {"num_heads": 4, "num_key_heads": 2},
}


def class_of(node: dict[str, Any]) -> type:
    module, _, name = node["_target_"].rpartition(".")
    return getattr(importlib.import_module(module), name)


def partial_of(node: dict[str, Any]) -> Callable[..., Any]:
    options = {key: partial_of(value) if isinstance(value, dict) else value for key, value in node.items()}
    del options["_target_"]
    return functools.partial(class_of(node), **options)


@functools.cache
def factor_node(factor: str, choice: str) -> dict[str, Any]:
    return yaml.safe_load((CONFIGS / "attention" / factor / f"{choice}.yaml").read_text(encoding="utf-8"))


def small(pattern: dict[str, Any]) -> dict[str, Any]:
    """The pattern with every count at most 2, where it allows that: small inputs then meet all of its rules."""
    for name, value in pattern.items():
        if type(value) is int and value > 2:
            with contextlib.suppress(ValueError):
                partial_of({**pattern, name: 2})()
                pattern = {**pattern, name: 2}
    return pattern


@functools.cache
def preset_factory(preset: str) -> Callable[..., Any]:
    node = composed(f"attention={preset}")
    return partial_of({**node, "pattern": small(node["pattern"])} if isinstance(node.get("pattern"), dict) else node)


def combination_factory(row: Mapping[str, str]) -> Callable[..., Attention]:
    """An `Attention` of one choice for each factor and for the heads; what the row leaves out is neutral."""
    row = {**NEUTRAL, **row}
    nodes = {factor: factor_node(factor, row[factor]) for factor in FACTORS}
    nodes["pattern"] = small(nodes["pattern"])
    return functools.partial(
        Attention, **{factor: partial_of(node) for factor, node in nodes.items()}, **HEADS[row["heads"]]
    )
