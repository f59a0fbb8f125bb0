"""The cache of prepared data: what comes from it is what was made, and nothing else ever comes from it."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests_support import commands_run_in

from attnfocus.cli.main import main
from attnfocus.data.cache import prepared as cache
from attnfocus.data.cache.folder import CacheFolder, DamagedError, checked_content, digest_of
from attnfocus.data.codecs.text_label import TextLabelCodec
from attnfocus.data.codecs.text_pair import TextPairCodec
from attnfocus.data.preparation import CodecChoice, DatasetOptions, Prepared, prepare
from attnfocus.data.sources.files import LabelledText, ParallelText
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.errors import CheckpointError, ConfigError
from attnfocus.stages import Stage

GB = 10**9


@pytest.fixture(autouse=True)
def small_sets_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MIN_BYTES", 1)


class Cached:
    """Sets of one file, prepared with a cache, and how often they were made."""

    def __init__(self, folder: Path, max_bytes: int = GB) -> None:
        self.cache = CacheFolder(folder / "cache" / "prepared", max_bytes)
        self.num_made = 0

    def __call__(self, path: Path, seed: int = 1, kind: Any = ParallelText, **options: Any) -> Prepared:
        source = kind(train=str(path))
        codecs: list[Any] = [TextPairCodec if kind is ParallelText else TextLabelCodec]
        chosen = DatasetOptions(tokenizer=TokenizerOptions(vocab_size=100), **options)

        def make() -> Prepared:
            self.num_made += 1
            return prepare(source, chosen, path.parent, seed, CodecChoice(codecs))

        return cache.cached(self.cache, source, chosen, seed, codecs, make)

    @property
    def entries(self) -> list[Path]:
        return sorted(self.cache.path.iterdir())


def written(path: Path, change: Callable[[str], str] = str) -> Path:
    lines = "".join(f"one {n} zwölf\tun {n % 7} 中 deux\n" for n in range(1500))
    path.write_text(change(f"{lines}one 3 zwölf\tun 3 中 deux\n e\u0301 \tx\n"), "utf-8")
    return path


def content_of(prepared: Prepared) -> Any:
    return (
        prepared.report,
        prepared.fingerprints,
        prepared.named_fingerprints,
        prepared.codec.dims(),
        {
            split: [
                (each.id, each.inputs.tolist(), np.asarray(each.targets).tolist(), each.num_words, each.row.input)
                for each in examples
            ]
            for split, examples in prepared.splits.items()
        },
        {split: examples.lengths.tolist() for split, examples in prepared.splits.items()},
        [tokenizer.vocabulary for tokenizer in prepared.codec.tokenizers().values()],
    )


@pytest.mark.parametrize("kind", [ParallelText, LabelledText])
def test_what_comes_from_the_cache_is_what_was_made(kind: Any, tmp_path: Path) -> None:
    cached, path = Cached(tmp_path), written(tmp_path / "train.tsv")
    first, second = cached(path, kind=kind), cached(path, kind=kind)
    assert cached.num_made == 1
    assert content_of(first) == content_of(second)
    assert list(second.splits["train"].rows) == list(first.splits["train"].rows)
    for each in (tmp_path / "cache" / "prepared").rglob("*"):
        assert stat.S_IMODE(each.stat().st_mode) == (0o700 if each.is_dir() else 0o600)
    assert stat.S_IMODE(cached.cache.path.stat().st_mode) == 0o700


def test_a_changed_file_of_equal_size_and_time_is_read_anew(tmp_path: Path) -> None:
    cached, path = Cached(tmp_path), written(tmp_path / "train.tsv")
    before = path.stat()
    cached(path)
    written(path, lambda text: text.replace("one 17 ", "two 17 "))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    prepared = cached(path)
    assert cached.num_made == 2
    rows = [row.input for examples in prepared.splits.values() for row in examples.rows]
    assert "two 17 zwölf" in rows and "one 17 zwölf" not in rows  # noqa: PT018


def test_other_options_have_another_entry(tmp_path: Path) -> None:
    from attnfocus.data.clean import CleanOptions
    from attnfocus.data.split import SplitOptions

    cached, path = Cached(tmp_path), written(tmp_path / "train.tsv")
    cached(path)
    cached(path, seed=2)  # says nothing about rows
    assert cached.num_made == 1
    cached(path, clean=CleanOptions(max_words=3))
    cached(path, split=SplitOptions(seed=4))
    cached(path, split=SplitOptions(folds=3))
    cached(path, seed=2, split=SplitOptions(folds=3))
    assert cached.num_made == 5


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _replace_by_link(path: Path) -> None:
    moved = path.with_name("elsewhere")
    path.rename(path.parents[2] / "elsewhere")
    path.symlink_to(path.parents[2] / moved.name)


@pytest.mark.parametrize("damage", [_cut, _flip, Path.unlink, _replace_by_link])
@pytest.mark.parametrize("name", ["entry.json", "train.inputs.npy", "train.content.npy", "source_tokenizer.json"])
def test_a_damaged_entry_is_said_and_made_anew(name: str, damage: Callable[[Path], None], tmp_path: Path) -> None:
    cached, path = Cached(tmp_path), written(tmp_path / "train.tsv")
    first = cached(path)
    damage(cached.entries[0] / name)
    if name == "entry.json" and damage is _flip:
        (cached.entries[0] / name).write_text(json.dumps([]))
    second = cached(path)
    assert cached.num_made == 2
    assert "were damaged" in second.report[-1] and "made again" in second.report[-1]  # noqa: PT018
    second.report.pop()
    assert content_of(second) == content_of(first)
    assert content_of(cached(path)) == content_of(first)
    assert cached.num_made == 2


@pytest.mark.parametrize("damage", [_cut, _flip, Path.unlink, _replace_by_link])
def test_damage_of_any_file_is_seen(damage: Callable[[Path], None], tmp_path: Path) -> None:
    cached, path = Cached(tmp_path), written(tmp_path / "train.tsv")
    cached(path)
    kept = tmp_path / "cache" / "kept"
    cached.entries[0].rename(kept)
    assert cache._read(kept).splits
    files = sorted(file.name for file in kept.iterdir())
    assert len(files) > 20
    for name in files:
        entry = tmp_path / "cache" / "damaged" / "entry"
        shutil.copytree(kept, entry)
        damage(entry / name)
        with pytest.raises((DamagedError, CheckpointError)):
            cache._read(entry)
        shutil.rmtree(entry.parent)
        (tmp_path / "elsewhere").unlink(missing_ok=True)
        (tmp_path / "cache" / "elsewhere").unlink(missing_ok=True)


def test_no_byte_of_an_entry_s_own_file_can_change(tmp_path: Path) -> None:
    """It holds the lines that are shown and the fingerprints that a run is known by."""
    cached = Cached(tmp_path)
    cached(written(tmp_path / "train.tsv"))
    path = cached.entries[0] / "entry.json"
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(DamagedError):
            checked_content(cached.entries[0])
    path.write_bytes(content)
    assert checked_content(cached.entries[0])["report"]


WRITER = """
import sys
from pathlib import Path
from attnfocus.data.cache import prepared as cache
from attnfocus.data.cache.folder import CacheFolder
from attnfocus.data.codecs.text_pair import TextPairCodec
from attnfocus.data.preparation import CodecChoice, DatasetOptions, prepare
from attnfocus.data.sources.files import ParallelText
from attnfocus.data.tokens.tokenizer import TokenizerOptions

