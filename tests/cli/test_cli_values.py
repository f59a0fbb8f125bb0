"""Names and values of options are checked from tables: no mistake loads torch, and the tables are those of the code."""

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests_support import TINY_DATES, Command

from attnfocus.cli.command import check_line
from attnfocus.cli.option_tables import current_tables
from attnfocus.config.composition import Composed
from attnfocus.config.option_tables import FILE, NotShippedError, shipped_tables
from attnfocus.config.overrides import CommandLine
from attnfocus.errors import ConfigError
from attnfocus.runs.assembly import check_train

MISTAKES = (
    ["train", "modle=seq2seq"],
    ["train", "optimizer.learning_rate=1"],
    ["train", "attention=additiv"],
    ["train", "model.hiden_size=3"],
    ["train", "trainer.max_steps=abc"],
    ["train", "optimizer.lr=-1"],
    ["train", "model.dropout=1.5", "modle=seq2seq"],
    ["train", "model=transformer_seq2seq", "model.cross_attention=dot"],
    ["train", "-m", "attention=dot,additiv"],
    ["evaluate", "run=x", "split=tset"],
    ["predict", "run=x", "decoding.beam_size=0"],
    ["inspect", "run=x", "file=[]"],
    ["compare", "x", "format=pdf"],
    ["bench", "repeats=0"],
    ["doctor", "format=xml"],
    ["train", "--model", "lstm", "lr=0.1"],
    ["train", "trainer.monitor=f1", "model=transformer"],
    ["train", "device=gpu", "attention=bahdanau"],
    ["evaluate", "run=nowhere"],
    ["list", "nowhere"],
    ["train", "--help", "nothing"],
)


def test_the_tables_are_those_of_the_code() -> None:
    """Where they are not: `python -m attnfocus.cli.option_tables`."""
    assert FILE.read_text(encoding="utf-8") == current_tables()


@pytest.mark.slow
def test_no_mistake_loads_torch() -> None:
    code = (
        "import json, sys; from attnfocus.cli import main\n"
        "for arguments in json.loads(sys.argv[1]):\n"
        "    assert main(arguments) == 2, arguments\n"
        "    assert 'torch' not in sys.modules, arguments\n"
    )
    command = [sys.executable, "-c", code, json.dumps(MISTAKES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("attnfocus: ") == len(MISTAKES)


@pytest.mark.slow
def test_a_mistake_is_answered_in_a_second() -> None:
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "attnfocus", "train", "optimizer.lr=-1"], capture_output=True, check=False
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    assert min(seconds) < 1.5  # of the processor; 0.6 on a quiet core


def real_problems(values: dict[str, Any]) -> set[str]:
    try:
        check_train(values)
    except ConfigError as error:
        return set(error.problems)
    return set()


@pytest.mark.parametrize(
    "overrides",
    [
        ["optimizer.lr=0", "optimizer.beta1=1", "optimizer.eps=x"],
        ["trainer.precision=float64", "trainer.max_steps=0", "trainer.compile=1", "trainer.ema_decay=1.0"],
        ["model.cell=rnn", "model.num_layers=1.5", "model.embedding.vectors=3"],
        ["dataset.languages=de", "dataset.num_train=-1", "dataset.tokenizer.kind=words", "dataset.clean.strip=no"],
        ["attention=bigbird", "attention.pattern.block_size=0", "attention.pattern.direction=forward"],
        ["attention.score=null", "attention.dropout=1"],
        ["dataset=hub", "dataset.on_bad_row=stop", "dataset.text_column=[1]", "dataset.max_rows=0"],
        ["focus.entropy.weight=1e9", "focus.guided.target=here", "focus.entropy.attentions=cross"],
        ["seed=-1", "device=3", "trust=torch", "decoding.top_p=0", "distributed.strategy=dp"],
    ],
)
def test_the_tables_say_what_the_classes_say(overrides: list[str]) -> None:
    values = CommandLine("train", ()).compose(overrides, resolve=True)
    problems = set(shipped_tables().problems("train", values))
    assert len(problems) >= len(overrides) - 1
    assert problems == real_problems(values)


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["optimizer.lr=3", "seed=2", "run_dir=null", "run_dir=a/b"],
        ["model=transformer", "model.dropout=0.25", "attention=local", "attention.pattern.window=3"],
        ["attention/pattern=causal", "attention=scaled_dot", "paths.outputs='a b, c'", "paths.data=${paths.outputs}"],
        ["dataset.tokenizer={kind: bpe}", "dataset.languages=[de,en]", "model.hidden_size=${model.embed_dim}"],
        ["experiment=trec_rnn", "optimizer.lr=1e-3", "hydra.job.chdir=false", "dataset.split.valid=0.1"],
        [
            "model=transformer_seq2seq",
            "attention@model.cross_attention=dot",
            "focus=coverage",
            "focus.coverage.weight=2",
        ],
    ],
)
def test_values_are_what_hydra_composes(overrides: list[str]) -> None:
    line = CommandLine("train", overrides)
    line.check()
    assert line.values(overrides) == CommandLine("train", ()).compose(overrides, resolve=True)


def test_a_class_that_is_not_ours_is_left_to_the_real_check() -> None:
    values = CommandLine("train", ()).compose(["attention._target_=mine.Attention"], resolve=True)
    with pytest.raises(NotShippedError):
        shipped_tables().problems("train", values)


@pytest.mark.parametrize(
    ("key", "verb", "expected"),
    [
        ("dataset.train", "train", True),
        ("dataset.path", "train", True),
        ("model.embedding.vectors", "train", True),
        ("tracker.mlflow.store", "train", True),
        ("paths.outputs", "train", True),
        ("sweep.resume", "train", True),
        ("run", "evaluate", True),
        ("baseline", "compare", True),
        ("run", "train", False),
        ("attention.path", "train", False),
        ("trainer.monitor", "train", False),
    ],
)
def test_completion_offers_files_where_one_is_taken(key: str, verb: str, expected: bool) -> None:
    assert shipped_tables().takes_file(verb, key) is expected


@pytest.mark.slow
def test_a_run_is_the_same_whether_hydra_runs_it_or_its_checked_configuration_is_taken(
    attnfocus: Command, tmp_path: Path
) -> None:
    given = [
        "train",
        *TINY_DATES,
        "attention=scaled_dot",
        "seed=3",
        "trust=[mine]",
    ]
    for extra in ((), ("hydra.job.chdir=false",)):  # the second is of Hydra's section, which then has to run it
        done = attnfocus(*given, f"run_dir=run-{len(extra)}", *extra)
        assert done.returncode == 0, done.stderr
    saved = [json.loads((tmp_path / f"run-{i}" / "summary.json").read_text(encoding="utf-8")) for i in (0, 1)]
    assert saved[0]["test"] == saved[1]["test"]
    configs = [(tmp_path / f"run-{i}" / "config.yaml").read_text(encoding="utf-8") for i in (0, 1)]
    assert configs[0].replace("run-0", "run-1") == configs[1]


def test_a_line_that_is_right_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved: list[bool] = []
    values_of = Composed.values

    def counting(composed: Composed, *, resolve: bool = False, with_hydra: bool = False) -> dict[str, Any]:
        resolved.append(resolve)
        return values_of(composed, resolve=resolve, with_hydra=with_hydra)

    monkeypatch.setattr(Composed, "values", counting)
    check_line(CommandLine("train", ["optimizer.lr=0.1"]), {})
    assert resolved.count(True) == 1
