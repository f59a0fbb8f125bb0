"""What a key of a run's configuration is follows from the marks of its option, a user's own option included."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
from tests_support import Command, assert_polite, only_run, summary_of

from attnfocus.config.key_table import KeyTable, KeyTables, flat
from attnfocus.config.overrides import CommandLine
from attnfocus.config.read import load_yaml
from attnfocus.limits import PositiveInt
from attnfocus.marks import Before, FilePath, Mark
from attnfocus.runs.config import RunConfig

OLD = Path(__file__).parent / "fixtures" / "run-format-1"

CORPUS = '''
"""Sentences with a label: `label word word ...`, one in a line."""

from pathlib import Path

from attnfocus.data.rows import RawData, Row
from attnfocus.marks import FilePath


class Corpus:
    task = "classification"

    def __init__(self, *, corpus: FilePath, extra: list[FilePath] = []) -> None:
        self.files = [Path(corpus), *map(Path, extra)]

    def read(self, data_dir: Path, seed: int) -> RawData:
        lines = [line for file in self.files for line in file.read_text().splitlines()]
        rows = [Row(f"train:{n}", *reversed(line.split(" ", 1))) for n, line in enumerate(lines)]
        return RawData({"train": rows}, [])
'''
YAML = """# my corpus
_target_: my_data.Corpus
task: classification
corpus: ???
extra: []
"""
OWN = ("--config-dir", "mine", "dataset=own", "trust=[my_data]", "dataset.corpus=data/x.conll")
OF_OLD = (  # the options of the frozen run
    "model=pooling_classifier",
    "dataset=identity",
    "dataset.size=4",
    "dataset.length=4",
    "model.embed_dim=8",
    "trainer.batch_size=4",
    "trainer.max_steps=20",
    "trainer.max_epochs=null",
    "trainer.monitor=accuracy",
    "trainer.ema_decay=0.9",
    "optimizer.lr=0.003",
    "focus.num_samples=0",
)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A user's folder with a source of their own; the other folder, where its module is too."""
    for folder in ("mine/dataset", "data", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "mine" / "dataset" / "own.yaml").write_text(YAML)
    for folder in (tmp_path, tmp_path / "elsewhere"):
        (folder / "my_data.py").write_text(CORPUS)
    lines = [f"{'good' if n % 2 else 'bad'} a {'fine' if n % 2 else 'poor'} film {n}" for n in range(60)]
    (tmp_path / "data" / "x.conll").write_text("\n".join(lines[:40]) + "\n")
    (tmp_path / "data" / "y.conll").write_text("\n".join(lines[40:]) + "\n")
    return tmp_path / "elsewhere"


@pytest.mark.slow
def test_a_run_on_a_file_of_ones_own_source_is_evaluated_from_another_folder(
    attnfocus: Command, tmp_path: Path, own: Path
) -> None:
    small = ("model=rnn_classifier", "trainer.max_steps=2", "trainer.max_epochs=null", "dataset.extra=[data/y.conll]")
    small += ("focus.num_samples=0",)
    done = attnfocus("train", *OWN, *small)
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    saved = load_yaml(run / "config.yaml")["dataset"]
    assert saved["corpus"] == str(tmp_path / "data" / "x.conll")
    assert saved["extra"] == [str(tmp_path / "data" / "y.conll")]
    done = attnfocus("evaluate", f"run={run}", "trust=[my_data]", "format=json", cwd=own)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"]["loss"] == summary_of(run)["test"]["loss"]


@pytest.mark.parametrize("where", ["run_dir", "outputs"])
def test_the_command_of_an_old_run_goes_on_with_it(attnfocus: Command, tmp_path: Path, where: str) -> None:
    """All keys that are younger than the run count as what they were for it."""
    run = shutil.copytree(OLD, tmp_path / "outputs" / "2024-01-01" / "old")
    given = [f"run_dir={run}"] if where == "run_dir" else []
    done = attnfocus("train", *OF_OLD, "trainer.max_steps=22", "resume=auto", *given)
    assert done.returncode == 0, done.stderr
    assert only_run(tmp_path) == run
    assert summary_of(run)["steps"] == 22


