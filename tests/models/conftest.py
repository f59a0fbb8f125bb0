"""Attentions for the tests of models, composed as a user would compose them."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from attnfocus.config.targets import make_factory

CONFIGS = Path(__file__).parents[2] / "configs"
PRESETS = sorted(path.stem for path in (CONFIGS / "attention").glob("*.yaml"))


@lru_cache
def _compose(name: str, *overrides: str) -> dict[str, Any]:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose(overrides=[f"+attention={name}", *overrides])
    return OmegaConf.to_container(config.attention, resolve=True)  # type: ignore[return-value]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `preset` runs over every preset found in configs/attention."""
    if "preset" in metafunc.fixturenames:
        metafunc.parametrize("preset", PRESETS)


@pytest.fixture
def make_attention() -> Callable[..., Callable[..., Any]]:
    """make_attention("dot", "attention/pattern=causal") -> the factory that a model is given."""
    return lambda name, *overrides: make_factory(_compose(name, *overrides))
