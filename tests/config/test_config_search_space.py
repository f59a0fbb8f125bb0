"""What a search varies, from Hydra's sweep syntax."""

import pytest

from attnfocus.config.search_space import Dimension, split_overrides
from attnfocus.errors import ConfigError

GROUPS = {"attention", "model"}


def dimension(text: str) -> Dimension:
    fixed, space = split_overrides([text], {}, GROUPS)
    assert fixed == []
    return space[0]


def test_a_range_ends_before_its_stop_in_exact_decimals() -> None:
    found = dimension("model.dropout=range(0,0.6,0.1)")  # in floats 5 * 0.1 + 0.1 is not 0.6
    assert (found.kind, found.low, found.high, found.step) == ("number", 0.0, 0.5, 0.1)
    assert found.extremes == ("model.dropout=0.0", "model.dropout=0.5")


def test_a_range_of_integers_stays_one_also_downwards() -> None:
    up, down = dimension("model.num_layers=range(1,8,3)"), dimension("model.num_layers=range(7,0,-3)")
    assert (up.kind, up.low, up.high, up.step) == ("integer", 1, 7, 3)
    assert (down.low, down.high, down.step) == (1, 7, 3)


def test_intervals_are_numbers_or_integers_and_may_be_logarithmic() -> None:
    lr, size = (
        dimension("optimizer.lr=tag(log,interval(1e-4,1e-2))"),
        dimension("model.hidden_size=int(interval(16,64))"),
    )
    assert (lr.kind, lr.low, lr.high, lr.step, lr.log) == ("number", 1e-4, 1e-2, None, True)
    assert (size.kind, size.low, size.high, size.log) == ("integer", 16, 64, False)
    assert size.extremes == ("model.hidden_size=16", "model.hidden_size=64")


def test_choices_are_texts_as_they_are_typed() -> None:
    found = dimension("attention=additive,dot,additive")
    assert (found.kind, found.choices) == ("choice", ("additive", "dot"))
    assert dimension("model.sizes=[1,2],[3]").choices == ("[1,2]", "[3]")


def test_an_override_gives_back_the_exact_number() -> None:
    value = 0.1 + 0.2
    key, text = dimension("optimizer.lr=interval(0,1)").override(value).split("=")
    assert (key, float(text)) == ("optimizer.lr", value)


def test_the_command_line_goes_before_a_ready_space() -> None:
    params = {"optimizer.lr": "interval(0.1,1)", "model.dropout": "range(0,3)", "seed": "5"}
    fixed, space = split_overrides(["optimizer.lr=0.3", "model.dropout=0.1,0.2"], params, GROUPS)
    assert fixed == ["optimizer.lr=0.3", "seed=5"]
    assert [(each.key, each.choices) for each in space] == [("model.dropout", ("0.1", "0.2"))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("attention=interval(1,2)", "attention=a,b"),
        ("attention=glob(*)", "attention=a,b"),
        ("optimizer.lr=interval(1,0)", "smaller"),
        ("optimizer.lr=tag(log,interval(0,1))", "> 0"),
        ("model.num_layers=tag(log,range(1,9,2))", "no step"),
        ("optimizer.lr=tag(lug,interval(1,2))", "no tag lug"),
        ("model.num_layers=range(3,3)", "no value"),
    ],
)
def test_what_cannot_be_varied_so_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")) as caught:
        dimension(text)
    assert text.split("=")[0] in str(caught.value)


def test_a_key_is_varied_once() -> None:
    with pytest.raises(ConfigError, match="twice"):
        split_overrides(["optimizer.lr=1,2", "optimizer.lr=interval(1,2)"], {}, GROUPS)