cache.MIN_BYTES = 1
folder, path = map(Path, sys.argv[1:])
source, options = ParallelText(train=str(path)), DatasetOptions(tokenizer=TokenizerOptions(vocab_size=100))
made = lambda: prepare(source, options, folder, 1, CodecChoice([TextPairCodec]))
print("ready", flush=True)
sys.stdin.readline()
found = cache.cached(CacheFolder(folder / "cache" / "prepared", 10**9), source, options, 1, [TextPairCodec], made)
print(found.fingerprints, found.report, [each.inputs.tolist() for each in found.splits["train"]])
"""


def test_two_processes_leave_one_whole_entry(tmp_path: Path) -> None:
    path, cached = written(tmp_path / "train.tsv"), Cached(tmp_path)
    root = Path(cache.__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(path)]
    pipe = subprocess.PIPE
    writers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) for _ in range(2)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:  # both at once
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    results = [writer.communicate()[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert results[0] == results[1]
    assert [entry.name.startswith(".") for entry in cached.entries] == [False]
    found = cached(path)
    assert cached.num_made == 0
    assert results[0].startswith(f"{found.fingerprints} {found.report}")


def test_several_writers_leave_one_whole_entry(tmp_path: Path) -> None:
    path = written(tmp_path / "train.tsv")
    writers = [Cached(tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(len(writers)) as pool:
        found = list(pool.map(lambda cached: content_of(cached(path)), writers))
    assert all(each == found[0] for each in found)
    assert [entry.name.startswith(".") for entry in writers[0].entries] == [False]
    last = Cached(tmp_path)
    assert content_of(last(path)) == found[0]
    assert last.num_made == 0


def test_the_entry_that_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    paths = [written(tmp_path / f"{n}.tsv", lambda text, n=n: text.replace("one", f"n{n}")) for n in range(3)]
    cached = Cached(tmp_path)
    cached(paths[0])
    size = sum(file.stat().st_size for file in cached.entries[0].iterdir())
    cached = Cached(tmp_path, int(2.5 * size))
    cached(paths[1])
    for number, entry in enumerate(cached.entries):
        os.utime(entry, (number, number))
    cached(paths[0])
    cached(paths[1])
    os.utime(cached.entries[0], (1, 1))
    oldest = cached.entries[0]
    cached(paths[2])
    assert oldest not in cached.entries
    assert len(cached.entries) == 2
    none = Cached(tmp_path / "other", size // 2)
    assert content_of(none(paths[0]))
    assert none.entries == []


@pytest.mark.parametrize("is_known", [True, False])
def test_what_is_larger_than_the_cache_is_not_written_and_said_once(
    is_known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, written_sets = written(tmp_path / "train.tsv"), []
    write = cache._write
    monkeypatch.setattr(cache, "_write", lambda *given: written_sets.append(1) or write(*given))
    if not is_known:  # files that only writing them shows to be too large
        monkeypatch.setattr(cache, "_num_bytes", lambda prepared: 1)
    cached = Cached(tmp_path, 20_000)
    lines = [line for line in cached(path).report if "paths.cache_gb" in line]
    assert len(lines) == 1
    assert lines[0].startswith("prepared data are not kept: they have 0.000")
    assert lines[0].endswith("GB, which is larger than paths.cache_gb=2e-05")
    assert cached.entries == []
    assert len(written_sets) == (0 if is_known else 1)


def test_without_room_or_above_its_size_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "train.tsv")
    Cached(tmp_path, 0)(path)
    monkeypatch.setattr(cache, "MIN_BYTES", 10**9)
    Cached(tmp_path)(path)
    assert not (tmp_path / "cache").exists()


def test_a_folder_that_is_a_link_or_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "train.tsv")
    (tmp_path / "cache").mkdir()
    (tmp_path / "real").mkdir()
    (tmp_path / "cache" / "prepared").symlink_to(tmp_path / "real")
    with pytest.raises(ConfigError, match=r"paths\.cache: .* is a link"):
        Cached(tmp_path)(path)
    (tmp_path / "cache" / "prepared").unlink()
    (tmp_path / "cache" / "prepared").mkdir()
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        Cached(tmp_path)(path)


def test_what_others_have_put_into_the_folder_stays_as_it_is(tmp_path: Path) -> None:
    path, folder = written(tmp_path / "train.tsv"), tmp_path / "cache" / "prepared"
    ours = [f"{digit * 40}" for digit in "ab"]
    theirs = [".git", "photos", "c" * 40, f"{'d' * 39}g", f".{'e' * 40}.tmp", f".{'e' * 40}.{'1' * 15}.tmp", "entry"]
    remains = f".{'f' * 40}.{'1' * 16}.tmp"
    for name in (*ours, *theirs, remains):
        (folder / name).mkdir(parents=True)
        (folder / name / "content").write_bytes(b"x" * 10_000)
        if name not in theirs[2:3]:
            (folder / name / "entry.json").write_text("{}")
        os.utime(folder / name, (1, 1))
    folder.chmod(0o755)
    Cached(tmp_path, 1)(path)
    assert sorted(each.name for each in folder.iterdir()) == sorted(theirs)
    assert all((folder / name / "content").stat().st_size == 10_000 for name in theirs)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    Cached(tmp_path)(path)
    assert len(list(folder.iterdir())) == len(theirs) + 1
    folder.chmod(0o775)
    with pytest.raises(ConfigError, match="holds other things, and other users may write to it"):
        Cached(tmp_path)(path)


def test_a_folder_of_entries_alone_is_closed_to_others(tmp_path: Path) -> None:
    cached, path = Cached(tmp_path), written(tmp_path / "train.tsv")
    cached(path)
    (cached.cache.path / f".{'f' * 40}.{'1' * 16}.tmp").mkdir()
    cached.cache.path.chmod(0o777)
    cached(path)
    assert cached.num_made == 1
    assert stat.S_IMODE(cached.cache.path.stat().st_mode) == 0o700


def test_a_cache_that_cannot_be_written_is_said_and_the_run_goes_on(tmp_path: Path) -> None:
    path = written(tmp_path / "train.tsv")
    (tmp_path / "cache").write_text("a file")
    prepared = Cached(tmp_path)(path)
    assert "prepared data are not kept" in prepared.report[-1]


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    import hashlib

    assert digest_of(tmp_path / "a", Stage("x")) == hashlib.blake2b(b"abc", digest_size=32).hexdigest()


@pytest.mark.parametrize(("model", "dataset"), [("seq2seq", "parallel_text"), ("rnn_classifier", "labelled_text")])
def test_a_run_from_the_cache_is_the_same_to_the_bit(
    model: str, dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, entries_read = cache._read, []
    monkeypatch.setattr(cache, "_read", lambda entry: entries_read.append(entry) or read(entry))
    path, folders = written(tmp_path / "train.tsv"), [tmp_path / "first", tmp_path / "second", tmp_path / "without"]
    for folder in folders:
        argv = ["train", f"model={model}", "attention=additive", f"dataset={dataset}", f"dataset.train={path}"]
        argv += ["dataset.tokenizer.vocab_size=100", "dataset.split.valid=20", "dataset.split.test=20"]
        argv += [
            "model.embed_dim=8",
            "model.hidden_size=8",
            "trainer.max_steps=3",
            "trainer.evaluate_every_steps=2",
            "focus.num_samples=1",
            "device=cpu",
        ]
        argv += [f"paths.cache={tmp_path}", f"paths.cache_gb={0 if folder.name == 'without' else 1}"]
        assert main([*argv, f"run_dir={folder}"]) == 0
    first, *others = [_files_of(folder) for folder in folders]
    assert list((tmp_path / "prepared").iterdir()) == entries_read  # one, by the second run
    assert len(entries_read) == 1
    assert {"predictions-test.jsonl", "data/codec.json", "data/fingerprints.json"} <= first.keys()
    assert first["metrics.jsonl"]
    for other in others:
        assert other == first


def _files_of(folder: Path) -> dict[str, Any]:
    """The files of a run whose content is a function of data and options alone, and the metrics without times."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    names = [name for name in files if name.startswith("data/") or name == "predictions-test.jsonl"]
    lines = [json.loads(line) for line in files["metrics.jsonl"].read_text().splitlines()]
    timed = ("second", "time", "speed", "memory")
    metrics = [{key: line[key] for key in line if not any(word in key for word in timed)} for line in lines]
    return {"metrics.jsonl": metrics, **{name: files[name].read_bytes() for name in names}}