def test_an_old_run_of_other_options_is_refused_by_these_alone(attnfocus: Command, tmp_path: Path) -> None:
    run = shutil.copytree(OLD, tmp_path / "old")
    refused = attnfocus("train", *OF_OLD, "resume=auto", f"run_dir={run}", "trainer.word_dropout=0.1")
    assert_polite(refused, 2)
    assert "different are trainer.word_dropout. " in refused.stderr


def test_a_changed_default_that_is_typed_is_a_difference(attnfocus: Command, tmp_path: Path) -> None:
    """It makes other rows, so that no run can go on with it."""
    run = shutil.copytree(OLD, tmp_path / "old")
    refused = attnfocus("train", *OF_OLD, "resume=auto", f"run_dir={run}", "dataset.split.stratify=true")
    assert_polite(refused, 2)
    assert "different are dataset.split.stratify. " in refused.stderr


def composed(*overrides: str) -> RunConfig:
    return RunConfig(CommandLine("train", ()).compose(overrides, resolve=True))


def test_names_of_the_hub_stay_and_folders_become_whole_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    hub = [composed("dataset=hub", f"dataset.path={path}").saved()["dataset"]["path"] for path in ("owner/set", "set")]
    assert hub == ["owner/set", str(tmp_path / "set")]


def test_what_belongs_to_one_command_is_not_saved() -> None:
    config = composed("run_dir=x", "distributed=ddp", "distributed.num_processes=2").changed(config_dir="mine")
    left_out = set(config.values) - set(config.saved())
    assert left_out == {"resume", "run_dir", "sweep", "trust", "config_dir", "distributed", "tracker"}


def test_runs_that_differ_in_keys_without_effect_are_of_one_configuration() -> None:
    one = composed("seed=1", "device=cpu", "trainer.num_workers=2", "focus.num_samples=1", "paths.outputs=x")
    assert one.compared() == composed("seed=2", "trainer.keep_checkpoints=3").compared()
    assert one.compared() != composed("trainer.patience=3").compared()


def test_a_run_from_before_a_key_is_of_one_configuration_with_one_that_has_its_default() -> None:
    config = composed(*OF_OLD)
    old = RunConfig(load_yaml(OLD / "config.yaml"))
    assert set(config.values["focus"]) - set(old.values["focus"])  # there are such keys
    differing = {key for key, value in config.compared().items() if old.compared().get(key, "missing") != value}
    changed = {"decoding.at_limit", "dataset.clean.equality", "dataset.split.stratify", "model.embedding.ngrams"}
    assert differing == changed  # their defaults have changed: they are what they were


def decoding_of(run: Path) -> dict[str, Any]:
    decoding: dict[str, Any] = RunConfig.load("run", run).values["decoding"]
    return decoding


def test_a_run_from_before_a_changed_default_keeps_what_it_had(attnfocus: Command, tmp_path: Path) -> None:
    """With `resume=auto` too, whose command says everything again; unless it is typed."""
    run = shutil.copytree(OLD, tmp_path / "old")
    assert "at_limit" not in load_yaml(run / "config.yaml")["decoding"]
    assert decoding_of(run)["at_limit"] == "cut"
    assert RunConfig.load("run", run).setup.config.decoding.at_limit == "cut"
    assert RunConfig.load("run", run).setup.config.trainer.half_scores == "rounded"
    again = (*OF_OLD, "resume=auto", f"run_dir={run}")
    assert attnfocus("train", *again, "trainer.max_steps=21").returncode == 0
    assert decoding_of(run)["at_limit"] == "cut"
    assert RunConfig.load("run", run).values["trainer"]["half_scores"] == "rounded"
    assert attnfocus("train", *again, "trainer.max_steps=22", "decoding.at_limit=end").returncode == 0
    assert decoding_of(run)["at_limit"] == "end"
    assert attnfocus("train", "resume=old", "trainer.max_steps=23", "decoding.at_limit=cut").returncode == 0
    assert decoding_of(run)["at_limit"] == "cut"


@dataclass(kw_only=True)
class Changed:
    pace: Annotated[int, Before(1)] = 2


