"""From a source to numbers: what is learnt from which split, and what is refused."""

import contextlib
import gc
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import attnfocus.data as data
from attnfocus.data.clean import CleanOptions
from attnfocus.data.codecs.base import Codec
from attnfocus.data.preparation import CodecChoice, DatasetOptions, Prepared
from attnfocus.data.preparation import prepare as prepare_with
from attnfocus.data.rows import RawData, Row, Source
from attnfocus.data.split import SplitOptions
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.decoding import DecodingOptions
from attnfocus.errors import DataError
from attnfocus.signatures import parameters_of
from attnfocus.special import BOS, EOS, UNK
from attnfocus.tasks import TASKS, ClassificationTask, TranslationTask

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
DATASETS = sorted(path.stem for path in (CONFIGS / "dataset").glob("*.yaml"))
NOWHERE = Path("nowhere")


class Fixed:
    """A source of given rows."""

    def __init__(self, task: str, **splits: list[tuple]) -> None:
        self.task = task
        self._splits = splits

    def read(self, data_dir: Path, seed: int) -> RawData:
        rows = {s: [Row(f"{s}:{n}", *pair) for n, pair in enumerate(pairs)] for s, pairs in self._splits.items()}
        return RawData(rows, ["a note"])


def prepare(
    source: Source, options: DatasetOptions, *rest: object, codec: Codec | None = None, **more: object
) -> Prepared:
    """As a run prepares them: the codecs are those of the task."""
    known = CodecChoice(TASKS[options.task].codecs) if codec is None else codec
    return prepare_with(source, options, *rest, codec=known, **more)  # type: ignore[arg-type, misc]


def words(task: str = "translation", **options: object) -> DatasetOptions:
    return DatasetOptions(task=task, tokenizer=TokenizerOptions(kind="word"), **options)  # type: ignore[arg-type]


PAIRS = {
    "train": [("a b", "x y"), ("b c", "y z"), ("c", "z")],
    "valid": [("a c", "x z")],
    "test": [("a new", "x unseen")],
}
LABELLED = {"train": [("a", "yes"), ("b", "no"), ("c", "yes")], "valid": [("d", "no")], "test": [("e", "yes")]}


def test_text_pairs_are_encoded_and_reported() -> None:
    prepared = prepare(Fixed("translation", **PAIRS), words(), NOWHERE, 0)
    assert {split: len(rows) for split, rows in prepared.splits.items()} == {"train": 3, "valid": 1, "test": 1}
    first = prepared.splits["train"][0]
    assert first.id == "train:0"
    assert first.targets[0] == BOS
    assert first.targets[-1] == EOS
    assert prepared.codec.decode_target(first.targets[1:-1]) == "x y"
    assert prepared.report[0] == "a note"
    assert prepared.report[1] == "train: 3 rows read, 3 kept"
    assert prepared.report[-1] == "learned from train: source_vocab_size 9, target_vocab_size 9"


def test_vocabularies_are_learnt_on_train_alone() -> None:
    prepared = prepare(Fixed("translation", **PAIRS), words(), NOWHERE, 0)
    assert prepared.splits["test"][0].inputs[1] == UNK
    assert prepared.splits["test"][0].targets[-2] == UNK


def test_one_vocabulary_serves_both_sides_when_shared() -> None:
    options = DatasetOptions(tokenizer=TokenizerOptions(kind="word", shared=True))
    dims = prepare(Fixed("translation", **PAIRS), options, NOWHERE, 0).codec.dims()
    assert dims["source_vocab_size"] == dims["target_vocab_size"] == 4 + 2 + 6


def test_labels_come_from_train_in_a_fixed_order() -> None:
    prepared = prepare(Fixed("classification", **LABELLED), words("classification"), NOWHERE, 0)
    assert prepared.codec.labels == ("no", "yes")
    assert [row.targets for row in prepared.splits["train"]] == [1, 0, 1]
    numbered = Fixed("classification", train=[("a", "10"), ("b", "9"), ("c", "x"), ("d", "9")][:2] * 2)
    options = words("classification", split=SplitOptions(valid=0, test=0))
    assert prepare(numbered, options, NOWHERE, 0).codec.labels == ("9", "10")


