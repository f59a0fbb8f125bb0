"""`model.layer_attentions`: names become nodes, mistakes are named, and a stack has a name of its own."""

from pathlib import Path
from typing import Any

import pytest

from attnfocus.config.overrides import CommandLine
from attnfocus.config.presets import composed_choice
from attnfocus.config.search_space import split_overrides
from attnfocus.config.stack_keys import stack_of, words_of_layers
from attnfocus.config.stacks import with_stacks
from attnfocus.errors import ConfigError, Problem
from attnfocus.runs.assembly import check_train


def stacked(*overrides: str, config_dir: str | None = None) -> tuple[dict[str, Any], dict[str, str]]:
    """The configuration of a command line, and the names of its stacks."""
    given = ["model=transformer", "model.num_layers=4", *overrides]
    return with_stacks(CommandLine("train", given, config_dir).compose(given, resolve=True), given, config_dir)


def refused(*overrides: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        stacked(*overrides)
    return [each for each in caught.value.problems if isinstance(each, Problem)]


def test_names_become_nodes_that_say_all() -> None:
    values, names = stacked("model.layer_attentions=[local*2,rotary]")
    local, rotary = composed_choice("attention", "local"), composed_choice("attention", "rotary")
    assert values["model"]["layer_attentions"] == [local, local, rotary]
    assert names == {"attention": "local*2,rotary"}
    model = check_train(values).trial_model()
    assert [type(layer.attention.pattern).__name__ for layer in model.layers] == [  # type: ignore[union-attr]
        "LocalPattern",
        "LocalPattern",
        "FullPattern",
        "LocalPattern",
    ]
    called = check_train({**values, "choices": names}).new_model(Sizes())  # type: ignore[arg-type]
    words = ["local", "local", "rotary", "local"]
    assert called.labels() == {f"layers.{layer}": f"layers.{layer} ({word})" for layer, word in enumerate(words)}
    assert [place.name for place in called.places()][:4] == [f"layers.{layer}" for layer in range(4)]
    again, unnamed = with_stacks(values, [])  # as it is saved, with nothing that was typed
    assert again["model"] == values["model"]
    assert unnamed == {"attention": "Attention,Attention,Attention"}


class Sizes:
    """As much of a codec as a model asks for."""

    grid = None

    def dims(self) -> dict[str, int]:
        return {"num_classes": 2, "vocab_size": 5}

    def tokenizers(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize(
    ("stack", "words"),
    [
        ("local*2,rotary", ["local", "local", "rotary"]),
        ("local(pattern.window=4,num_heads=2)*2,rotary", ["local", "local", "rotary"]),
        ("local(pattern.window=4),local(pattern.window=8)", ["local(pattern.window=4)", "local(pattern.window=8)"]),
        ("local*3", []),  # nothing to tell apart
        ("multi_head", []),
    ],
)
def test_layers_are_told_apart_by_what_was_typed(stack: str, words: list[str]) -> None:
    assert words_of_layers(stack) == words


def test_an_item_may_have_options_and_other_parts() -> None:
    stack = "model.layer_attentions=[{multi_head*2:{pattern:local,pattern.window:3,num_heads:2}},rotary]"
    values, names = stacked(stack)
    first = values["model"]["layer_attentions"][1]
    assert (first["pattern"]["window"], first["num_heads"]) == (3, 2)
    assert names == {"attention": "multi_head(pattern=local,pattern.window=3,num_heads=2)*2,rotary"}
    called = {**values, "choices": {"model": "transformer", "dataset": "languages", **names}}
    assert check_train(called).name == (
        "transformer_multi_head-pattern=local+pattern.window=3+num_heads=2-x2+rotary_languages"
    )


def test_each_place_has_a_stack_of_its_own_name() -> None:
    given = ["model=transformer_seq2seq", "attention=t5", "model.encoder_layer_attentions=[local,rotary]"]
    values, names = with_stacks(CommandLine("train", given).compose(given, resolve=True), given)
    assert names == {"model.encoder_layer_attentions": "local,rotary"}
    assert len(check_train(values).trial_model().attentions()) == 6
    assert stack_of("model.encoder_layer_attentions.0.pattern.window") == "model.encoder_layer_attentions"
    assert stack_of("model.layer_attentions") == "attention"
    assert stack_of("model.num_layers") is stack_of("attention.layer_attentions") is None


def test_choices_of_ones_own_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "attention").mkdir()
    text = "defaults: [local, _self_]\npattern: {window: 5}\n"
    (tmp_path / "attention" / "mine.yaml").write_text(text, encoding="utf-8")
    values, names = stacked("model.layer_attentions=[mine,rotary]", config_dir=str(tmp_path))
    assert values["model"]["layer_attentions"][0]["pattern"]["window"] == 5
    assert names == {"attention": "mine,rotary"}


def test_mistakes_are_named_with_the_stack_to_type() -> None:
    local, rotary = refused("model.layer_attentions=[locl*2,rotry]")
    assert "model.layer_attentions: locl: no such choice. Did you mean local?" in local
    assert local.instead == rotary.instead == ("model.layer_attentions=[local*2,rotary]",)
    (window,) = refused("model.layer_attentions=[{local:{pattern.windw:3}}]")
    assert "Did you mean attention.pattern.window?" in window
    (plain,) = refused("model.layer_attentions=local")
    assert plain.instead == ("model.layer_attentions=[local]",)
    with pytest.raises(ConfigError, match="3 is no attention: write a choice of attention, as in"):
        stacked("model.layer_attentions=[3]")
    with pytest.raises(ConfigError, match=r"local\*0: must be 1 to 1,000 times"):
        stacked("model.layer_attentions=[local*0]")


def test_sweeps_and_searches_range_over_stacks() -> None:
    text = "model.layer_attentions=[local*3,rotary],[rotary]"
    CommandLine("train", ["model=transformer", "model.num_layers=4", text], is_sweep=True).check()
    _, (space,) = split_overrides(["model=transformer", text], {}, {"model", "attention"})
    assert space.extremes == ("model.layer_attentions=[local*3,rotary]", "model.layer_attentions=[rotary]")
    assert stacked(space.extremes[0])[1] == {"attention": "local*3,rotary"}


def test_an_attention_that_is_typed_besides_is_refused_where_it_would_not_count() -> None:
    stack = "model.layer_attentions=[local,rotary]"
    for typed in ("attention=dot", "attention/position=alibi", "attention.dropout=0.1"):
        (problem,) = refused(stack, typed)
        assert f"{typed}: counts in no layer, as model.layer_attentions says what each layer has" in problem
        assert problem.instead == ()
    values, _ = stacked(stack, "attention=dot", "model.pooling=attention")  # it pools
    assert check_train(values).trial_model()
