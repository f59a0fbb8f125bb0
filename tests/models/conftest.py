"""Attentions for the tests of models, composed as a user would compose them."""

from collections.abc import Callable
from typing import Any

import pytest
from attention_kinds import PRESETS, applies
from presets_support import composed

from attnfocus.config.targets import make_factory


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `preset` runs over one preset of each kind, unless it names its own."""
    own = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "preset" in metafunc.fixturenames and not any("preset" in names for names in own):
        metafunc.parametrize("preset", PRESETS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Classifiers are tested with what applies to them; that they refuse the rest has a test of its own.

    Cases with a `variant` are those of language models, which were asked what they take.
    """
    items[:] = [item for item in items if _belongs(item)]


def _belongs(item: pytest.Item) -> bool:
    given = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    if "preset" not in given or "kind" not in given or "variant" in given:
        return True
    return applies(given["preset"], given["kind"]) != ("refused" in item.name)


@pytest.fixture
def make_attention() -> Callable[..., Callable[..., Any]]:
    """make_attention("dot", "attention/pattern=causal") -> the factory that a model is given."""
    return lambda name, *overrides: make_factory(composed(f"attention={name}", *overrides))
