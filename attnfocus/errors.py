"""What can go wrong for a user, and the exit code that each gets.

A message names the key or file, what was given, what is allowed and the way out, in at most five lines.
"""

import signal
from collections.abc import Sequence


def signal_exit_code(number: int) -> int:
    """The exit code of a command that a signal has stopped, after saving: 130 for Ctrl-C, 143 for all others."""
    return 130 if number == signal.SIGINT else 143


class UserError(ValueError):
    """An error that the user can act on: shown as a message, never as a traceback."""

    exit_code = 2
    is_told: bool | None = None  # whether another process of a job shows it; None: all have it, and the first does


class Problem(str):
    """A problem of a configuration, and what should be typed in the place of the override that has it.

    Attributes:
        key: of that override.
        instead: the overrides to type: none where it has to go; None where nobody can know.
        whole: another command line, which may be what was meant and is shown first; empty where there is none.
    """

    key: str
    instead: tuple[str, ...] | None
    whole: str

    def __new__(cls, text: str, key: str = "", instead: Sequence[str] | None = None, whole: str = "") -> "Problem":
        made = super().__new__(cls, text)
        made.key, made.instead, made.whole = key, None if instead is None else tuple(instead), whole
        return made

    def reworded(self, text: str) -> "Problem":
        """The same way out, said otherwise."""
        return Problem(text, self.key, self.instead, self.whole)


def with_command(message: str, command: str) -> str:
    """A message, and below it the command line to paste, or several, a line each; none where it is empty."""
    return f"{message}\nTry:\n  {command.replace(chr(10), chr(10) + '  ')}" if command else str(message)


class ConfigError(UserError):
    """One or more problems in the configuration, raised together.

    Args:
        problems: one line each, `key: what is wrong. The way out.`
        command: a whole command line that has none of them; empty where nobody can know.
    """

    def __init__(self, problems: Sequence[str] | str, command: str = "") -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        self.command = command
        if len(self.problems) == 1:
            message = str(self.problems[0])
        else:
            lines = "\n".join(f"  {problem}" for problem in self.problems)
            message = f"{len(self.problems)} problems in the configuration:\n{lines}"
        super().__init__(with_command(message, command))

    def __reduce__(self) -> tuple[type, tuple[tuple[str, ...], str]]:
        return type(self), (self.problems, self.command)


class DataError(UserError):
    """Data that is missing, empty or malformed: names the file, line and column where known.

    Its message may be a `Problem`, which knows what to type instead.
    """


class RunError(UserError):
    """The run itself failed (a non-finite loss, a disk that is full at the last save)."""

    exit_code = 1


class CheckpointError(UserError):
    """A checkpoint that is missing, damaged, or of another model or format."""

    exit_code = 3
