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


class ConfigError(UserError):
    """One or more problems in the configuration, raised together.

    Args:
        problems: one line each, `key: what is wrong. The way out.`
    """

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        if len(self.problems) == 1:
            message = self.problems[0]
        else:
            lines = "\n".join(f"  {problem}" for problem in self.problems)
            message = f"{len(self.problems)} problems in the configuration:\n{lines}"
        super().__init__(message)

    def __reduce__(self) -> tuple[type, tuple[tuple[str, ...]]]:
        return type(self), (self.problems,)


class DataError(UserError):
    """Data that is missing, empty or malformed: names the file, line and column where known."""


class RunError(UserError):
    """The run itself failed (a non-finite loss, a disk that is full at the last save)."""

    exit_code = 1


class CheckpointError(UserError):
    """A checkpoint that is missing, damaged, or of another model or format."""

    exit_code = 3
