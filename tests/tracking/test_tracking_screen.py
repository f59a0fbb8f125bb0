import io
import os
import pty
import re
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from attnfocus.commands.sweep.table import JobResult, print_failures, print_results
from attnfocus.display.console import break_words, is_plain, open_console, plain_console
from attnfocus.display.result import Result, print_result
from attnfocus.display.tables import aligned
from attnfocus.display.text import duration, number, shorten
from attnfocus.events import Best, Evaluated, Progress, TrainingEnded, TrainingStarted
from attnfocus.stages import Stage, counted, watching
from attnfocus.tracking.screen import Terminal
from attnfocus.visible import visible

HEADER = ["seq2seq with additive attention on dates", "20,000 examples, 1,234,567 parameters\x1b[31m"]
COMMANDS = ["attnfocus evaluate run=outputs/2026-11-21/04-20-11_seq2seq_additive_dates_1f3a", "attnfocus predict"]
METRICS = {"loss": 0.3, "bleu": 31.0, "exact_match": 0.88, "focus/effective_positions": 3.1, "focus/positions": 14.0}
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def progress(step: int, num_steps: int = 50) -> Progress:
    fraction = step / num_steps
    return Progress(step, 1, fraction, step * 1.0, 60.0, 2.5 - fraction, 3e-4, 0.82, 12345.6, step % 10 == 0)


def run(terminal: Terminal, num_steps: int = 50) -> None:
    terminal.on_start(TrainingStarted(Path("run"), num_steps, 2, 25, resumed_from=0))
    best = None
    for step in range(1, num_steps + 1):
        terminal.on_progress(progress(step, num_steps))
        if step % 25 == 0:
            best = Best("exact_match", 0.88, step) if step == 25 else best
            terminal.on_evaluation(Evaluated(step, 1, "valid", float(step), METRICS, step == 25, best))
    terminal.announce("warning: disk is nearly\x1b[2J full")
    terminal.on_end(TrainingEnded(num_steps, 2, 133.0, "max_epochs reached", best))
    terminal.on_evaluation(Evaluated(num_steps, 2, "test", 133.0, METRICS))
    terminal.summary(Result(Path("outputs/a b"), {"valid": METRICS, "test": METRICS}, best, COMMANDS))
    terminal.close()


def shown(console: Console) -> str:
    run(Terminal(HEADER, console=console))
    return console.file.getvalue()


def test_a_pipe_gets_plain_lines():
    text = shown(open_console(io.StringIO()))
    assert not CONTROLS.search(text)
    lines = text.splitlines()
    assert lines[0] == HEADER[0]
    assert "step 25  valid  exact match 0.8800 best  loss 0.3000  bleu 31.00  focus 3.1 of 14.0 positions" in lines
    assert "step 50  valid  exact match 0.8800  loss 0.3000  bleu 31.00  focus 3.1 of 14.0 positions" in lines
    assert "training ended after step 50, 2 min 13 s: max_epochs reached" in lines
    assert "  " + COMMANDS[0] in lines
    assert "run  'outputs/a b'" in lines
    assert not any(line.endswith(" ") for line in lines)


def test_a_remark_is_the_last_thing_said():
    console = open_console(io.StringIO())
    print_result(console, Result(Path("run"), {"valid": METRICS}, None, COMMANDS, "It was over before."))
    assert console.file.getvalue().splitlines()[-1] == "It was over before."


def test_plain_progress_comes_every_ten_seconds_of_training():
    lines = shown(open_console(io.StringIO())).splitlines()
    steps = [line.split("  ")[0] for line in lines if "words/s" in line]
    assert steps == ["step 1", "step 11", "step 21", "step 31", "step 41"]
    assert "step 11  loss 2.280  22%  1 min left  epoch 1  12,346 words/s  lr 0.0003  gradient 0.8200" in lines


@pytest.mark.parametrize(
    ("environ", "width"), [({"NO_COLOR": "1"}, 100), ({"TERM": "dumb"}, 100), ({"TERM": "xterm"}, 39)]
)
def test_terminals_that_cannot_be_drawn_on_get_plain_lines(environ, width):
    console = open_console(Screen(), environ=environ, width=width)
    assert is_plain(console)
    assert not CONTROLS.search(shown(console))


