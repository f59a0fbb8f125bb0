"""A run opens no port: not in this process, not in its workers, not in a library."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests_support import TINY_DATES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TABLES = ("tcp", "tcp6", "udp", "udp6")
LISTENS = "0A"  # of a TCP socket, in the kernel's tables

# Python's own audit hooks see every address that a socket is bound to or connected with, however briefly.
WATCHED = """
import json, socket, sys
seen = []
def hook(event, arguments):
    if event in ("socket.bind", "socket.connect", "socket.getaddrinfo"):
        is_local = event != "socket.getaddrinfo" and arguments[0].family == getattr(socket, "AF_UNIX", None)
        if not is_local:
            seen.append([event, repr(arguments[1:])])
sys.addaudithook(hook)
from attnfocus.cli import main
code = main(sys.argv[2:])
open(sys.argv[1], "w").write(json.dumps(seen))
sys.exit(code)
"""


def listening(pid: int) -> list[str]:
    """The ports that a process and its children have open, from the kernel's tables."""
    inodes = set()
    for process in (pid, *children(pid)):
        for path in (Path("/proc") / str(process) / "fd").glob("*"):
            try:
                target = os.readlink(path)
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = []
    for table in TABLES:
        path = Path(f"/proc/{pid}/net/{table}")
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if fields[9] in inodes and (fields[3] == LISTENS or table.startswith("udp")):
                found.append(f"{table} {fields[1]}")
    return found


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    own = [int(text) for text in path.read_text().split()] if path.exists() else []
    return [*own, *(deeper for child in own for deeper in children(child))]


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
def test_a_run_with_workers_listens_on_no_port_and_calls_nobody(tmp_path: Path) -> None:
    options = [*TINY_DATES, "trainer.num_workers=1"]
    process = subprocess.Popen(
        [sys.executable, "-c", WATCHED, str(tmp_path / "seen.json"), "train", *options],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    found: list[str] = []
    while process.poll() is None:
        try:
            found += listening(process.pid)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            break
        time.sleep(0.05)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()
    assert found == []
    assert json.loads((tmp_path / "seen.json").read_text()) == []
