"""Lines of jobs that run beside one another."""

import io

from rich.console import Console

from attnfocus.commands.sweep.line_prefix import Prefixed
from attnfocus.display.console import is_plain, open_console, say


def test_each_line_goes_on_whole_and_says_whose_it_is() -> None:
    screen = io.StringIO()
    first, second = Prefixed(screen, "job 1: "), Prefixed(screen, "job 2: ")
    first.write("half")
    second.write("a\n\nb\n")
    first.write(" a line\nrest")
    assert screen.getvalue() == "job 2: a\njob 2: b\njob 1: half a line\n"


def test_a_console_on_it_takes_plain_lines_even_on_a_terminal() -> None:
    class Screen(io.StringIO):
        encoding = "ascii"

        def isatty(self) -> bool:
            return True

    screen = Screen()
    console: Console = open_console(Prefixed(screen, "job 3: "), environ={"TERM": "xterm"})  # type: ignore[arg-type]
    assert is_plain(console)
    say(console, "loss 0.5 \u4e2d", style="bold")
    assert screen.getvalue() == "job 3: loss 0.5 \\u4e2d\n"
