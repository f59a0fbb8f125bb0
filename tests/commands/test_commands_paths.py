"""A run says once which path each of its attentions takes, and why; what was asked for runs or is refused."""

import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from tests_support import TINY_DATES, Command, assert_polite, only_run, summary_of
from torch import nn

from attnfocus.attention import AdditiveScore, Attention, BaseAttention, CoverageScore, PathChoice, ScaledDotScore
from attnfocus.config.overrides import CommandLine
from attnfocus.errors import ConfigError
from attnfocus.events import FirstStepDone
from attnfocus.marks import Mark
from attnfocus.models import Seq2Seq, TransformerClassifier
from attnfocus.runs.assembly import check_train
from attnfocus.runs.config import RunConfig
from attnfocus.tracking.attention_paths import TakenPaths, path_lines

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


class Heard:
    """What `TakenPaths` tells of a model."""

    def __init__(self, model: nn.Module, device: torch.device = CPU) -> None:
        self.told: list[dict[str, PathChoice]] = []
        self.paths = TakenPaths(model, device, lambda choices: self.told.append(dict(choices)))

    def step(self) -> list[tuple[str, str]]:
        """What is told after a step, as (place, path)."""
        before = len(self.told)
        self.paths.on_first_step(FirstStepDone(1))
        return [(place, choice.name) for choices in self.told[before:] for place, choice in choices.items()]


def transformer(score: type = ScaledDotScore, **options: object) -> TransformerClassifier:
    return TransformerClassifier(
        attention=partial(Attention, score=score, **options),
        num_classes=2,
        vocab_size=9,
        embed_dim=8,
        num_layers=2,
        num_heads=2,
    )


def run(model: nn.Module, length: int, **how: bool) -> None:
    model(torch.zeros(3, length, dtype=torch.long), torch.full((3,), length), **how)


def test_each_attention_tells_what_it_did_and_tells_it_once() -> None:
    model = transformer()
    heard = Heard(model)
    run(model, 5)
    assert heard.step() == [("layers.0", "sdpa"), ("layers.1", "sdpa")]
    run(model, 6)
    assert heard.step() == []


def test_another_path_in_training_is_told_too_and_that_of_an_evaluation_is_not() -> None:
    model = transformer(AdditiveScore)
    heard = Heard(model)
    run(model, 5)
    assert {name for _, name in heard.step()} == {"plain"}
    for attention in model.attentions().values():
        attention.max_weights = 3 * 2 * 20
    run(model.eval(), 5)
    assert heard.step() == []
    run(model.train(), 5)
    assert heard.step() == [("layers.0", "chunked"), ("layers.1", "chunked")]
    assert "would not fit well in memory" in heard.told[-1]["layers.0"].reason


def test_a_compiled_model_tells_it_as_well_without_a_break_or_a_second_compilation() -> None:
    model = transformer()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    heard = Heard(model)
    ids, lengths = torch.zeros(3, 5, dtype=torch.long), torch.full((3,), 5)
    with torch.compiler.set_stance("default"):
        compiled(ids, lengths)
    with torch.compiler.set_stance("fail_on_recompile"):
        compiled(ids, lengths)
    assert heard.step() == [("layers.0", "sdpa"), ("layers.1", "sdpa")]


class Whole(BaseAttention):
    """An attention below the frame, that chooses nothing."""