def test_forty_columns_break_between_figures_and_never_inside_commands():
    lines = shown(plain_console(Screen(), 40)).splitlines()
    assert all(len(line) <= 40 or COMMANDS[0] in line for line in lines)
    assert "  " + COMMANDS[0] in lines
    assert "  loss 0.3000  bleu 31.00" in lines


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_terminal_gets_a_display_that_never_wraps(width):
    console = open_console(Screen(), environ={"TERM": "xterm"}, width=width)
    assert not is_plain(console)
    text = shown(console)
    assert "\x1b[?25l" in text  # hides the cursor ...
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # ... and shows it again
    assert "\x1b[31m" not in text.split(HEADER[0])[1].split("\n")[1]  # what came with the header's text is escaped
    assert "\\x1b[2J" in text
    rows = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n").split("\n")
    assert all(cell_len(row) <= width or "attnfocus" in row for row in rows)
    assert any("exact match" in row and ("focus" in row or width < 60) for row in rows)
    assert any("50% 1 min left" in row for row in rows)
    assert any(row.strip() == "step 25 of 50   epoch 1 of 2" or width > 40 for row in rows)
    assert sum("best" in row and "0.8800" in row and "at step" not in row for row in rows) == 1


def test_the_display_shows_where_the_run_is():
    console = open_console(Screen(), environ={"TERM": "xterm"}, width=100)
    terminal = Terminal(HEADER, console=console)
    terminal.on_start(TrainingStarted(Path("run"), 50, 2, 25))
    terminal.on_evaluation(Evaluated(0, 0, "valid", 0.0, METRICS, True, Best("bleu", 31.0, 0)))
    terminal.on_progress(progress(25))
    terminal.close()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())
    assert "50% 1 min left" in text
    assert "step 25 of 50   epoch 1 of 2   elapsed 25 s" in text
    assert "loss 2.000   lr 0.0003   gradient 0.8200   words/s 12,346" in text
    assert "best bleu 31.00 at step 0   focus 3.1 of 14.0 positions" in text


def test_the_display_costs_little_however_many_events_come():
    terminal = Terminal(HEADER, console=open_console(Screen(), environ={"TERM": "xterm"}, width=100))
    terminal.on_start(TrainingStarted(Path("run"), 10_000, 2, 25))
    start = time.process_time()
    for step in range(10_000):
        terminal.on_progress(progress(step, 10_000))
    assert time.process_time() - start < 3
    terminal.close()


def test_a_run_without_events_can_be_closed_twice():
    terminal = Terminal(console=open_console(io.StringIO()))
    terminal.close()
    terminal.close()


def test_a_stream_of_ascii_gets_ascii():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    terminal = Terminal(["dates 年"], console=plain_console(stream))
    run(terminal)
    stream.flush()
    assert raw.getvalue().startswith(b"dates \\u5e74\n")


