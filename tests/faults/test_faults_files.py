"""Cases 47 and 48: what stands in place of the files of a run, and links under the names that are written."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from tests_support import Command, assert_polite

from attnfocus.commands.sweep.sweep import begin_sweep, prepare_sweep
from attnfocus.errors import CheckpointError
from attnfocus.regular_files import open_to_append, read_file, replace_file, write_new
from attnfocus.runs.contents import require_own
from attnfocus.training import CheckpointStore

SAVED = Path(__file__).parents[1] / "runs" / "fixtures" / "run-format-1"
NAMES = (
    "config.yaml",
    "summary.json",
    "metrics.jsonl",
    "train.log",
    "predictions-test.jsonl",
    "classes-test.csv",
    "faithfulness.json",
    "heads.json",
    "events.out.tfevents.17.attnfocus",
    ".lock",
    "data/codec.json",
    "data/fingerprints.json",
    "focus/maps-00000001.safetensors",
    "focus/history.safetensors",
    "checkpoints/best",
    "checkpoints/last",
    "checkpoints/step-00000020/manifest.json",
    "checkpoints/step-00000020/model.safetensors",
    "checkpoints/step-00000020/state.json",
)
FOLDERS = ("data", "checkpoints", "focus", "inspect")
VERBS = (("evaluate", "run"), ("predict", "run"), ("inspect", "run"), ("train", "resume"), ("compare", "runs"))


def pipe(path: Path, outside: Path) -> None:
    os.mkfifo(path)


def local_socket(path: Path, outside: Path) -> None:
    before = os.getcwd()
    os.chdir(path.parent)  # the name of a socket may not be long
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(before)


def endless_device(path: Path, outside: Path) -> None:
    try:
        os.mknod(path, 0o20644, os.makedev(1, 5))
    except PermissionError:
        path.symlink_to("/dev/zero")


def folder(path: Path, outside: Path) -> None:
    path.mkdir()


def link(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def dangling_link(path: Path, outside: Path) -> None:
    path.symlink_to(outside.with_name("not there"))


KINDS = (pipe, local_socket, endless_device, folder, link, dangling_link)
Kind = Callable[[Path, Path], None]


def put(kind: Kind, path: Path, outside: Path) -> None:
    """`kind` in place of whatever is at `path`."""
    path.parent.mkdir(exist_ok=True)
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    kind(path, outside)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A run of an older version, to be damaged."""
    return Path(shutil.copytree(SAVED, tmp_path / "run"))


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file that belongs to nobody's run."""
    path = tmp_path / "outside"
    path.write_bytes(b"{}")
    return path


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", NAMES)
def test_47_what_is_no_file_is_refused_by_name(saved: Path, outside: Path, name: str) -> None:
    for kind in KINDS:
        put(kind, saved / name, outside)
        with pytest.raises(CheckpointError, match=r"is (a|no) ") as caught:
            require_own(saved)
        assert str(saved / name) in str(caught.value)


@pytest.mark.parametrize("name", FOLDERS)
def test_47_a_link_in_place_of_a_folder_is_refused_by_name(saved: Path, tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    (saved / name).rename(elsewhere) if (saved / name).exists() else elsewhere.mkdir()
    (saved / name).symlink_to(elsewhere)
    with pytest.raises(CheckpointError, match="is a symbolic link"):
        require_own(saved)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("verb", "key"), VERBS)
def test_47_every_verb_refuses_at_once_and_compare_leaves_out(
    attnfocus: Command, saved: Path, outside: Path, verb: str, key: str
) -> None:
    for kind, name in zip(KINDS, ("config.yaml", "metrics.jsonl", "checkpoints/last", "summary.json"), strict=False):
        run = Path(shutil.copytree(SAVED, saved.with_name(kind.__name__)))
        put(kind, run / name, outside)
        others = f",{saved}" if verb == "compare" else ""
        done = attnfocus(verb, f"{key}={'[' if others else ''}{run}{others}{']' if others else ''}")
        if verb == "compare":
            assert done.returncode == 0, done.stderr
        else:
            assert_polite(done, 3)
        assert name in done.stderr


def test_47_no_more_is_read_than_such_a_file_can_have(tmp_path: Path) -> None:
    with open(tmp_path / "large", "wb") as file:
        file.truncate(2**40)
    with pytest.raises(OSError, match=r"larger than 1,000 bytes"):
        read_file(tmp_path / "large", 1000)


def test_48_nothing_is_written_through_a_link(saved: Path, outside: Path, attnfocus: Command) -> None:
    for name in ("train.log", "metrics.jsonl", "summary.json", "config.yaml", ".config.yaml.tmp"):
        run = Path(shutil.copytree(SAVED, saved.with_name(f"with {name}")))
        put(link, run / name, outside)
        done = attnfocus("train", f"resume={run}", "trainer.max_steps=21")
        assert outside.read_bytes() == b"{}"
        if name == ".config.yaml.tmp":  # the name that was written before; now it is nobody's
            assert done.returncode == 0, done.stderr
        else:
            assert_polite(done, 3)


def test_48_checkpoints_that_lie_elsewhere_are_not_pruned(saved: Path, tmp_path: Path, attnfocus: Command) -> None:
    elsewhere = tmp_path / "others"
    (saved / "checkpoints").rename(elsewhere)
    (saved / "checkpoints").symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    for verb, key in (("train", "resume"), ("evaluate", "run")):
        assert_polite(attnfocus(verb, f"{key}={saved}"), 3)
    with pytest.raises(CheckpointError, match="symbolic link"):
        CheckpointStore(saved / "checkpoints").newest()
    assert sorted(elsewhere.rglob("*")) == before


def test_48_a_file_with_a_second_name_is_copied_before_it_grows(tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    backup.write_bytes(b"one\n")
    os.link(backup, tmp_path / "train.log")
    with open_to_append(tmp_path / "train.log") as file:
        file.write(b"two\n")
    assert backup.read_bytes() == b"one\n"
    assert (tmp_path / "train.log").read_bytes() == b"one\ntwo\n"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", KINDS)
def test_48_what_is_written_replaces_files_alone(tmp_path: Path, outside: Path, kind: Kind) -> None:
    kind(tmp_path / "there", outside)
    for write in (
        lambda path: replace_file(path, b"x"),
        lambda path: write_new(path, b"x"),
        lambda path: open_to_append(path).close(),
    ):
        with pytest.raises(OSError, match=r"is (a|no) |exists"):
            write(tmp_path / "there")
    assert outside.read_bytes() == b"{}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside", "there"]


@pytest.mark.parametrize(
    "name", ["results.csv", ".lock", "multirun.yaml", "study.db", "0_a/.lock", "0_a/overrides.json", "0_a"]
)
def test_48_nor_by_a_sweep_that_goes_on(tmp_path: Path, outside: Path, name: str) -> None:
    sweep = tmp_path / "sweep"
    sweep.mkdir()

    def plan() -> None:
        begin_sweep(sweep, {"hydra": {"overrides": {"task": []}}})
        prepare_sweep(sweep, {"0_a": ["x=a"]})

    plan()
    if name == "0_a":
        (sweep / name).rename(tmp_path / "elsewhere")
        (sweep / name).symlink_to(tmp_path / "elsewhere")
    else:
        put(link, sweep / name, outside)
    with pytest.raises(CheckpointError, match="is a symbolic link"):
        plan()
    assert outside.read_bytes() == b"{}"
