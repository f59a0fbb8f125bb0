"""What is wrong with the values of a command line, as far as the tables of options tell: without loading torch."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from attnfocus.cli.sweeps.command_line import key_of
from attnfocus.cli.verbs import facts_of
from attnfocus.config.habits import EXAMPLES
from attnfocus.config.nearest import wrong_name
from attnfocus.config.option_tables import NotShippedError, shipped_tables
from attnfocus.config.override_text import unreadable
from attnfocus.config.overrides import CommandLine
from attnfocus.config.read import noting_variables
from attnfocus.config.stacks import with_stacks
from attnfocus.errors import ConfigError, Problem, UserError
from attnfocus.limits import DEVICES
from attnfocus.redaction import note_environment, note_values


def value_problems(line: CommandLine, known: Sequence[str], *, is_whole: bool = False) -> list[str]:
    """What is wrong with the values of those overrides that can be composed.

    A clean answer is none yet: the command checks again what the tables do not hold, such as options of a class of the
    user's own, and options that do not go together.

    Args:
        known: problems of the names, whose overrides are left out.
        is_whole: whether classes that are in no table are loaded, as the command does, to check what they take.
    """
    wrong = {problem.split(": ", 1)[0].split("=", 1)[0] for problem in known}
    wrong |= {problem.key for problem in known if isinstance(problem, Problem)}
    sound = [text for text in line.overrides if key_of(text) not in wrong and not unreadable(text)]
    if known and not sound:
        return []  # what nobody has given is right
    try:
        with noting_variables():
            values = line.values(sound)
    except ConfigError as error:
        return list(error.problems) if known else []  # where nothing else is wrong, the command says it
    try:
        values, _ = with_stacks(values, sound, line.config_dir)
    except ConfigError as error:
        return list(error.problems)
    note_environment()
    note_values(values)
    given = {key_of(text).split(".")[0] for text in sound}
    # A null that nobody has given is for the verb to ask for, in its own words.
    values = {key: value for key, value in values.items() if value is not None or key in given}
    try:
        problems = [*shipped_tables().problems(line.verb, values), *_wrong_names(values)]
        return [_with_example(problem, line, sound) for problem in problems]
    except NotShippedError:
        return _real_problems(line.verb, values) if known or is_whole else []


def _with_example(problem: str, line: CommandLine, sound: Sequence[str]) -> str:
    """The problem of a value, with one that the key takes: its default, or an example.

    Where nobody can guess what was meant, that is what is to be typed.
    """
    if not isinstance(problem, Problem):
        return problem
    others = [text for text in sound if key_of(text) != problem.key]
    node: Any = line.compose(others, resolve=True) if len(others) < len(sound) else {}
    for part in problem.key.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    if problem.instead is not None:
        is_number = isinstance(node, int | float) and not isinstance(node, bool)
        is_said = is_number and f"{problem.key}={node}" not in problem.instead
        return problem.reworded(f"{problem} The default is {node}.") if is_said else problem
    example = EXAMPLES.get(problem.key) if node is None or isinstance(node, Mapping | list) else str(node)
    if not example:
        return problem
    return Problem(f"{problem} An example: {problem.key}={example}.", problem.key, [f"{problem.key}={example}"])


def _wrong_names(values: Mapping[str, Any]) -> list[Problem]:
    """Texts that name something, and name nothing that there is: a device, a metric of a shipped task."""
    problems = []
    device = values.get("device")
    if isinstance(device, str) and device.partition(":")[0] not in DEVICES:
        problem = wrong_name("device", device, DEVICES)
        remark = "auto takes a GPU if there is one, else the CPU; cuda is the first NVIDIA GPU, cuda:1 the second."
        problems.append(problem.reworded(f"{problem} {remark}"))
    trainer, dataset = values.get("trainer"), values.get("dataset")
    if isinstance(trainer, Mapping) and isinstance(dataset, Mapping) and not values.get("metric"):
        monitor, known = trainer.get("monitor"), shipped_tables().monitors(str(dataset.get("task")))
        if known and isinstance(monitor, str) and monitor not in known:
            problems.append(wrong_name("trainer.monitor", monitor, known))
    return problems


def check_values(verb: str, values: Mapping[str, Any]) -> None:
    """What the verb checks before it reads data. Loads all classes, those of the user too.

    Raises:
        UserError: the values are not right, or what they name is not there.
    """
    module, _, name = facts_of(verb).check.rpartition(".")
    if name:
        getattr(import_module(module), name)(values)


def _real_problems(verb: str, values: Mapping[str, Any]) -> list[str]:
    """The problems that the verb's own check finds in the values."""
    try:
        check_values(verb, values)
    except ConfigError as error:
        return list(error.problems)
    except UserError:
        pass  # of what is not there: said by the command
    return []