def test_vectors_are_encoded_and_their_size_is_checked() -> None:
    low, high = np.array([[0.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 1.0]])
    source = Fixed("classification", train=[(low, "a"), (high, "b")], test=[(np.array([[2.0, 2.0]]), "a")])
    options = words("classification", split=SplitOptions(valid=0))
    prepared = prepare(source, options, NOWHERE, 0)
    assert prepared.codec.dims()["input_dim"] == 2
    wrong = Fixed("classification", train=[(low, "a"), (np.ones((1, 1)), "b")])
    with pytest.raises(DataError, match="train row train:1 is vectors of size 1, where the model reads vectors of 2"):
        prepare(wrong, words("classification", split=SplitOptions(valid=0, test=0)), NOWHERE, 0)


def test_splits_that_are_missing_are_drawn_and_said() -> None:
    source = Fixed("translation", train=[(f"a{number}", "x") for number in range(20)])
    options = words(split=SplitOptions(valid=2, test=3))
    prepared = prepare(source, options, NOWHERE, 0)
    assert {split: len(rows) for split, rows in prepared.splits.items()} == {"train": 15, "valid": 2, "test": 3}
    assert prepared.report[1:4] == [
        "train: 20 rows read, 2 moved to valid, 3 moved to test, 15 kept",
        "valid: 2 kept",
        "test: 3 kept",
    ]
    again = prepare(source, options, NOWHERE, seed=99)
    assert again.fingerprints == prepared.fingerprints  # the run's seed does not move rows between splits


