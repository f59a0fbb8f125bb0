"""Cases 39 and 41: what is written where nobody draws, and lines that nobody would call text. (40: tests/security.)"""

import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from fcntl import ioctl
from pathlib import Path

import pytest
from command_server import ROOT
from faults_runs import VECTORS, Run, Start

SHORT = (*VECTORS, "trainer.max_steps=3")


def shown_on_a_terminal(start: Start, columns: int, **env: str) -> str:
    """What a run draws on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    drawn: list[bytes] = []

    def read() -> None:
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other side is closed
                return
            drawn.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    done = start("train", *SHORT, stderr=Path(os.ttyname(theirs)), COLUMNS="", **env).wait()
    os.close(theirs)
    reader.join(timeout=30)
    os.close(ours)
    text = b"".join(drawn).decode()
    assert done.returncode == 0, text
    return text


def test_39_a_pipe_or_file_gets_plain_lines(run: Run) -> None:
    done = run("train", *SHORT, TERM="xterm-256color")
    assert done.returncode == 0, done.stderr
    assert not [char for char in done.stdout + done.stderr if ord(char) < 32 and char != "\n"]


def test_39_a_terminal_is_drawn_on(start: Start) -> None:
    assert "\x1b[" in shown_on_a_terminal(start, 100, TERM="xterm-256color")


@pytest.mark.parametrize(
    ("columns", "env"),
    [(100, {"TERM": "xterm-256color", "NO_COLOR": "1"}), (100, {"TERM": "dumb"}), (39, {"TERM": "xterm-256color"})],
)
def test_39_no_color_a_dumb_terminal_or_39_columns_get_plain_lines(
    start: Start, columns: int, env: dict[str, str]
) -> None:
    text = shown_on_a_terminal(start, columns, **env)
    assert not [char for char in text if ord(char) < 32 and char not in "\r\n"]
    between = [line for line in text.splitlines() if line.startswith(("step ", "  "))]
    assert between
    if columns == 40:
        broken_at_words = [line for line in text.splitlines() if len(line) > 40 and "/" not in line and "=" not in line]
        assert not broken_at_words


@pytest.mark.slow
def test_41_every_line_gets_an_answer_or_a_marked_skip_in_order(run: Run, finished: Path) -> None:
    lines = [
        b"May 3, 1999",
        b"",
        " ".join(["May"] * 10_000).encode(),
        b"\x01\x1b[31m\x07 control",
        "ꙮ ᚠᚢᚦ 𐎀𐎁".encode(),
        "lone \ud800 surrogate".encode("utf-8", "surrogatepass"),
        b"\xff\xfe",
        "1999年5月3日".encode(),
    ]
    done = run("predict", f"run={finished}", "format=jsonl", input=b"\n".join(lines) + b"\n")
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert len(answers) == len(lines)
    assert [f'"id": "{number}"' in answer for number, answer in enumerate(answers, 1)] == [True] * len(lines)
    assert '"skipped": "empty input"' in answers[1]
    plain = run("predict", f"run={finished}", input=b"\n".join(lines) + b"\n")
    assert plain.returncode == 0, plain.stderr
    assert len(plain.stdout.split("\n")) == len(lines) + 1
    assert "skipped" in plain.stderr


@pytest.mark.slow
def test_41_a_reader_that_leaves_is_no_crash(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("May 3, 1999\n" * 300, encoding="utf-8")
    command = f'"{sys.executable}" -m attnfocus predict run="{finished}" input=lines.txt batch_size=8 | head -n 1'
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=tmp_path, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"((counting the lines of|answering) lines\.txt  .*\n)*", done.stderr), done.stderr
    assert len(done.stdout.splitlines()) == 1
