"""argv -> verb. Turns every error of a user into a message and an exit code."""

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

from attnfocus.cli.help import overview, verb_help
from attnfocus.cli.process import is_further_process, prepare_process
from attnfocus.cli.verbs import VERBS, facts_of
from attnfocus.cli.words import as_meant, with_verb
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
            if not (is_further_process() if told.is_told is None else told.is_told):
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


def _readable(message: str) -> str:
    """Without secrets, without what steers a terminal, and with the middle of endless lines left out."""
    lines = visible_lines(hide(message)).split("\n")
    return "\n".join(line if len(line) <= MAX_LINE else f"{line[:500]} ... {line[-200:]}" for line in lines)


def _dispatch(given: list[str]) -> int:
    arguments, config_dir = _without_config_dir(given)
    if not arguments or any(flag in arguments for flag in HELP_FLAGS):
        print(visible_lines(_help(arguments, config_dir)))  # some lines may come from files of somebody else
        return 0
    first, rest = arguments[0], arguments[1:]
    if first in ("-V", "--version"):
        print(f"attnfocus {__version__}")
        return 0
    if first in COMPLETION_FLAGS:
        from attnfocus.cli.completion import complete

        return complete(rest)
    line = as_meant(with_verb(arguments), config_dir)
    own = facts_of(line.verb).flags
    words = [own[word].override if word in own else word for word in line.words]
    from attnfocus.cli.command import run_verb

    prepare_process()
    with_dir = words if config_dir is None else ["--config-dir", config_dir, *words]
    return run_verb(line.verb, with_dir, line)


def _help(arguments: Sequence[str], config_dir: str | None) -> str:
    """`--help` of everything, of a verb, or of the topic that is named behind it."""
    place = next((index for index, word in enumerate(arguments) if word in HELP_FLAGS), len(arguments))
    before, topics = arguments[:place], [word for word in arguments[place + 1 :] if not word.startswith("-")]
    verb = next((word for word in (*before, *topics) if word in VERBS), None)
    topics = [word for word in topics if word != verb]
    if topics:
        from attnfocus.cli.topic_help import topic_help

        return topic_help(verb or "train", topics[0], config_dir)
    if verb is None and before:
        verb = with_verb(before).verb
    return overview(config_dir) if verb is None else verb_help(verb, config_dir)


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
