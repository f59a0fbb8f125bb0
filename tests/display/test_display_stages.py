"""Stages of long work: shown while they last, gone when they end, and no matter where nobody watches."""

import io
import re
import threading
import time

import pytest
from tests_support import Notes

from attnfocus.display.console import open_console
from attnfocus.display.stages import StageScreen, stage_line
from attnfocus.stages import Stage, counted, stage, watching


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_watcher_hears_of_stages_of_its_own_thread_alone() -> None:
    notes = Notes()
    with watching(notes):
        with stage("outer"):
            assert list(counted("ab", "inner", 2)) == ["a", "b"]
        thread = threading.Thread(target=lambda: list(counted("abc", "elsewhere", 3)))
        thread.start()
        thread.join()
        with pytest.raises(ValueError, match="no"), stage("failing", 3):
            raise ValueError("no")
    with stage("nobody looks") as unseen:
        unseen.advance()
    assert notes.lines == [
        "began outer",
        "began inner",
        "inner 0.5",
        "inner 1.0",
        "ended inner",
        "ended outer",
        "began failing",
        "ended failing",
    ]


def test_what_is_left_goes_on_as_it_went() -> None:
    current = Stage("reading", total=100.0, began=time.monotonic() - 10.0)
    assert current.seconds_left is None
    current.advance(25)
    assert current.seconds_left == pytest.approx(30.0, rel=0.01)
    assert stage_line(current) == "reading  25%  30 s left"
    current.advance(1000)
    assert stage_line(current) == "reading  100%  0 s left"
    assert stage_line(Stage("learning", began=time.monotonic() - 90.0)) == "learning  1 min 30 s"


def test_a_terminal_shows_a_stage_that_lasts_and_then_forgets_it() -> None:
    console = open_console(Screen(), environ={"TERM": "xterm"}, width=80)
    with watching(StageScreen(console)):
        with stage("quick"):
            pass
        assert console.file.getvalue() == ""
        with stage("reading corpus.tsv", 10.0) as current:
            current.advance(5)
            time.sleep(0.9)  # one call: the thread draws
    text = console.file.getvalue()
    assert "reading corpus.tsv" in text
    assert " 50%" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is there again
    assert text.endswith("\x1b[2K")  # and the line is not
    assert not [each for each in threading.enumerate() if each.name == "stages"]


def test_a_pipe_gets_no_line_of_what_is_over_in_seconds() -> None:
    console = open_console(io.StringIO())
    with watching(StageScreen(console)):
        with stage("reading", 10.0) as current:
            current.advance(9)
            time.sleep(0.9)
        with stage("learning"):
            time.sleep(0.9)
    assert console.file.getvalue() == ""


def test_a_pipe_gets_its_first_line_within_a_second_where_there_is_much_to_do() -> None:
    console = open_console(io.StringIO())
    with watching(StageScreen(console)):
        began = time.monotonic()
        with stage("reading", 10.0) as current:
            current.advance(0.1)
            while not console.file.getvalue() and time.monotonic() < began + 9.0:
                time.sleep(0.01)
        assert 0.5 <= time.monotonic() - began < 5.0  # 0.5 s, and as much as a busy machine takes
        with stage("encoding", 10.0):  # within ten seconds of the first line
            time.sleep(0.9)
    assert re.fullmatch(r"reading  1%  \d+ s left\n|reading  1%  \d min.* left\n", console.file.getvalue())


def test_a_pipe_gets_a_line_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attnfocus.display.stages.LINE_SECONDS", 0.1)
    console = open_console(io.StringIO())
    with watching(StageScreen(console)), stage("reading", 10.0) as current:
        current.advance(4)
        time.sleep(0.9)
    lines = console.file.getvalue().splitlines()
    assert 1 <= len(lines) <= 4
    assert all(re.fullmatch(r"reading  40%  \d s left", line) for line in lines)
