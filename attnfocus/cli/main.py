"""argv -> verb. Turns every error of a user into a message and an exit code."""

import os
import sys
import traceback
from collections.abc import Sequence

from attnfocus import __version__
from attnfocus.cli.help import VERBS, overview, verb_help
from attnfocus.config.nearest import did_you_mean
from attnfocus.errors import ConfigError, UserError

HELP_FLAGS = ("-h", "--help")
COMPLETION_FLAGS = ("-sc", "--shell-completion")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line.

    Returns:
        The exit code: 0 done, 1 the run failed, 2 configuration, usage or input, 3 checkpoint unusable,
        130 Ctrl-C, 143 terminated after saving.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [argument for argument in given if argument != "--debug"]
    try:
        return _dispatch(given)
    except UserError as error:
        if debug:
            traceback.print_exc()
        print(f"attnfocus: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("attnfocus: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has left: nothing more to say
        return 0
    except Exception as error:
        if debug:
            raise
        line = str(error).splitlines()[0] if str(error) else ""
        print(
            f"attnfocus: {type(error).__name__}: {line}\nRun it again with --debug for the traceback.", file=sys.stderr
        )
        return 1


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in HELP_FLAGS:
        print(overview())
        return 0
    first, rest = arguments[0], arguments[1:]
    if first in ("-V", "--version"):
        print(f"attnfocus {__version__}")
        return 0
    if first in COMPLETION_FLAGS:
        from attnfocus.cli.verbs import complete

        return complete(rest)
    if first not in VERBS:
        hint = did_you_mean(first, VERBS)
        raise ConfigError(
            f"{first}: no such verb.{hint} There are: {', '.join(VERBS)}. `attnfocus` alone shows them all."
        )
    if any(flag in rest for flag in HELP_FLAGS):
        print(verb_help(first))
        return 0
    from attnfocus.cli.verbs import run_verb

    return run_verb(first, rest)
