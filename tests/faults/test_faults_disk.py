"""62: disks that are full, limited or closed, in every verb."""

import errno
import os
import shutil
import sys
from pathlib import Path

import pytest
from faults_runs import DATES, Run
from tests_support import assert_polite

from attnfocus.cli import main
from attnfocus.errors import ConfigError, RunError, UserError
from attnfocus.files import write_error, writing

FULL = Path("/dev/full")
RUN = Path(__file__).resolve().parents[1] / "runs" / "fixtures" / "run-format-1"

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")

# What each verb asks for that writes to standard output.
TO_SCREEN = {
    "overview": ["--help"],
    "help": ["evaluate", "--help"],
    "evaluate": ["evaluate", "run=RUN", "device=cpu"],
    "predict": ["predict", "run=RUN", "input=input.txt", "device=cpu"],
    "inspect": ["inspect", "run=RUN", "input=input.txt", "device=cpu", "output=seen"],
    "compare": ["compare", "RUN"],
    "doctor": ["doctor"],
}
# What each verb asks for that writes files, and the key of where it writes.
TO_FILES = {
    "train": (["train", *DATES], "paths.outputs"),
    "train_here": (["train", *DATES, "run_dir=here"], "run_dir"),
    "sweep": (["train", "-m", *DATES, "seed=1,2"], "paths.outputs"),
    "search": (
        ["train", "-m", *DATES, "hydra/sweeper=optuna", "optimizer.lr=interval(0.001,0.01)"],
        "hydra.sweeper.storage",  # 2: as of any other URL that cannot be used
    ),
    "inspect": (["inspect", "run=RUN", "input=input.txt", "device=cpu", "output=seen"], "output"),
    "compare": (["compare", "RUN"], "paths.outputs"),
    "bench": (["bench", "attentions=[dot]", "lengths=[8]", "device=cpu"], "paths.outputs"),
}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    shutil.copytree(RUN, tmp_path / "RUN")
    (tmp_path / "input.txt").write_text("[[1, 0, 0, 0]]\n", encoding="utf-8")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("verb", TO_SCREEN)
def test_62_a_full_disk_behind_standard_output_is_named(verb: str, here: Path, run: Run) -> None:
    done = run(*TO_SCREEN[verb], cwd=here, stdout=FULL)
    assert_polite(done, 1)
    assert "attnfocus: standard output: cannot be written: No space left on device. Make room" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("verb", TO_FILES)
def test_62_a_limit_of_the_file_size_names_key_path_and_limit(verb: str, here: Path, run: Run) -> None:
    arguments, key = TO_FILES[verb]
    done = run(*arguments, cwd=here, fault="file_size_limit", FAULT_AT="2000")
    assert done.returncode == (2 if verb == "search" else 1), done.stderr
    message = done.stderr[done.stderr.index("attnfocus: ") :]
    assert message.startswith(f"attnfocus: {key}: ")
    assert str(here) in message
    assert "OSError" not in message
    assert "Errno" not in message
    assert verb == "search" or "no file may have more than 2,000 bytes: ulimit -f" in message


def test_62_a_full_disk_behind_standard_error_changes_no_code(here: Path, run: Run) -> None:
    assert run("evaluate", "run=RUN", "device=cpu", cwd=here, stderr=FULL).returncode == 0
    assert run("evaluate", "run=nowhere", cwd=here, stderr=FULL).returncode == 2


@pytest.mark.parametrize("verb", ["inspect", "compare", "bench", "train_here"])
def test_62_a_place_that_cannot_be_written_is_usage(verb: str, here: Path, run: Run) -> None:
    arguments, _ = TO_FILES[verb]
    given, key = [text for text in arguments if not text.startswith(("output=", "run_dir="))], "run_dir"
    if verb == "inspect":
        key = "output"
    done = run(*given, f"{key}={FULL}/folder", cwd=here)
    assert_polite(done, 2)
    assert f"{key}: cannot write to {FULL}/folder" in done.stderr


@pytest.mark.slow
def test_62_the_first_save_that_fails_says_what_it_needs(tmp_path: Path, run: Run) -> None:
    done = run("train", *DATES, "model.embed_dim=64", fault="disk_full", FAULT_AT="1")
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if "could not be saved" in line)
    assert "File too large (no file may have more than 20,000 bytes: ulimit -f); it needs " in line
    assert " bytes are free" in line or " are free" in line
    assert "training goes on and tries again" in line


NO_ROOM, NO_PERMISSION = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG), (errno.EROFS, errno.EACCES, errno.ENOTDIR)


@pytest.mark.parametrize("number", [*NO_ROOM, *NO_PERMISSION])
def test_62_no_room_is_a_failure_and_no_permission_is_usage(number: int) -> None:
    kind: type[UserError] = RunError if number in NO_ROOM else ConfigError
    with pytest.raises(kind) as found, writing("paths.outputs", Path("/some")):
        raise OSError(number, os.strerror(number), "/some/file")
    assert str(found.value).startswith(f"paths.outputs: cannot write to /some/file: {os.strerror(number)}")


def test_62_a_disk_without_inodes_is_told_from_one_without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    values = list(os.statvfs("/"))
    values[5], values[7] = 1000, 0  # f_files, f_favail
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result(values))
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/some/file")
    assert "it has no inodes left for more files: df -i" in str(write_error(error, "/some/file", "run_dir"))


def test_62_a_full_database_of_a_search_names_key_and_place(tmp_path: Path) -> None:
    import sqlite3

    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import OperationalError

    from attnfocus.commands.sweep.search.options import SearchOptions
    from attnfocus.commands.sweep.search.storage import stored

    full = OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))
    with pytest.raises(RunError) as found, stored(SearchOptions(n_trials=1), tmp_path):
        raise StorageInternalError("An exception is raised during the commit.") from full
    database = f"sqlite:///{tmp_path / 'study.db'}"
    assert str(found.value).startswith(f"hydra.sweeper.storage: {database}: database or disk is full. Make room")


def test_62_what_no_verb_expected_names_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:

    def refuse(given: list[str]) -> int:
        (tmp_path / "file").write_text("")
        return os.open(tmp_path / "file" / "inside", os.O_RDONLY)

    monkeypatch.setattr(sys.modules["attnfocus.cli.main"], "_dispatch", refuse)
    assert main(["doctor"]) == 2
    assert capsys.readouterr().err == f"attnfocus: {tmp_path / 'file' / 'inside'}: Not a directory.\n"
