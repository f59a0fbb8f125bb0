"""What goes together, what is refused and in which words, the page that says so, and a factor of one's own."""

import functools
import importlib
import importlib.util
import re
import runpy
import sys

import pytest
import torch
from attention_presets import (
    CHOICES,
    CONFIGS,
    PRESETS,
    class_of,
    combination_factory,
    composed,
    factor_node,
    partial_of,
)
from tests_support import TINY_DATES, assert_polite

from attnfocus.attention import AdditiveScore, Attention, Pattern, ScaledDotScore
from attnfocus.attention.contract import check_promises
from attnfocus.config.overrides import CommandLine
from attnfocus.errors import ConfigError
from attnfocus.models import (
    PoolingClassifier,
    RNNClassifier,
    RNNLanguageModel,
    Seq2Seq,
    TransformerClassifier,
    TransformerLanguageModel,
    TransformerSeq2Seq,
)
from attnfocus.runs.assembly import check_train

ROOT = CONFIGS.parent
PAGE = ROOT / "docs" / "attention.md"
SIZES = {"num_classes": 2, "vocab_size": 8}
MODELS = {
    "seq2seq": functools.partial(Seq2Seq, source_vocab_size=8, target_vocab_size=8),
    "transformer_seq2seq": functools.partial(TransformerSeq2Seq, source_vocab_size=8, target_vocab_size=8),
    "transformer": functools.partial(TransformerClassifier, **SIZES),
    "rnn_classifier": functools.partial(RNNClassifier, **SIZES),
    "pooling_classifier": functools.partial(PoolingClassifier, **SIZES),
    "language_model": functools.partial(TransformerLanguageModel, vocab_size=8),
    "rnn_language_model": functools.partial(RNNLanguageModel, vocab_size=8),
}


def refusal(factory, model):
    """Why a model does not take an attention, or None."""
    try:
        with torch.device("meta"):
            MODELS[model](attention=factory)
    except ValueError as error:
        return str(error)
    return None


def test_every_preset_works_in_some_model_and_is_refused_politely_by_the_others(preset):
    refusals = [refusal(partial_of(composed(f"attention={preset}")), model) for model in MODELS]
    assert None in refusals
    for reason in filter(None, refusals):
        assert len(reason.splitlines()) == 1
        assert re.search(r"[.:] [Uu]se ", reason), reason


@pytest.mark.slow
def test_every_factor_works_in_some_model():
    for factor, choices in CHOICES.items():
        for choice in choices:
            row = combination_factory({factor: choice})
            assert None in [refusal(row, model) for model in MODELS], (factor, choice)


@pytest.mark.parametrize("score", CHOICES["score"])
def test_only_scores_that_turn_with_query_and_key_take_rotary(score):
    factory = combination_factory({"score": score, "position": "rotary"})
    if class_of(factor_node("score", score)).is_rotation_invariant:
        factory(query_dim=8, key_dim=8)
    else:
        with pytest.raises(
            ValueError, match=r"RotaryPosition turns queries and keys, and \w+ does not .*: use attention"
        ):
            factory(query_dim=8, key_dim=8)


@pytest.mark.parametrize(
    ("follows", "name"),
    [
        (("score", "location"), "LocationScore"),
        (("score", "coverage"), "CoverageScore"),
        (("normalizer", "monotonic"), "Monotonic"),
    ],
)
def test_what_follows_a_decoder_knows_no_positions(follows, name):
    rules = [("pattern", choice) for choice in CHOICES["pattern"] if choice != "full"]
    rules += [("position", choice) for choice in CHOICES["position"] if choice not in ("none", "rotary")]
    for rule in rules:
        with pytest.raises(ValueError, match=rf"{name} follows where a decoder looked .*: use attention/pattern=full"):
            combination_factory(dict((follows, rule)))(query_dim=8, key_dim=8)
    for model in ("transformer", "rnn_classifier", "pooling_classifier"):
        assert "an encoder has no steps. Use model=seq2seq" in refusal(combination_factory(dict((follows,))), model)
    assert refusal(combination_factory(dict((follows,))), "seq2seq") is None


def test_a_decoder_refuses_any_pattern_that_a_step_would_pass_over():
    """A pattern that names no positions as its own is no exception: a step never asks it."""

    class Odd(Pattern):
        def allows(self, places):
            return places.keys % 2 == 1

    factory = functools.partial(Attention, score=partial_of(factor_node("score", "location")), pattern=Odd)
    with pytest.raises(ValueError, match="where Odd has no meaning"):
        factory(query_dim=8, key_dim=8)


def test_a_path_that_cannot_run_says_why_and_what_can():
    with pytest.raises(
        ValueError, match=r"path=sdpa cannot run this: AdditiveScore is no inner product.* Use path=auto"
    ):
        Attention(8, 8, score=AdditiveScore, path="sdpa")


def own_way():
    """Presets and a factor that they take no choice of."""
    for preset in PRESETS:
        for factor, choices in CHOICES.items():
            if factor not in composed(f"attention={preset}"):
                yield preset, factor, choices[0]