@pytest.mark.parametrize("name", ["__version__", "PREPARATION"])
def test_what_another_version_prepared_is_not_taken(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached, path = Cached(tmp_path), written(tmp_path / "train.tsv")
    cached(path)
    monkeypatch.setattr(cache, name, "9.9.9" if name == "__version__" else cache.PREPARATION + 1)
    cached(path)
    assert (cached.num_made, len(cached.entries)) == (2, 2)
    monkeypatch.undo()
    monkeypatch.setattr(cache, "MIN_BYTES", 1)
    cached(path)
    assert cached.num_made == 2  # the older one is still there


@pytest.mark.slow
def test_the_jobs_of_a_sweep_share_what_one_has_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands_run_in(tmp_path, monkeypatch)
    written(tmp_path / "train.tsv")
    argv = ["train", "-m", "seed=0,1", "model=pooling_classifier", "dataset=labelled_text", "dataset.train=train.tsv"]
    argv += ["dataset.tokenizer.vocab_size=100", "model.embed_dim=8", "trainer.max_steps=1", "focus.num_samples=0"]
    argv += ["device=cpu", f"paths.cache={tmp_path / 'cache'}", "paths.cache_gb=1"]
    assert main(argv) == 0
    assert len(list((tmp_path / "cache" / "prepared").iterdir())) == 1
    files = [_files_of(path.parent) for path in sorted((tmp_path / "outputs" / "sweeps").rglob("config.yaml"))]
    first, second = ({name: each[name] for name in each if name.startswith("data/")} for each in files)
    assert first == second
    assert {"data/codec.json", "data/fingerprints.json"} <= first.keys()