def test_a_closed_pipe_neither_ends_nor_fails_the_run(tmp_path):
    script = (
        "import sys\n"
        "sys.path[:0] = sys.argv[1:]\n"
        "from test_tracking_screen import Terminal, open_console, run\n"
        "for _ in range(100): run(Terminal(['x' * 100], console=open_console(sys.stdout)), 50)\n"
        "print('done', file=sys.stderr)\n"
    )
    here = Path(__file__).parent
    with subprocess.Popen(
        [sys.executable, "-c", script, str(here), str(here.parents[1])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == "done\n"
        assert process.wait(20) == 0


def test_a_real_terminal_gets_a_display_and_its_cursor_back():
    script = (
        "import sys\n"
        "sys.path[:0] = sys.argv[1:]\n"
        "from test_tracking_screen import HEADER, Terminal, open_console, run\n"
        "run(Terminal(HEADER, console=open_console(sys.stdout)))\n"
    )
    here = Path(__file__).parent
    master, slave = pty.openpty()
    environ = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    environ |= {"TERM": "xterm-256color", "COLUMNS": "90", "LINES": "30"}
    parts: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(master, 4096):
                parts.append(part)
        except OSError:
            pass  # Linux says so when the other end is closed

    reader = threading.Thread(target=read)
    reader.start()
    command = [sys.executable, "-c", script, str(here), str(here.parents[1])]
    code = subprocess.run(command, stdin=slave, stdout=slave, stderr=slave, env=environ, timeout=60).returncode
    os.close(slave)
    reader.join(10)
    os.close(master)
    text = b"".join(parts).decode()
    assert code == 0
    assert "━" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1


JOBS = [
    JobResult(0, {"model.hidden_size": "64"}, "done", Path("sweep/0"), 12.0, "bleu", 30.0, {"bleu": 29.0}),
    JobResult(7, {"model.hidden_size": "3"}, "failed", Path("sweep/1"), 1.0, error="3 heads\nTraceback"),
    JobResult(2, {"model.hidden_size": "128"}, "done", Path("sweep/2"), 75.0, "bleu", 31.5, {"bleu": 30.5}),
]


def test_jobs_are_ranked_and_failures_listed():
    console = open_console(io.StringIO())
    print_results(console, JOBS)
    print_failures(console, JOBS)
    assert console.file.getvalue().splitlines() == [
        "   hidden_size  status  best bleu  test bleu        time",
        "2  128          done        31.50      30.50  1 min 15 s",
        "0  64           done        30.00      29.00        12 s",
        "7  3            failed                               1 s",
        "1 of 3 jobs failed:",
        "  7  model.hidden_size=3",
        "     3 heads",
        "     sweep/1",
    ]


def test_a_metric_that_should_be_small_ranks_the_other_way():
    console = open_console(io.StringIO())
    print_results(console, JOBS, mode="min")
    assert [line[0] for line in console.file.getvalue().splitlines()[1:]] == ["0", "2", "7"]


def test_a_narrow_screen_gets_lines_instead_of_a_crushed_table():
    console = open_console(Screen(), environ={"TERM": "xterm"}, width=40)
    print_results(console, JOBS)
    lines = console.file.getvalue().splitlines()
    assert all(len(line) <= 40 for line in lines)
    assert lines[:2] == ["2  hidden_size 128  status done", "  best bleu 31.50  test bleu 30.50"]


def test_a_result_without_metrics_still_says_where_the_run_is():
    console = open_console(io.StringIO())
    print_result(console, Result(Path("run"), {}))
    assert console.file.getvalue().split() == ["run", "run"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0.0, "0.0000"), (0.43211, "0.4321"), (31.238, "31.24"), (100.0, "100.0"), (12345.6, "12,346")),
        *((5000, "5,000"), (3e-6, "3.00e-06"), (-2.5, "-2.500"), (float("nan"), "nan"), (float("-inf"), "-inf")),
    ],
)
def test_numbers_have_about_four_digits(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0 s"), (0.2, "< 1 s"), (59.6, "1 min"), (125, "2 min 5 s"), (12000, "3 h 20 min")),
        *((187200, "2 d 4 h"), (None, "-"), (float("inf"), "-"), (-1, "-")),
    ],
)
def test_durations_read_like_words(seconds, text):
    assert duration(seconds) == text


def test_what_steers_a_terminal_is_made_visible():
    assert visible("a\x1b[31m\tb\u200f\udc80\U000e0001 é年") == "a\\x1b[31m\\tb\\u200f\\udc80\\U000e0001 é年"


def test_wide_characters_count_twice():
    assert shorten("年年年", 4) == "年…"
    assert shorten("年年", 4) == "年年"
    assert shorten("e\u0301" * 4, 4) == "e\u0301" * 4
    assert aligned([["", "bleu"], ["年", "1.00"], ["focus", ""]]) == ["       bleu", "年     1.00", "focus"]


FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # joined from three


@pytest.mark.skipif(cell_len(FAMILY) != 2, reason="this version of rich counts the parts of a joined emoji")
def test_a_joined_emoji_is_one_wide_character():
    assert shorten(FAMILY * 3, 5) == FAMILY * 2 + "…"
    assert aligned([[FAMILY, "1"], ["ab", "2"]]) == [f"{FAMILY}  1", "ab  2"]


