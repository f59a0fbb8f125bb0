"""The state of the checkout is asked for without running what git's configuration names, and without writing."""

import shutil
from pathlib import Path

import pytest

from attnfocus.runs.folder import environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not (ROOT / ".git").exists() or shutil.which("git") is None, reason="needs a checkout and git")
def test_46_git_runs_no_program_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "monitor"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'PWNED'}\n", encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / "config").write_text(f"[core]\n\tfsmonitor = {program}\n\thooksPath = {tmp_path}\n", encoding="utf-8")
    shutil.copy(program, tmp_path / "post-index-change")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    # A file whose time is new, which `git status` would note in the index.
    (ROOT / "README.md").touch()
    folder = ROOT / ".git"
    if folder.is_file():  # a worktree: a line that names its folder
        folder = Path(folder.read_text(encoding="utf-8").removeprefix("gitdir:").strip())
    before = (folder / "index").read_bytes()
    found = environment("cpu")["git"]
    assert len(found["commit"]) == 40
    assert not (tmp_path / "PWNED").exists()
    assert (folder / "index").read_bytes() == before
