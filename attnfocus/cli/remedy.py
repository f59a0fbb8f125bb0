"""The command line that was meant: what was typed, with each mistake replaced by what its problem says."""

import shlex
from collections.abc import Callable, Mapping, Sequence

from attnfocus.errors import ConfigError, Problem

MAX_ROUNDS = 4  # a mended line may have mistakes that the first one hid: `--model lstm`

Check = Callable[[Sequence[str]], Sequence[str]]


def command_text(words: Sequence[str]) -> str:
    """A command line of ours as it is pasted into a shell."""
    return " ".join(["attnfocus", *(word if word == "-" else shlex.quote(word) for word in words)])


def mended(words: Sequence[str], problems: Sequence[str], keys: Mapping[str, str]) -> list[str] | None:
    """The words with what the problems say in the place of those that have them; None where one says nothing.

    Args:
        words: what was typed after the verb.
        problems: of which some are a `Problem` that knows what was meant.
        keys: word -> key, of those that are overrides.
    """
    made = list(words)
    for problem in problems:
        if not isinstance(problem, Problem) or problem.instead is None:
            return None
        places = [index for index, word in enumerate(made) if keys.get(word, word.partition("=")[0]) == problem.key]
        if places:
            made[places[0] : places[0] + 1] = problem.instead
        else:  # what is missing, or stands in a file
            made += problem.instead
    flags = [word for word in dict.fromkeys(made) if word == "-m"]
    return [*flags, *(word for word in made if word != "-m")]


def remedy(verb: str, words: Sequence[str], problems: Sequence[str], check: Check) -> tuple[str, list[str]]:
    """The command line without the problems, checked as far as it can be, and the problems that these have hidden.

    The line is empty where nobody knows it.

    Args:
        words: what was typed after the verb.
        check: words -> what is wrong with them.
    """
    hidden: list[str] = []
    for _ in range(MAX_ROUNDS):
        made = mended(words, problems, {})
        if made is None or made == list(words):
            return "", hidden
        words = made
        try:
            problems = check(words)
        except ConfigError as error:
            problems = error.problems
        if not problems:
            return command_text([verb, *words]), hidden
        hidden += [problem for problem in problems if problem not in hidden]
    return "", hidden
