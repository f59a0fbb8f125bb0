"""What editors and `help` show of the public classes: all that a constructor takes, by name."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, get_type_hints

import pytest

from attnfocus import attention, models
from attnfocus.attention import keywords
from attnfocus.attention.siblings.kernel import KernelAttention
from attnfocus.signatures import parameters_of

CLASSES = [
    getattr(package, name)
    for package in (attention, models)
    for name in package.__all__
    if inspect.isclass(getattr(package, name)) and not issubclass(getattr(package, name), tuple)
]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_signature_names_all_that_a_constructor_takes(cls: type) -> None:
    parameters = inspect.signature(cls).parameters
    kinds = {each.kind for each in parameters.values()}
    assert not kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    assert set(parameters) == set(parameters_of(cls))
    if issubclass(cls, attention.BaseAttention):
        assert list(parameters)[:3] == ["query_dim", "key_dim", "value_dim"]
        assert "num_heads" in parameters
        assert "True = may attend" in (attention.BaseAttention.__doc__ or "")
    if issubclass(cls, attention.Normalizer):
        assert "True = may attend" in (cls.__doc__ or "")


def test_a_class_of_ones_own_shows_what_it_adds_and_what_it_hands_on() -> None:
    class Mine(attention.Attention):
        def __init__(self, *sizes: Any, strength: float = 1.0, **options: Any) -> None:
            super().__init__(*sizes, **options)

    shown = str(inspect.signature(Mine))
    assert shown.startswith("(query_dim: int, key_dim: int, value_dim: int | None = None, *, num_heads: ")
    assert shown.endswith("strength: float = 1.0) -> None")
    assert "dropout: " in shown
    bound: Callable[..., Any] = partial(Mine, strength=2.0)
    assert inspect.signature(bound).parameters["strength"].default == 2.0
    made = Mine(4, 4, score=attention.DotScore)
    assert "query_dim" not in inspect.signature(made).parameters  # that of a call


@pytest.mark.parametrize(
    ("listed", "cls"),
    [
        (keywords.HeadKeywords, attention.BaseAttention),
        (keywords.KernelKeywords, KernelAttention),
        (keywords.AttentionKeywords, attention.Attention),
    ],
)
def test_the_keywords_for_editors_are_those_of_the_constructors(listed: type, cls: type) -> None:
    sizes = ("query_dim", "key_dim", "value_dim")
    own = {name: each for name, each in parameters_of(cls).items() if name not in sizes}
    assert get_type_hints(listed, include_extras=False) == {name: _plain(each.annotation) for name, each in own.items()}
    assert listed.__required_keys__ == {name for name, each in own.items() if each.default is inspect.Parameter.empty}


def _plain(annotation: Any) -> Any:
    """Without marks, as `get_type_hints` gives it."""

    def holder(value: Any) -> None: ...

    holder.__annotations__["value"] = annotation
    return get_type_hints(holder)["value"]


def test_the_repr_of_an_attention_tells_its_sizes() -> None:
    made = attention.Attention(6, 8, score=attention.AdditiveScore, num_heads=2)
    assert "query_dim=6, key_dim=8, num_heads=2" in repr(made)
    assert "AdditiveScore(query_dim=3, key_dim=3" in repr(made)


def test_ranges_are_short_in_signatures() -> None:
    assert "Range(> 0 and <= 65,536)" in str(inspect.signature(models.Seq2Seq))
