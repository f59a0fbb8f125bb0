"""Values as people type them: Chinese paths, flags after overrides, several values without -m."""

from pathlib import Path

import pytest
from tests_support import Command, assert_polite

from attnfocus.config.override_text import literal
from attnfocus.config.overrides import CommandLine

SMALL = (
    "model.embed_dim=8",
    "model.hidden_size=8",
    "trainer.max_steps=2",
    "model=rnn_classifier",
    "dataset=labelled_text",
)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("dataset.train=中文.tsv", "dataset.train='中文.tsv'"),
        ("input=~/x.txt", "input='~/x.txt'"),
        ("run=it's 目录", r"run='it\'s 目录'"),
        ("seed=1", "seed=1"),
        ("run=7459", "run='7459'"),
        ("resume=1e45", "resume='1e45'"),
        ("runs=[7459,7ced]", "runs=['7459',7ced]"),
        ("run=outputs/2026-11-30/7459", "run=outputs/2026-11-30/7459"),
        ("attention=dot,additive", "attention=dot,additive"),
        ("nonsense", "nonsense"),
    ],
)
def test_plain_values_are_read_as_they_are_typed(typed: str, read: str) -> None:
    assert literal(typed) == read


@pytest.mark.parametrize(
    "text",
    ["a,b", "[1]", "1999", "null", "", "it's", "'q' \"q\"", "${oc.env:HOME}", r"\${x} a\b\\", r"\'", "k=v", "年"],
)
def test_what_follows_text_is_the_text(text: str) -> None:
    composed = CommandLine("inspect", ()).compose([literal(f"text={text}")], resolve=True)
    assert composed["text"] == text


@pytest.mark.slow
def test_chinese_files_columns_and_folders_work(attnfocus: Command, tmp_path: Path) -> None:
    lines = ["文本,标签", *[f"第{number}句,{'好' if number % 2 else '坏'}" for number in range(100)]]
    (tmp_path / "数据.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    columns = ("dataset.text_column=文本", "dataset.label_column=标签")
    done = attnfocus("train", *SMALL, "dataset.train=数据.csv", *columns, "paths.outputs=我的 outputs")
    assert done.returncode == 0, done.stderr
    (run,) = (path.parent for path in (tmp_path / "我的 outputs").rglob("config.yaml"))
    done = attnfocus("predict", f"run={run.relative_to(tmp_path)}", input="第7句\n")
    assert done.stdout.strip() in ("好", "坏"), done.stderr


def test_flags_may_come_after_overrides(attnfocus: Command) -> None:
    done = attnfocus("train", "model=seq2seq", "--cfg", "job", "attention=dot")
    assert done.returncode == 0, done.stderr
    assert "DotScore" in done.stdout


def test_several_values_without_a_sweep_are_explained(attnfocus: Command) -> None:
    done = attnfocus("train", "attention=additive,dot")
    assert_polite(done, 2)
    assert "With -m each value is one run." in done.stderr


def test_a_group_written_as_a_key_is_explained(attnfocus: Command) -> None:
    done = attnfocus("train", "attention.score=dot")
    assert_polite(done, 2)
    assert "attention/score=dot" in done.stderr


@pytest.mark.parametrize("arguments", [["--cfg"], ["--cfg", "jobs"], ["seed=99999999999999999999"], ["-m", "--wrong"]])
def test_bad_flags_and_seeds_are_usage_errors(arguments: list[str], attnfocus: Command) -> None:
    assert_polite(attnfocus("train", *arguments), 2)


def test_broken_yaml_of_the_users_own_is_named_with_its_line(attnfocus: Command, tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "attention"
    folder.mkdir(parents=True)
    (folder / "broken.yaml").write_text("# mine\ndropout: [1,\n", encoding="utf-8")
    done = attnfocus("train", "attention=broken", "--config-dir", "mine")
    assert_polite(done, 2)
    assert "broken.yaml: line 3" in done.stderr
