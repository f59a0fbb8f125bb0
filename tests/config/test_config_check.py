"""The check collects every problem of a configuration, with key, value, limit and nearest name."""

from dataclasses import dataclass, field
from typing import Literal

import pytest

from attnfocus.config.check import Component
from attnfocus.config.nearest import nearest
from attnfocus.config.read import check
from attnfocus.config.targets import find_target, make_factory
from attnfocus.errors import ConfigError
from attnfocus.limits import NonNegativeFloat, PositiveInt, Probability


@dataclass
class Inner:
    rate: Probability = 0.0


@dataclass
class Section:
    steps: PositiveInt = 1
    clip: NonNegativeFloat | None = None
    kind: Literal["a", "b"] = "a"
    names: list[str] = field(default_factory=list)
    flag: bool = False
    inner: Inner = field(default_factory=Inner)
    part: Component | None = None


def problems_of(**values: object) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        check(values, Section, trusted=["attnfocus.limits"])
    return caught.value.problems


def test_all_problems_are_collected_in_one_error() -> None:
    problems = problems_of(steps=-5, clip="x", kind="c", flag=1, inner={"rate": 1.5, "rat": 0})
    assert len(problems) == 6
    assert "steps: must be > 0, got -5. Without the minus sign it can be used." in problems
    assert "inner.rate: must be >= 0 and < 1, got 1.5." in problems
    assert "inner.rat: unknown option of Inner. Did you mean rate?" in problems


def test_minus_one_is_no_sign_too_many_but_no_limit() -> None:
    (said,) = problems_of(clip=-1)
    assert said == "clip: must be >= 0 or null (not set), got -1."
    assert said.instead == ("clip=null",)
    (said,) = problems_of(steps=-1)
    assert said == "steps: must be > 0, got -1."
    assert said.instead is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_nan_and_infinity_are_outside_every_range(value: float) -> None:
    assert problems_of(clip=value)[0].startswith("clip: must be >= 0 or null (not set)")


@pytest.mark.parametrize(
    ("value", "said"), [("abc", "must be a whole number, got 'abc'"), (1.5, "got 1.5"), (True, "got true")]
)
def test_a_wrong_type_names_key_value_and_type(value: object, said: str) -> None:
    assert said in problems_of(steps=value)[0]


def test_values_are_converted_to_what_the_annotation_says() -> None:
    section = check({"clip": 1, "inner": {"rate": 0}, "names": ["x"]}, Section)
    assert section == Section(clip=1.0, inner=Inner(0.0), names=["x"])
    assert isinstance(section.clip, float)


def test_null_is_allowed_only_where_the_annotation_says_so() -> None:
    assert check({"clip": None}, Section).clip is None
    assert problems_of(steps=None) == ("steps: must be a whole number, got null.",)


@pytest.mark.parametrize(
    "name",
    [
        "os.getcwd",
        "builtins.eval",
        "torch.load",
        "attnfocus.runs.folder.subprocess.run",  # begins well, resolves elsewhere
        "attnfocus.cli.main.os.getcwd",
        "attnfocusx.models.Seq2Seq",
        "attnfocus.__main__.main",
        "attnfocus.models.__init__.Seq2Seq",
        "attnfocus.files.replace_file",  # ours, but writes files
        "attnfocus.data.reading.download.fetch",
        "attnfocus.data.load_codec",
        "attnfocus.training.fit",
        "attnfocus",
        "",
        None,
        3,
        "attnfocus.models.Seq2Seq; import os",
    ],
)
def test_targets_outside_the_allow_list_are_refused(name: object) -> None:
    with pytest.raises(ConfigError) as caught:
        find_target("model._target_", name)
    assert "model._target_" in str(caught.value)


def test_a_package_can_be_trusted_by_name() -> None:
    assert find_target("x", "fractions.Fraction", trusted=["fractions"]).__name__ == "Fraction"
    with pytest.raises(ConfigError, match=r"trust=\[fractions\]"):
        find_target("x", "fractions.Fraction")


def test_a_target_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigError, match="there is no Seq3Seq in attnfocus"):
        find_target("model._target_", "attnfocus.models.Seq3Seq")


def test_options_of_a_component_are_checked_against_its_signature() -> None:
    node = {"_target_": "attnfocus.limits.Range", "gt": "low", "upper": 3}
    problems = problems_of(part=node)
    assert problems == (
        "part.upper: unknown option of Range.",
        "part.gt: must be a number or null (not set), got 'low'.",
    )


def test_nested_components_become_factories() -> None:
    factory = make_factory(
        {"_target_": "attnfocus.limits.Range", "gt": {"_target_": "attnfocus.limits.Range", "ge": 1.0}},
        trusted=["attnfocus.limits"],
    )
    built = factory()
    assert built.gt().ge == 1.0


@pytest.mark.parametrize(
    ("typed", "known", "meant"),
    [
        ("atention", ["attention", "dataset"], "attention"),
        ("learning_rate", ["lr", "eps", "weight_decay"], "lr"),
        ("hiden_size", ["hidden_size", "embed_dim"], "hidden_size"),
    ],
)
def test_the_nearest_name_is_found(typed: str, known: list[str], meant: str) -> None:
    assert nearest(typed, known, count=1) == [meant]
