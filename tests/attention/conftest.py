"""A test that takes `preset` or `combination` runs for each preset of the YAML folder, or row of the covering set."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from attention_pairs import COMBINATIONS
from attention_presets import PRESETS, combination_factory, composed, partial_of, preset_factory

from attnfocus.attention import BaseAttention


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "preset" in metafunc.fixturenames:
        metafunc.parametrize("preset", PRESETS)
    if "combination" in metafunc.fixturenames:
        ids, rows = [f"combination {name}" for name in COMBINATIONS], map(combination_factory, COMBINATIONS.values())
        if "number_of_combination" in metafunc.fixturenames:
            metafunc.parametrize(("number_of_combination", "combination"), list(enumerate(rows)), ids=ids)
        else:
            metafunc.parametrize("combination", list(rows), ids=ids)
    if "factory" in metafunc.fixturenames:
        presets = [(f"preset {name}", preset_factory(name)) for name in PRESETS]
        metafunc.parametrize("factory", [factory for _, factory in presets], ids=[name for name, _ in presets])


@pytest.fixture(scope="session")
def build() -> Callable[..., BaseAttention]:
    """build("additive", "attention/pattern=causal", query_dim=..., key_dim=...): float64, random parameters, eval."""

    def build_(preset: str, *overrides: str, query_dim: int = 8, key_dim: int = 8, **given: Any) -> BaseAttention:
        factory = partial_of(composed(f"attention={preset}", *overrides))
        attention = factory(query_dim=query_dim, key_dim=key_dim, **given).double().eval()
        generator = torch.Generator().manual_seed(7)
        with torch.no_grad():  # biases start at zero, which would hide a mistake
            for parameter in attention.parameters():
                parameter.normal_(std=0.5, generator=generator)
        return attention

    return build_
