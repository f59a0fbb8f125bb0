"""Light or dark: what a variable says, what a terminal answers, and what is done where neither does."""

import os
import pty
import subprocess
import sys
import threading

import pytest

from attnfocus.display.background import mode_of_answer, mode_of_variable, terminal_mode

CODE = "from attnfocus.display.background import terminal_mode; print(terminal_mode({}))"


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("0;15", "light"),
        ("15;0", "dark"),
        ("0;default;7", "light"),
        ("12;8", "dark"),
        ("", None),
        ("15", None),
        ("a;b", None),
    ],
)
def test_the_variable(text: str, mode: str | None) -> None:
    assert mode_of_variable(text) == mode


@pytest.mark.parametrize(
    ("answer", "mode"),
    [
        (b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?62c", "light"),
        (b"\x1b]11;rgb:fdfd/f6f6/e3e3\x07", "light"),
        (b"\x1b]11;rgb:0000/2b2b/3636\x1b\\", "dark"),
        (b"\x1b]11;rgba:1e/1e/1e/ff\x1b\\", "dark"),
        (b"\x1b[?62c", None),
        (b"", None),
    ],
)
def test_the_answer(answer: bytes, mode: str | None) -> None:
    assert mode_of_answer(answer) == mode


def test_the_variable_comes_first() -> None:
    assert terminal_mode({"COLORFGBG": "0;15"}) == "light"


@pytest.mark.parametrize("answer", [b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?62c", b"\x1b[?62c", b""])
def test_a_terminal_is_asked_and_left_as_it_was(answer: bytes) -> None:
    """A terminal that answers, one that does not know the question, and one that says nothing at all."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", CODE])
    seen = b""

    def read() -> None:
        nonlocal seen
        is_answered = False
        while True:
            try:
                part = os.read(terminal, 1024)
            except OSError:  # the child has ended
                return
            seen += part
            if b"\x1b]11;?" in seen and not is_answered:
                is_answered = True
                os.write(terminal, answer)

    reader = threading.Thread(target=read)
    reader.start()
    reader.join(timeout=60)
    os.waitpid(child, 0)
    os.close(terminal)
    assert (b"light" in seen) == (b"rgb" in answer)
    assert (b"dark" in seen) == (b"rgb" not in answer)
    assert b"62c" not in seen  # the answer is not echoed


def test_a_terminal_that_has_gone_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    master, terminal = pty.openpty()
    reads = iter([b"\x1b]11", *[b""] * 3])  # then the test fails
    os.write(master, b"\n")  # there is something to read, as at the end of a file
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", lambda *_: os.dup(terminal))
        patch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp())
        patch.setattr(os, "read", lambda *_: next(reads))
        mode = terminal_mode({})
    assert mode == "dark"
    assert len(list(reads)) == 2
    os.close(master)
    os.close(terminal)


def test_without_a_terminal_it_is_dark() -> None:
    found = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, start_new_session=True, check=True
    )
    assert found.stdout == "dark\n"