def test_long_words_stay_whole_when_a_line_is_broken():
    assert break_words("see " + "x" * 30 + " or y", 20) == ["see", "  " + "x" * 30, "  or y"]
    assert break_words("  a bb", 4) == ["  a", "    bb"]


class Paper:
    """A terminal that folds what no longer fits, as most do, and obeys what our display sends."""

    def __init__(self, width: int) -> None:
        self.width, self.rows, self.row, self.column = width, [""], 0, 0

    def feed(self, text: str) -> None:
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]", text):
            self._obey(part)

    def _obey(self, part: str) -> None:
        if part == "\r":
            self.column = 0
        elif part == "\n":
            self.row, self.column = self.row + 1, 0
        elif part == "\x1b[2K":
            self.rows[self.row] = ""
        elif re.fullmatch(r"\x1b\[\d+A", part):
            self.row = max(0, self.row - int(part[2:-1]))
        elif not part.startswith("\x1b"):
            if self.column == self.width:
                self.row, self.column = self.row + 1, 0
            self._grow()
            row = self.rows[self.row].ljust(self.column)
            self.rows[self.row] = row[: self.column] + part + row[self.column + 1 :]
            self.column += 1
        self._grow()

    def _grow(self) -> None:
        self.rows += [""] * (self.row + 1 - len(self.rows))

    def fold(self, width: int) -> None:
        folded, at = [], 0
        for place, row in enumerate(self.rows):
            parts = [row[start : start + width] for start in range(0, len(row), width)] or [""]
            if place == self.row:
                at = len(folded) + len(parts) - 1
            folded += parts
        self.rows, self.row, self.width = folded, at, width


@pytest.mark.parametrize(("before", "after"), [(120, 64), (120, 40), (64, 40), (40, 30), (40, 120), (64, 120)])
def test_a_terminal_that_changes_its_width_keeps_nothing_of_the_old_display(before, after):
    screen = Screen()
    console = open_console(screen, environ={"TERM": "xterm"}, width=before)
    terminal, paper = Terminal(HEADER, console=console), Paper(before)
    terminal.on_start(TrainingStarted(Path("run"), 50, 2, 25))
    terminal.on_progress(progress(1))
    terminal.stage_began(Stage("valid", 10.0))
    time.sleep(0.12)
    terminal.on_progress(progress(2))
    paper.feed(screen.getvalue())
    drawn = len(screen.getvalue())
    paper.fold(after)
    console.width = after
    time.sleep(0.12)
    terminal.on_progress(progress(3))
    paper.feed(screen.getvalue()[drawn:])
    text = "\n".join(paper.rows)
    assert text.count("words/s") == (after > 50)  # what has no room is left out
    assert text.count("elapsed") == (after > 50)
    assert text.count("epoch 1 of 2") == 1
    assert text.count("valid") == 1
    assert sum("━" in row for row in paper.rows) == 2  # the bars of run and stage
    assert text.count("%") == 1  # of the run; the stage has not moved yet
    assert all(len(row) <= after for row in paper.rows)
    terminal.close()


def test_an_evaluation_has_a_bar_of_its_own_in_the_display():
    screen = Screen()
    terminal = Terminal(HEADER, console=open_console(screen, environ={"TERM": "xterm"}, width=100))
    terminal.on_start(TrainingStarted(Path("run"), 50, 2, 25))
    with watching(terminal):
        for _ in counted(range(4), "valid", 4):
            time.sleep(0.11)
    terminal.close()
    text = screen.getvalue()
    assert " 50%" in text
    assert "valid" in text


def test_what_is_left_is_at_least_that_until_an_evaluation_was_timed():
    lines = []
    for is_whole in (False, True):
        console = open_console(io.StringIO())
        terminal = Terminal(console=console)
        terminal.on_progress(replace(progress(11), is_eta_whole=is_whole))
        lines.append(console.file.getvalue())
    assert "  > 1 min left  " in lines[0]
    assert "  1 min left  " in lines[1]