@pytest.mark.parametrize(
    ("splits", "options", "expected"),
    [
        ({}, words(), "train is empty.\n  no split holds any row"),
        ({"train": []}, words(), "train is empty.\n  train: 0 rows read, 0 kept"),
        ({**PAIRS, "test": []}, words(), "test is empty.\n  train: 3 rows read, 3 kept"),
        (
            PAIRS,
            words(clean=CleanOptions(min_words=9)),
            "train is empty.\n  train: 3 rows read, 3 too short dropped, 0 kept\n  valid: 1 rows read",
        ),
        ({"valid": [("a", "b")]}, words(), "train is empty.\n  valid: 1 rows read, 1 kept"),
    ],
)
def test_an_empty_split_is_refused_with_the_counts(splits: dict, options: DatasetOptions, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        prepare(Fixed("translation", **splits), options, NOWHERE, 0)
    assert expected in str(caught.value)
    assert "a note. Give files that hold rows" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 5


def test_a_given_codec_is_used_as_it_is() -> None:
    codec = prepare(Fixed("translation", **PAIRS), words(), NOWHERE, 0).codec
    other = {**PAIRS, "train": [("quite other words", "x")]}
    prepared = prepare(Fixed("translation", **other), words(), NOWHERE, 0, codec=codec)
    assert prepared.codec is codec
    assert prepared.splits["train"][0].inputs.tolist() == [UNK] * 3


def test_only_the_wanted_splits_are_encoded() -> None:
    source = Fixed("classification", **LABELLED)
    codec = prepare(source, words("classification"), NOWHERE, 0).codec
    prepared = prepare(source, words("classification"), NOWHERE, 0, codec=codec, wanted=["test"])
    assert list(prepared.splits) == ["test"]


def test_labels_that_the_codec_does_not_know_are_refused() -> None:
    codec = prepare(Fixed("classification", **LABELLED), words("classification"), NOWHERE, 0).codec
    other = Fixed("classification", **{**LABELLED, "test": [("e", "maybe")]})
    for known in (None, codec):
        with pytest.raises(DataError, match=r"test has labels that the model does not know: maybe.\nIt knows no, yes"):
            prepare(other, words("classification"), NOWHERE, 0, codec=known)


def test_what_the_source_noted_is_said_with_labels_that_are_not_known() -> None:
    other = Fixed("classification", **{**LABELLED, "test": [("text", "label")]})
    with pytest.raises(DataError, match=r"does not know: label\.(.|\n)*a note"):
        prepare(other, words("classification"), NOWHERE, 0)


def test_a_single_label_is_nothing_to_learn() -> None:
    options = words("classification", split=SplitOptions(valid=0, test=0))
    with pytest.raises(DataError, match="all 2 training rows have the label 'yes'"):
        prepare(Fixed("classification", train=[("a", "yes"), ("b", "yes")]), options, NOWHERE, 0)


def test_options_that_mean_nothing_to_a_task_are_its_problems() -> None:
    options = words(
        "classification",
        clean=CleanOptions(max_words_ratio=2.0),
        split=SplitOptions(),
    )
    shared = DatasetOptions(task="classification", tokenizer=TokenizerOptions(shared=True))
    for given, problem in ((options, "max_words_ratio"), (shared, "tokenizer.shared")):
        assert [problem in line for line in ClassificationTask.option_problems(given, DecodingOptions())] == [True]
        assert not TranslationTask.option_problems(given, DecodingOptions())


def test_rows_that_no_codec_of_the_task_reads_are_refused() -> None:
    with pytest.raises(DataError, match=r"row train:0 is an array of 2 dimensions, where text is needed"):
        prepare(Fixed("translation", train=[(np.ones((1, 2)), "a")]), words(), NOWHERE, 0)


def test_fingerprints_tell_data_apart() -> None:
    prints = [
        prepare(Fixed("translation", **{**PAIRS, "test": [("a", target)]}), words(), NOWHERE, 0).fingerprints
        for target in ("x", "x", "y")
    ]
    assert prints[0] == prints[1]
    assert prints[0]["train"] == prints[2]["train"]
    assert prints[0]["test"] != prints[2]["test"]


class Numbered(Fixed):
    """With other names of rows."""

    def read(self, data_dir: Path, seed: int) -> RawData:
        raw = super().read(data_dir, seed)
        return RawData({s: [replace(row, id=f"{s}:line {row.id}") for row in rows] for s, rows in raw.splits.items()})


def test_fingerprints_leave_the_names_of_rows_out_and_those_of_before_do_not() -> None:
    options = words("classification", split=SplitOptions(valid=1, test=2))
    pairs = {"train": [(f"{number}", "ab"[number % 2]) for number in range(9)]}
    one, other = (prepare(source("classification", **pairs), options, NOWHERE, 0) for source in (Fixed, Numbered))
    assert one.fingerprints == other.fingerprints
    assert one.named_fingerprints["test"] != other.named_fingerprints["test"]
    assert set(one.named_fingerprints) == {"test"}
    of_run = prepare(Fixed("classification", **pairs), options, NOWHERE, 0, codec=one.codec)
    rows = Fixed("classification", **pairs).read(NOWHERE, 0).splits["train"]
    held_out = {row.row.input for split in ("valid", "test") for row in of_run.splits[split]}
    kept = b"".join(repr((row.id, row.input, row.target)).encode() for row in rows if row.input not in held_out)
    assert of_run.named_fingerprints["train"] == sha256(kept).hexdigest()[:16]
    tested = {row.row.input for row in of_run.splits["test"]}
    named = b"".join(repr((row.id, row.input, row.target)).encode() for row in rows if row.input in tested)
    assert of_run.named_fingerprints["test"] == sha256(named).hexdigest()[:16]
    assert all(row.id.startswith("test:") for row in of_run.splits["test"])


@pytest.mark.parametrize("max_train_rows", [2, 3, 5])
def test_the_rows_that_a_limit_leaves_have_each_label_in_its_share(max_train_rows: int) -> None:
    pairs = [(f"{number}", "aaaaab"[number % 6]) for number in range(60)]
    options = words(
        "classification", clean=CleanOptions(max_train_rows=max_train_rows), split=SplitOptions(valid=0, test=0)
    )
    prepared = prepare(Fixed("classification", train=pairs), options, NOWHERE, 0)
    assert Counter(row.row.target for row in prepared.splits["train"]) == {"a": max_train_rows - 1, "b": 1}


def test_a_limit_below_the_number_of_labels_is_refused() -> None:
    options = words("classification", clean=CleanOptions(max_train_rows=2), split=SplitOptions(valid=0, test=0))
    source = Fixed("classification", train=[(f"{number}", "abc"[number % 3]) for number in range(9)])
    with pytest.raises(
        DataError, match=r"dataset.clean.max_train_rows=2: train has 3 labels, each of which keeps a row"
    ):
        prepare(source, options, NOWHERE, 0)


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_yaml_lists_every_option_with_a_comment(name: str, tmp_path: Path) -> None:
    (tmp_path / "primary.yaml").write_text(
        f"defaults:\n  - _self_\n  - scheduler: constant\n  - dataset: {name}\n"
        "trainer: {max_epochs: 1, batch_size: 1, monitor: null}\ndecoding: {beam_size: 1}\n"
        f"hydra:\n  searchpath: ['file://{CONFIGS}']\n"
    )
    with initialize_config_dir(str(tmp_path), version_base=None):
        config = compose("primary", overrides=["dataset.tokenizer.kind=character"])
    node = OmegaConf.to_container(config.dataset)
    assert isinstance(node, dict)
    codec = node.pop("codec", None)
    if codec is not None:  # of its own: its options are keywords of `learn`
        learn = getattr(data, codec.pop("_target_").removeprefix("attnfocus.data.")).learn
        assert set(codec) == set(parameters_of(learn)) - {"rows", "tokenizer"}
    source = getattr(data, node.pop("_target_").removeprefix("attnfocus.data."))
    assert source.task == node["task"]
    closed = {"clean": CleanOptions, "split": SplitOptions, "tokenizer": TokenizerOptions}
    for section, options in closed.items():
        assert set(node[section]) == {field.name for field in fields(options)}
    assert set(node) - set(closed) - {"task"} == set(parameters_of(source))
    assert node["tokenizer"]["kind"] == "character"
    values = {section: options(**node[section]) for section, options in closed.items()}
    DatasetOptions(task=node["task"], **values)


@pytest.mark.parametrize("path", sorted((CONFIGS / "dataset").rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_value_in_a_dataset_yaml_says_what_it_means(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    description = lines[1] if lines[0].startswith("# @package") else lines[0]
    assert description.startswith("# ")
    assert len(description) <= 72
    yaml.safe_load(path.read_text(encoding="utf-8"))
    for line in lines:
        key, _, value = line.strip().partition(":")
        is_option = value.strip() and not key.startswith(("#", "-", "_target_"))
        assert not is_option or "  # " in line, line


def test_naming_a_set_imports_neither_torch_nor_a_tokenizer() -> None:
    code = (
        "import sys; from attnfocus.data import Multi30k, SST2, ParallelText; Multi30k();"
        "print(sorted({'torch', 'tokenizers', 'babel', 'pooch', 'requests', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_name_of_the_package_is_there() -> None:
    for name in data.__all__:
        assert getattr(data, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = data.Nothing


REAL = {
    "multi30k": (data.Multi30k, {"train": 28_900, "valid": 1014, "test": 1000}),
    "tatoeba": (data.TatoebaCmn, {"train": 25_000, "valid": 1_300, "test": 1_300}),
    "cmudict": (data.CMUDict, {"train": 120_000, "valid": 6_300, "test": 6_300}),
    "mr_trec": (data.TREC, {"train": 4_800, "valid": 530, "test": 500}),
    "thucnews_titles": (data.THUCNews, {"train": 8_900, "valid": 990, "test": 10_000}),
}


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("folder", REAL)
def test_real_sets_are_prepared_without_leaks(real_data: Callable[[str], Path], folder: str) -> None:
    kind, at_least = REAL[folder]
    task = kind.task
    options = DatasetOptions(
        task=task,
        split=SplitOptions() if task == "translation" else SplitOptions(valid=0.1, test=0.1),
        tokenizer=TokenizerOptions(kind="character", vocab_size=6000),
    )
    prepared = prepare(kind(), options, real_data(folder), 0)
    inputs = {split: {row.row.input for row in rows} for split, rows in prepared.splits.items()}
    assert not inputs["train"] & (inputs["valid"] | inputs["test"])
    for split, number in at_least.items():
        assert len(prepared.splits[split]) >= number
    assert len(prepared.report) == 4 + (folder == "thucnews_titles")


def test_pythons_collector_works_on_after_a_set_was_read_or_refused(tmp_path):
    for source in (data.Identity(), data.ParallelText(train="none.tsv")):
        with contextlib.suppress(DataError):
            prepare(source, DatasetOptions(task=source.task), tmp_path, 1)
        assert gc.isenabled()