def test_a_missing_key_counts_as_what_it_was_where_its_default_has_changed() -> None:
    table = KeyTable(Changed, {"pace": 3})
    assert table.before == {"pace": 1}
    assert table.completed({}) == {"pace": 1}
    assert table.completed({"pace": 3}) == {"pace": 3}


def test_runs_that_have_the_default_of_their_time_each_do_not_differ_in_it() -> None:
    table = KeyTable(Changed, {"pace": 2})
    assert table.is_of_before("pace", now=2, then=1)
    assert not table.is_of_before("pace", now=3, then=1)  # typed
    assert not table.is_of_before("pace", now=2, then=3)
    assert not table.is_of_before("other", now=2, then=1)


@dataclass(kw_only=True)
class Inner:
    file: FilePath | None = None
    size: Annotated[PositiveInt, Mark.RESUMABLE] = 3


@dataclass(kw_only=True)
class Outer:
    inner: Inner = field(default_factory=lambda: Inner(size=5))
    fixed: Annotated[Inner, Mark.NO_EFFECT] = field(default_factory=Inner)
    files: list[FilePath] = field(default_factory=list)
    free: Any = None


def test_the_mark_of_a_section_holds_for_all_keys_in_it() -> None:
    table = KeyTable(Outer, {"files": ["a", "b"], "free": {"x": 1}})
    assert table.with_mark(Mark.NO_EFFECT) == ["fixed.*"]
    assert table.with_mark(Mark.RESUMABLE) == ["inner.size", "fixed.size"]
    assert table.with_mark(Mark.FILE) == ["inner.file", "fixed.file", "files.0", "files.1"]
    assert table.has("fixed.size", Mark.NO_EFFECT)
    assert table.has("fixed.unknown.key", Mark.NO_EFFECT)
    assert not table.has("inner.size", Mark.NO_EFFECT, Mark.FILE)
    assert not table.has("unknown", Mark.FILE)


def test_a_missing_key_counts_as_the_default_of_its_option_or_section() -> None:
    table = KeyTable(Outer, {})
    assert table.completed({"fixed.size": 7}) == {
        "inner.file": None,
        "inner.size": 5,
        "fixed.file": None,
        "fixed.size": 7,
        "files": [],
        "free": None,
    }


def test_a_class_that_is_not_trusted_says_nothing_of_its_options() -> None:
    table = KeyTable(Outer, {"free": {"_target_": "os.system", "command": "x"}})
    assert not table.has("free.command", *Mark)


FORMS: tuple[dict[str, Any], ...] = (
    {},
    {"inner": {"size": 4}},
    {"inner": None},
    {"files": ["a", "b"], "free": {"x": 1}},
    {"files": ["a"], "free": {"x": [1, {"y": 2}]}},
    {"free": {"_target_": "attnfocus.attention.AdditiveScore", "hidden_size": 3}},
    {"free": {"_target_": "attnfocus.attention.ScaledDotScore"}},
    {"free": {"_target_": "os.system", "command": "x"}},
    {"free": [{"_target_": "attnfocus.attention.AdditiveScore"}], "unknown": {"z": 1}},
)


def test_tables_of_many_configurations_are_those_of_each_alone() -> None:
    tables = KeyTables(Outer)
    for values in (*FORMS, *reversed(FORMS)):
        shared, alone = tables.of(values), KeyTable(Outer, values)
        for mark in Mark:
            assert shared.with_mark(mark) == alone.with_mark(mark)
            assert all(shared.has(key, mark) == alone.has(key, mark) for key in flat(values))
        assert (shared.defaults, shared.before) == (alone.defaults, alone.before)


def test_configurations_share_a_table_where_nothing_but_values_differs() -> None:
    tables = KeyTables(Outer)
    assert len({id(tables.of(values)) for values in FORMS}) == len(FORMS)
    additive, dot = FORMS[5:7]
    assert tables.of({"free": {**additive["free"], "hidden_size": 9}}) is tables.of(additive)
    assert tables.of({"free": {**additive["free"], **dot["free"]}}) is not tables.of(additive)
