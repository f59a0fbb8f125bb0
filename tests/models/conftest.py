"""Attentions for the tests of models, composed as a user would compose them."""

from collections.abc import Callable
from typing import Any

import pytest
from presets_support import attentions, composed

from attnfocus.attention import BaseAttention
from attnfocus.config.targets import make_factory


def _as_models_see_it(attention: BaseAttention) -> tuple[object, ...]:
    return (
        type(attention),
        attention.same_sequence_only,
        attention.sees_everything,
        attention.decoders_only,
        attention.uses_history,
        attention.weights_are_distributions,
        attention.has_projections,
    )


# One preset of each kind that a model can tell from the others; all of them meet the attention's own contract.
PRESETS = sorted({_as_models_see_it(attention): name for name, attention in reversed(attentions().items())}.values())


def applies(preset: str, kind: str) -> bool:
    """Whether the classifier of this kind takes the attention."""
    attention = attentions()[preset]
    if attention.decoders_only:
        return False
    if kind == "transformer_cls":
        return attention.sees_everything
    return kind == "transformer_mean" or not attention.same_sequence_only


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `preset` runs over one preset of each kind."""
    if "preset" in metafunc.fixturenames:
        metafunc.parametrize("preset", PRESETS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Classifiers are tested with what applies to them; that they refuse the rest has a test of its own."""
    items[:] = [item for item in items if _belongs(item)]


def _belongs(item: pytest.Item) -> bool:
    given = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    if "preset" not in given or "kind" not in given:
        return True
    return applies(given["preset"], given["kind"]) != ("refused" in item.name)


@pytest.fixture
def make_attention() -> Callable[..., Callable[..., Any]]:
    """make_attention("dot", "attention/pattern=causal") -> the factory that a model is given."""
    return lambda name, *overrides: make_factory(composed(f"attention={name}", *overrides))
