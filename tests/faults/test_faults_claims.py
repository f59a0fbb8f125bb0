"""Cases 52 and 53: a run that is being trained, and folders that hold something already."""

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults_runs import VECTORS
from tests_support import Command, assert_polite, summary_of

from attnfocus.errors import ConfigError
from attnfocus.layout import TRAIN_LOCK
from attnfocus.locks import HeldError, is_locked, locked
from attnfocus.runs import claim

ROOT = Path(__file__).parents[2]
SAVED = ROOT / "tests" / "runs" / "fixtures" / "run-format-1"
SHORT = (*VECTORS, "trainer.max_steps=2")
HOLDER = """
import sys, time
from pathlib import Path
from attnfocus.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def held_elsewhere(path: Path) -> Iterator[int]:
    """The lock of a file is held by another process, which is killed at the end."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield holder.pid
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()


def contents(folder: Path) -> dict[Path, bytes | None]:
    """Everything below a folder, but for the lock of a run, which is no part of it."""
    paths = (path for path in folder.rglob("*") if path.name != TRAIN_LOCK)
    return {path: path.read_bytes() if path.is_file() else None for path in paths}


def test_52_a_run_that_is_trained_is_refused_and_goes_on_once_that_is_killed(
    attnfocus: Command, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert attnfocus("train", *SHORT, f"run_dir={run}").returncode == 0
    before = contents(run)
    with held_elsewhere(run / TRAIN_LOCK) as pid:
        for arguments in (
            (f"resume={run}", "trainer.max_steps=4"),
            (*SHORT, f"run_dir={run}", "resume=auto"),
            (*SHORT, f"run_dir={run}"),
        ):
            done = attnfocus("train", *arguments)
            assert_polite(done, 2)
            assert f"being trained by process {pid} on {socket.gethostname()}" in done.stderr
        assert contents(run) == before
        assert attnfocus("evaluate", f"run={run}").returncode == 0
    done = attnfocus("train", f"resume={run}", "trainer.max_steps=4")
    assert done.returncode == 0, done.stderr
    assert summary_of(run)["steps"] == 4


def test_52_a_run_is_locked_while_it_is_trained(
    attnfocus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(
        "attnfocus.commands.train.command.train",
        lambda setup, prepared, run_dir, *_, **__: seen.append(is_locked(run_dir / TRAIN_LOCK)) or 0,
    )
    run = Path(shutil.copytree(SAVED, tmp_path / "saved"))
    for arguments in ((*SHORT, "run_dir=new"), SHORT, (f"resume={run}",)):
        done = attnfocus("train", *arguments)
        assert done.returncode == 0, done.stderr
    assert seen == [True, True, True]
    assert not is_locked(tmp_path / "new" / TRAIN_LOCK)
    assert not is_locked(run / TRAIN_LOCK)


def test_52_a_lock_of_another_host_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(claim, "OTHER_HOST_SECONDS", 0.3)
    with held_elsewhere(tmp_path / TRAIN_LOCK):
        (tmp_path / TRAIN_LOCK).write_text("cluster-17 4711 0\n", encoding="utf-8")
        with pytest.raises(ConfigError, match="process 4711 on cluster-17"), claim.training("resume", tmp_path):
            pass
    assert "waiting for it to end" in capsys.readouterr().err
    with claim.training("resume", tmp_path):
        assert is_locked(tmp_path / TRAIN_LOCK)


def test_52_a_lock_keeps_out_this_process_too_but_not_its_children_alone(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path):
        with pytest.raises(HeldError), locked(path):
            pass
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            try:
                with locked(path):
                    os.write(writer, b"taken")
            except HeldError as error:
                os.write(writer, f"{error.holder.pid}".encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reader, 100) == str(os.getpid()).encode()
    with locked(path):
        pass


def test_52_without_locks_the_note_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    path = tmp_path / "lock"
    with held_elsewhere(path) as pid:
        monkeypatch.setattr("fcntl.lockf", no_locks)
        with pytest.raises(HeldError, match=f"process {pid} on"), locked(path):
            pass
        assert path.read_text(encoding="utf-8").split()[1] == str(pid)
    with locked(path):
        assert path.read_text(encoding="utf-8").split()[1] == str(os.getpid())


@pytest.mark.parametrize("name", ["notes.txt", "checkpoints/step-00000001/model.safetensors", "config.yaml"])
def test_53_a_folder_that_is_not_empty_is_refused(attnfocus: Command, tmp_path: Path, name: str) -> None:
    path = tmp_path / "taken" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine", encoding="utf-8")
    before = contents(tmp_path)
    done = attnfocus("train", *SHORT, "run_dir=taken")
    assert_polite(done, 2)
    assert f"run_dir: {tmp_path / 'taken'} " in done.stderr
    assert contents(tmp_path) == before
    for verb in (("bench",), ("compare", f"runs={SAVED}")):
        assert_polite(attnfocus(*verb, "run_dir=taken"), 2)
    assert contents(tmp_path) == before


def test_53_an_empty_folder_is_taken(attnfocus: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = attnfocus("train", *SHORT, "run_dir=empty")
    assert done.returncode == 0, done.stderr


def test_53_a_job_that_is_started_again_takes_over_what_its_start_has_left(attnfocus: Command, tmp_path: Path) -> None:
    run = tmp_path / "job"
    (run / "data").mkdir(parents=True)
    (run / "data" / "codec.json").write_text('{"format_ver', encoding="utf-8")
    (run / "train.log").write_text("a line\n", encoding="utf-8")
    (run / "slurm-17.out").write_text("mine", encoding="utf-8")
    (run / TRAIN_LOCK).touch()
    (run / ".config.yaml.0123456789012345.tmp").write_text("seed:", encoding="utf-8")
    again = ("train", *SHORT, "run_dir=job", "resume=auto")
    done = attnfocus(*again)
    assert done.returncode == 0, done.stderr
    assert (run / "slurm-17.out").read_text(encoding="utf-8") == "mine"
    assert not list(run.glob(".*.tmp"))
    # Killed after its configuration was written, with data that no disk had yet, and before a checkpoint
    shutil.rmtree(run / "checkpoints")
    (run / "data" / "codec.json").write_text("", encoding="utf-8")
    done = attnfocus(*again)
    assert done.returncode == 0, done.stderr
    assert summary_of(run)["steps"] == 2
    assert attnfocus("evaluate", f"run={run}").returncode == 0


@pytest.mark.parametrize("name", ["checkpoints", "metrics.jsonl", "events.out.tfevents.1.attnfocus"])
def test_53_a_job_does_not_begin_on_what_is_left_of_another_run(attnfocus: Command, tmp_path: Path, name: str) -> None:
    (tmp_path / "job").mkdir()
    shutil.copytree(SAVED / "checkpoints", tmp_path / "job" / name)
    before = contents(tmp_path)
    done = attnfocus("train", *SHORT, "run_dir=job", "resume=auto")
    assert_polite(done, 2)
    assert contents(tmp_path) == before


def test_53_what_a_run_has_not_written_is_never_pruned(attnfocus: Command, tmp_path: Path) -> None:
    run = Path(shutil.copytree(SAVED, tmp_path / "run"))
    kept = (
        run / "checkpoints" / "step-00000010" / "notes.txt",
        run / "checkpoints" / ".tmp-mine" / "model.safetensors",
        run / "checkpoints" / "step-00000020.bak" / "model.safetensors",
    )
    for path in kept:
        path.parent.mkdir()
        path.write_text("mine", encoding="utf-8")
    done = attnfocus("train", f"resume={run}", "trainer.max_steps=26", "trainer.keep_checkpoints=1")
    assert done.returncode == 0, done.stderr
    assert [path.read_text(encoding="utf-8") for path in kept] == ["mine"] * 3
