"""Which kind of screen there is: one that can be drawn on, or one that takes plain lines."""

import os
import sys
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from attnfocus.visible import visible

MIN_WIDTH = 40  # below this many columns a live display only wraps and flickers
_USUAL_WIDTH = 80
_PIPE_WIDTH = 10_000  # a file has no edge: nothing is cut or wrapped


class _Console(Console):
    """A console that falls silent when its reader has gone (`| head`): rich's own would end the program."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        with suppress(OSError, ValueError):  # what is left in the stream's buffer must not fail at exit
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.file.fileno())
            os.close(nowhere)


def open_console(
    stream: TextIO | None = None, *, environ: Mapping[str, str] | None = None, width: int | None = None
) -> Console:
    """A console that draws on an interactive terminal, and gives plain lines anywhere else.

    Plain (no color, no control character, no wrapping) is: a pipe or file, NO_COLOR, TERM=dumb or unknown, and a
    terminal narrower than 40 columns.

    Args:
        stream: standard error when left out.
        width: columns, when they should not be asked of the terminal.
    """
    stream = sys.stderr if stream is None else stream
    environ = os.environ if environ is None else environ
    is_terminal = stream.isatty()
    columns = width or (_columns(stream, environ) if is_terminal else _PIPE_WIDTH)
    can_draw = is_terminal and not environ.get("NO_COLOR") and environ.get("TERM", "") not in ("dumb", "unknown")
    if os.name == "nt":
        can_draw = is_terminal and not environ.get("NO_COLOR")
    if can_draw and columns >= MIN_WIDTH:
        return _Console(file=stream, width=width, highlight=False, markup=False, emoji=False, force_terminal=True)
    return plain_console(stream, columns)


def _columns(stream: TextIO, environ: Mapping[str, str]) -> int:
    """The width of this stream's own terminal: standard output may go elsewhere."""
    given = environ.get("COLUMNS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_WIDTH
    except (OSError, ValueError):  # no file behind the stream
        return _USUAL_WIDTH


def plain_console(stream: TextIO, width: int = _PIPE_WIDTH) -> Console:
    return _Console(
        file=stream,
        width=width,
        height=25,
        force_terminal=False,
        force_interactive=False,
        color_system=None,
        no_color=True,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        safe_box=True,
    )


def is_plain(console: Console) -> bool:
    return not console.is_terminal


def writable(console: Console, text: str) -> str:
    """The text without control characters, and without characters that the stream cannot encode."""
    encoding = getattr(console.file, "encoding", None) or "utf-8"
    return visible(text).encode(encoding, "backslashreplace").decode(encoding)


def say(console: Console, text: str, style: str = "", wrap: bool = True) -> None:
    """Prints lines, broken between words where the screen ends.

    Args:
        wrap: False for what will be copied (commands, paths): only the terminal itself breaks it.
    """
    # A word beside the work fails no command: a full disk behind standard error is no reason to.
    with suppress(OSError) if console.file is sys.stderr else nullcontext():
        for line in text.split("\n"):
            words = writable(console, line)
            for row in break_words(words, console.width) if wrap else [words]:
                console.print(Text(row, style=style), soft_wrap=True)


def break_words(line: str, width: int, between: str = " ") -> list[str]:
    """The line in rows of at most `width` columns, those after the first indented.

    What stands between two `between` stays whole, also where it is longer than a row: a path that is broken cannot be
    copied.
    """
    if cell_len(line) <= width:
        return [line]
    start = line[: len(line) - len(line.lstrip(" "))]
    rows = [""]
    for word in line.strip(" ").split(between):
        row = rows[-1] + between + word if rows[-1] else (start if len(rows) == 1 else start + "  ") + word
        if rows[-1] and cell_len(row) > width:
            rows.append(start + "  " + word)
        else:
            rows[-1] = row
    return rows
