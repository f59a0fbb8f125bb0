"""argv -> verb. Turns every error of a user into a message and an exit code."""

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

from attnfocus.cli.help import overview, verb_help
from attnfocus.cli.verbs import VERBS, facts_of
from attnfocus.config.nearest import did_you_mean
from attnfocus.errors import ConfigError, RunError, UserError
from attnfocus.files import is_no_room, reason_of, write_error
from attnfocus.parent import end_with_parent
from attnfocus.redaction import hide
from attnfocus.second_signal import second_signal
from attnfocus.version import __version__
from attnfocus.visible import visible_lines

CONFIG_DIR_FLAGS = ("--config-dir", "-cd")
MAX_LINE = 1000  # characters of one line of a message
HELP_FLAGS = ("-h", "--help")
COMPLETION_FLAGS = ("-sc", "--shell-completion")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line.

    Returns:
        The exit code: 0 done, 1 the run failed, 2 configuration, usage or input, 3 checkpoint unusable,
        130 Ctrl-C, 143 terminated after saving.
    """
    end_with_parent()
    with second_signal():
        return _guarded(arguments)


def _guarded(arguments: Sequence[str] | None) -> int:
    """The command, and what a user is told of its errors."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [argument for argument in given if argument != "--debug"]
    try:
        code = _dispatch(given)
        if sys.stdout is not None:
            sys.stdout.flush()  # a reader that has left is noticed here, not in a complaint of Python's at exit
        return code
    except KeyboardInterrupt:
        _complain("attnfocus: interrupted.")
        return 130
    except BrokenPipeError:
        _silence(sys.stdout)  # the reader has left: nothing more to say
        return 0
    except Exception as error:
        told = _of_system(error) if isinstance(error, OSError) else error
        if debug and isinstance(told, UserError):
            traceback.print_exc()
        elif debug:
            raise
        if isinstance(told, UserError):
            if not (_is_further_process() if told.is_told is None else told.is_told):
                _complain(_readable(f"attnfocus: {told}"))
            return told.exit_code
        line = str(error).splitlines()[0] if str(error) else ""
        _complain(_readable(f"attnfocus: {type(error).__name__}: {line}"))
        _complain("Run it again with --debug for the traceback.")
        return 1
    finally:
        if sys.stderr is not None and _is_stuck(sys.stderr):
            _silence(sys.stderr)  # else Python would end with a code of its own


def _of_system(error: OSError) -> Exception:
    """What the system refuses, as a user is told it; the error itself where it is about no file."""
    if error.filename is None and is_no_room(error):  # whoever writes a file says which
        _silence(sys.stdout)
        return RunError(f"standard output: cannot be written: {reason_of(error)}. Make room, or send it elsewhere.")
    return error if error.filename is None else write_error(error, os.fsdecode(error.filename))


def _is_stuck(stream: TextIO) -> bool:
    """Whether the stream holds something that cannot be written."""
    try:
        stream.flush()
    except OSError:
        return True
    except ValueError:  # closed
        return False
    return False


def _silence(stream: TextIO) -> None:
    """What is still written goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _complain(text: str) -> None:
    with suppress(OSError):  # a full disk behind standard error: the exit code says it
        print(text, file=sys.stderr)


def _is_further_process() -> bool:
    """Whether torchrun has started this process beside the first, which has the same command line."""
    return "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("RANK", "0") != "0"


def _readable(message: str) -> str:
    """Without secrets, without what steers a terminal, and with the middle of endless lines left out."""
    lines = visible_lines(hide(message)).split("\n")
    return "\n".join(line if len(line) <= MAX_LINE else f"{line[:500]} ... {line[-200:]}" for line in lines)


def _dispatch(given: list[str]) -> int:
    arguments, config_dir = _without_config_dir(given)
    if not arguments or arguments[0] in HELP_FLAGS:
        print(visible_lines(overview(config_dir)))  # some lines may come from files of somebody else
        return 0
    first, rest = arguments[0], arguments[1:]
    if first in ("-V", "--version"):
        print(f"attnfocus {__version__}")
        return 0
    if first in COMPLETION_FLAGS:
        from attnfocus.cli.completion import complete

        return complete(rest)
    if first not in VERBS:
        hint = did_you_mean(first, VERBS)
        raise ConfigError(
            f"{first}: no such verb.{hint} There are: {', '.join(VERBS)}. `attnfocus` alone shows them all."
        )
    if any(flag in rest for flag in HELP_FLAGS):
        print(visible_lines(verb_help(first, config_dir)))
        return 0
    own = facts_of(first).flags
    rest = [own[argument].override if argument in own else argument for argument in rest]
    from attnfocus.cli.process import prepare_process  # before Hydra: see there

    from attnfocus.cli.command import run_verb  # isort: skip

    prepare_process()
    return run_verb(first, rest if config_dir is None else ["--config-dir", config_dir, *rest])


def _without_config_dir(arguments: list[str]) -> tuple[list[str], str | None]:
    """The other arguments, and the folder of `--config-dir DIR`, which help needs before Hydra is loaded."""
    others: list[str] = []
    folder = None
    rest = iter(arguments)
    for argument in rest:
        flag, sign, value = argument.partition("=")
        if flag not in CONFIG_DIR_FLAGS:
            others.append(argument)
            continue
        folder = value if sign else next(rest, "")
        if not folder:
            raise ConfigError(f"{flag}: name the folder of your groups: {flag} DIR.")
    return others, folder
