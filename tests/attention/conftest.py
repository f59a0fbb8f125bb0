"""A test that takes `preset` runs for each preset of the YAML folder."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from attention_presets import PRESETS, composed, partial_of

from attnfocus.attention import Attention


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "preset" in metafunc.fixturenames:
        metafunc.parametrize("preset", PRESETS)


@pytest.fixture(scope="session")
def build() -> Callable[..., Attention]:
    """build("additive", "attention/pattern=causal", query_dim=..., key_dim=...): float64, random parameters, eval."""

    def build_(preset: str, *overrides: str, query_dim: int = 8, key_dim: int = 8, **given: Any) -> Attention:
        factory = partial_of(composed(f"attention={preset}", *overrides))
        attention = factory(query_dim=query_dim, key_dim=key_dim, **given).double().eval()
        generator = torch.Generator().manual_seed(7)
        with torch.no_grad():  # biases start at zero, which would hide a mistake
            for parameter in attention.parameters():
                parameter.normal_(std=0.5, generator=generator)
        return attention

    return build_