class Idle(nn.Module):
    """A model of a user's own, one of whose attentions rests."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Attention(8, 8, score=ScaledDotScore)
        self.second = Whole(8, 8)


def test_what_made_no_choice_is_asked_without_sizes_for_the_device_of_the_run() -> None:
    choices = Heard(Idle()).paths.choices()
    assert choices["first"].name == "sdpa"
    assert choices["second"] == PathChoice("plain", "Whole knows one way to compute")
    flex = nn.ModuleList([Attention(16, 16, score=ScaledDotScore, path="flex")])
    with pytest.raises(ValueError, match="the device is cpu"):
        Heard(flex).paths.choices()


def test_a_decoder_that_goes_step_by_step_tells_why() -> None:
    model = Seq2Seq(attention=partial(Attention, score=CoverageScore), source_vocab_size=9, target_vocab_size=9)
    heard = Heard(model)
    ids, lengths = torch.zeros(3, 7, dtype=torch.long), torch.full((3,), 7)
    model(ids, lengths, ids)
    assert heard.step() == [("decoder", "plain")]
    assert "one by one" in heard.told[0]["decoder"].reason


def test_alike_choices_are_told_in_one_line() -> None:
    sdpa, plain = PathChoice("sdpa", "fast"), PathChoice("plain", "slow")
    assert path_lines({"a": sdpa, "b": sdpa}) == ["attention path sdpa: fast"]
    assert path_lines({"a": sdpa, "b": plain, "c": sdpa}) == [
        "attention path sdpa (a, c): fast",
        "attention path plain (b): slow",
    ]
    many = {**{f"layers.{depth}": sdpa for depth in range(6)}, "pooling": plain}
    assert path_lines(many)[0] == "attention path sdpa (layers.0, layers.1, layers.2 and 3 more): fast"
    assert path_lines({}) == []


def test_a_run_says_which_path_and_why(attnfocus: Command, tmp_path: Path) -> None:
    done = attnfocus("train", *TINY_DATES, "attention=scaled_dot")
    assert done.returncode == 0, done.stderr
    line = "attention path sdpa: ScaledDotScore with Softmax"
    assert done.stderr.count(line) == 1
    run = only_run(tmp_path)
    assert (run / "train.log").read_text(encoding="utf-8").count(line) == 1
    (place, choice) = next(iter(summary_of(run)["attention_paths"].items()))
    assert place == "decoder"
    assert choice["path"] == "sdpa"
    assert choice["reason"].startswith("ScaledDotScore with Softmax")
    _nothing_compiles_to_predict(run)
    _a_run_of_a_gpu_is_evaluated_here(run, attnfocus, tmp_path)


def _nothing_compiles_to_predict(run: Path) -> None:
    program = "import sys, attnfocus; attnfocus.load(sys.argv[1]); print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, run], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"  # torch's compiler takes a second to import


def _a_run_of_a_gpu_is_evaluated_here(run: Path, attnfocus: Command, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    config = (copy / "config.yaml").read_text(encoding="utf-8")
    assert "path: auto" in config
    (copy / "config.yaml").write_text(config.replace("path: auto", "path: flex"), encoding="utf-8")
    done = attnfocus("evaluate", f"run={copy}", "format=json", "device=cpu")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"]["loss"] == summary_of(run)["test"]["loss"]
    refused = attnfocus("train", f"resume={copy}", "trainer.max_steps=8", "device=cpu")
    assert_polite(refused, 2)
    assert "path=flex cannot run here" in refused.stderr


def test_a_resumed_run_may_take_another_path() -> None:
    config = RunConfig(CommandLine("train", ()).compose([], resolve=True))
    assert config.keys.has("attention.path", Mark.RESUMABLE)  # all paths give the same numbers


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["attention=dot", "attention.path=flex"], ["flex", "cuda", "the device is cpu", "path=auto"]),
        (["attention=additive", "attention.path=sdpa"], ["sdpa", "AdditiveScore is no inner product", "path=auto"]),
        (["attention=dot", "attention.path=flash"], ["attention.path", "plain, sdpa, flex, chunked"]),
    ],
)
def test_a_path_that_cannot_run_is_refused_before_data_is_read(arguments: list[str], said: list[str]) -> None:
    line = CommandLine("train", [*arguments, "device=cpu"])
    with pytest.raises(ConfigError) as refusal:
        check_train(line.compose(line.overrides, resolve=True))
    for text in said:
        assert text in str(refusal.value)
