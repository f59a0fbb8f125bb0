"""A run says once which path each of its attentions takes, and why; what was asked for runs or is refused."""

import json
import shutil
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
import torch
from tests_support import TINY_DATES, Command, assert_polite, only_run, summary_of
from torch import nn

from attnfocus.attention import AdditiveScore, Attention, BaseAttention, CausalPattern, PathChoice, ScaledDotScore
from attnfocus.commands.assembly import check_train
from attnfocus.commands.attention_paths import attention_paths, path_lines
from attnfocus.commands.resume import CHANGEABLE
from attnfocus.config.overrides import CommandLine
from attnfocus.errors import ConfigError
from attnfocus.models import Seq2Seq, TransformerClassifier

CPU = torch.device("cpu")
META = torch.device("meta")


def of_transformer(
    length: int, device: torch.device = CPU, score: type = ScaledDotScore, **options: object
) -> dict[str, PathChoice]:
    build = partial(
        TransformerClassifier,
        attention=partial(Attention, score=score, **options),
        num_classes=2,
        vocab_size=9,
        embed_dim=64,
        num_layers=2,
        num_heads=2,
    )
    ids, lengths = torch.zeros(3, length, dtype=torch.long, device=META), torch.empty(3, dtype=torch.long, device=META)
    return attention_paths(build, lambda model: model(ids, lengths), device)


def test_each_attention_is_asked_with_the_sizes_that_it_meets() -> None:
    small = of_transformer(10, path="auto")
    assert list(small) == ["layers.0", "layers.1"]
    assert {choice.name for choice in small.values()} == {"sdpa"}
    large = of_transformer(8192, score=AdditiveScore)
    assert {choice.name for choice in large.values()} == {"chunked"}
    assert all("would not fit well in memory" in choice.reason for choice in large.values())


def test_it_is_asked_for_the_device_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    choose = import_module("attnfocus.attention.paths.choose")
    monkeypatch.setattr(choose, "find_spec", lambda name: object())
    on_cuda = of_transformer(2048, torch.device("cuda"), pattern=CausalPattern)
    assert {choice.name for choice in on_cuda.values()} == {"flex"}  # padding makes the mask dense


def test_a_decoder_is_asked_too_and_nothing_random_is_drawn() -> None:
    build = partial(
        Seq2Seq, attention=partial(Attention, score=AdditiveScore), source_vocab_size=9, target_vocab_size=9
    )
    ids, lengths = torch.zeros(3, 7, dtype=torch.long, device=META), torch.empty(3, dtype=torch.long, device=META)
    before = torch.get_rng_state()
    (place,) = (found := attention_paths(build, lambda model: model(ids, lengths, ids), CPU))
    assert place == "decoder"
    assert found[place].name == "plain"
    assert torch.equal(torch.get_rng_state(), before)


class Whole(BaseAttention):
    """An attention below the frame, that chooses nothing."""


class Curious(nn.Module):
    """A model of a user's own, which needs numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Attention(8, 8, score=ScaledDotScore)
        self.second = Whole(8, 8)

    def forward(self, vectors: torch.Tensor) -> float:
        self.first(vectors, vectors)
        return vectors.sum().item()


def test_what_cannot_run_without_numbers_is_asked_without_sizes() -> None:
    found = attention_paths(Curious, lambda model: model(torch.zeros(2, 8, device=META)), CPU)
    assert found["first"].name == "sdpa"
    assert found["second"] == PathChoice("plain", "Whole knows one way to compute")
    assert attention_paths(Curious, lambda model: None, CPU) == found


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
    _a_run_of_a_gpu_is_evaluated_here(run, attnfocus, tmp_path)


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
    assert "attention.path" in CHANGEABLE  # all paths give the same numbers


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