@pytest.mark.slow
def test_a_factor_that_an_attention_does_not_take_is_said_with_those_that_do():
    found = list(own_way())
    for preset, factor, choice in found[:3]:
        line = CommandLine("train", (f"attention={preset}", f"attention/{factor}={choice}", "attention.dropuot=0.1"))
        with pytest.raises(ConfigError) as caught:
            line.check()
        first, second = caught.value.problems
        assert first.startswith(f"attention/{factor}={choice}: attention={preset} has its own way there and takes no ")
        assert re.search(rf"It takes .*; {factor} goes with attention: a", first)
        assert second == "attention.dropuot: unknown key. Did you mean attention.dropout?"


@pytest.mark.slow
def test_in_a_sweep_only_the_attention_that_does_not_take_a_factor_is_named():
    preset, factor, choice = next(own_way())
    line = CommandLine("train", (f"attention=additive,{preset}", f"attention/{factor}={choice}"), is_sweep=True)
    with pytest.raises(ConfigError) as caught:
        line.check()
    assert [problem.split(" has its own way")[0] for problem in caught.value.problems] == [
        f"attention/{factor}={choice}: attention={preset}"
    ]


@pytest.mark.slow
def test_factors_that_do_not_go_together_are_an_error_of_the_configuration():
    for overrides, said in (
        (
            ["model=transformer", "attention=additive", "attention/position=rotary"],
            "RotaryPosition turns queries and keys",
        ),
        (["model=transformer", "attention=linformer", "attention/pattern=causal"], "use attention/pattern=full"),
        (["model=transformer", "attention=additive", "attention.path=sdpa"], "Use path=auto"),
        (["attention=location", "attention/pattern=causal"], "use attention/pattern=full"),
    ):
        values = CommandLine("train", overrides).compose(overrides, resolve=True)
        with pytest.raises(ConfigError) as caught:
            check_train({**values, "choices": {}})
        assert len(caught.value.problems) == 1
        assert caught.value.problems[0].startswith("model: ")
        assert said in caught.value.problems[0]


def test_the_command_refuses_a_factor_politely(attnfocus):
    preset, factor, choice = next(own_way())
    done = attnfocus("train", f"attention={preset}", f"attention/{factor}={choice}")
    assert_polite(done, 2)
    assert f"attention={preset} has its own way there" in done.stderr


@pytest.mark.slow
def test_the_page_says_what_the_code_does():
    spec = importlib.util.spec_from_file_location("combinations", ROOT / "scripts" / "combinations.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    text = PAGE.read_text(encoding="utf-8")
    assert script.page(text) == text, "write it anew: python scripts/combinations.py"
    for choices in (PRESETS, *CHOICES.values()):
        assert all(f"| `{choice}` |" in text for choice in choices)


def blocks(kind):
    """The code blocks under "Your own score", in their order."""
    section = PAGE.read_text(encoding="utf-8").split("## Your own score")[1]
    return re.findall(rf"^```{kind}\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def contributor(tmp_path):
    """A folder with the two files that docs/attention.md shows, and nothing else."""
    module, check, normalizer = blocks("python")
    (tmp_path / "my_normalizers.py").write_text(normalizer, encoding="utf-8")
    (tmp_path / "my_scores.py").write_text(module, encoding="utf-8")
    (tmp_path / "check.py").write_text(check, encoding="utf-8")
    folder = tmp_path / "my_configs" / "attention" / "score"
    folder.mkdir(parents=True)
    (folder / "nearest.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    return tmp_path


def test_a_score_of_ones_own_keeps_the_promises(contributor, monkeypatch):
    monkeypatch.chdir(contributor)
    monkeypatch.syspath_prepend(contributor)
    monkeypatch.setitem(sys.modules, "my_scores", None)  # put back to what it was: not there
    del sys.modules["my_scores"]
    runpy.run_path(str(contributor / "check.py"), run_name="__main__")


def test_a_normalizer_of_ones_own_keeps_the_promises(contributor, monkeypatch):
    monkeypatch.syspath_prepend(contributor)
    monkeypatch.setitem(sys.modules, "my_normalizers", None)
    del sys.modules["my_normalizers"]
    module = importlib.import_module("my_normalizers")
    check_promises(functools.partial(Attention, score=ScaledDotScore, normalizer=module.GrowingSoftmax))


@pytest.mark.slow
def test_a_score_of_ones_own_trains_from_its_yaml(contributor, attnfocus):
    line, *_ = blocks("text")
    _, _, arguments = line.partition("attnfocus ")
    done = attnfocus(*arguments.split(), *TINY_DATES)
    assert done.returncode == 0, done.stderr
    (config,) = (contributor / "outputs").rglob("config.yaml")
    assert "my_scores.NearestScore" in config.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_wrong_option_of_a_score_of_ones_own_is_an_error_of_the_configuration(contributor, attnfocus):
    line, *_ = blocks("text")
    _, _, arguments = line.partition("attnfocus ")
    done = attnfocus(*arguments.replace("width=4", "width=-4").split())
    assert_polite(done, 2)
    assert "attention.score.width: must be > 0, got -4" in done.stderr
