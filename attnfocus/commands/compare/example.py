"""One example under the attentions of several configurations, whose checkpoints are loaded and asked."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from attnfocus.commands.compare.configurations import Configuration
from attnfocus.commands.compare.sections import Section
from attnfocus.display.console import open_console, say
from attnfocus.errors import ConfigError, Problem, UserError
from attnfocus.inspection.side_by_side import Look, Looks, look_of
from attnfocus.layout import ANSWERS_FILE
from attnfocus.runs.loader import load
from attnfocus.runs.predictions_file import answered_rows

MAX_CONFIGURATIONS = 8  # of a section whose checkpoints are loaded
_NUMBER = re.compile(r"[0-9]+")
_TYPED_AS_IT_IS = re.compile(r"[A-Za-z][A-Za-z0-9_:.-]*")  # without quotes
_SPLIT_ROW = re.compile(r"(train|valid|test)[:-][0-9]+")


@dataclass(frozen=True)
class Example:
    """An input, and its right answer where that is known."""

    source: str
    target: str = ""


def examples_of(given: str, baselines: Sequence[Configuration]) -> dict[Path, Example]:
    """Directory of the first run of each baseline -> the example for its section.

    Args:
        given: a text; or the id of a row that a baseline was tested on. What looks like an id is no text: a baseline
            that has no such row has no example.

    Raises:
        ConfigError: it looks like an id, and no baseline has such a row; says which rows there are.
    """
    found: dict[Path, Example] = {}
    problems: list[Problem] = []
    for path in (each.runs[0].path for each in baselines):
        rows = _rows(path)
        if given in rows and isinstance(rows[given].get("source"), str):
            found[path] = Example(str(rows[given]["source"]), str(rows[given].get("target", "")))
        elif given in rows:
            problems.append(Problem(f"example: the rows of {path} are no texts. Remove example.", "example", []))
        elif _is_id(given, rows):
            problems.append(_no_such_row(given, path, list(rows)))
        else:
            found[path] = Example(given)
    if not found:
        raise ConfigError(problems[0])
    for problem in problems:
        say(open_console(), problem, style="yellow", wrap=False)
    return found


def first_examples(baselines: Iterable[Path]) -> dict[Path, Example]:
    """Run directory of each baseline -> the first row that it was tested on; none where that is no text."""
    found: dict[Path, Example] = {}
    for path in baselines:
        row = next(iter(_rows(path).values()), {})
        if isinstance(row.get("source"), str):
            found[path] = Example(str(row["source"]), str(row.get("target", "")))
    return found


def _is_id(given: str, rows: Iterable[str]) -> bool:
    """Whether it is called like a row: `test:9999`, or as one of the rows with another number."""
    shapes = {_NUMBER.sub("0", name) for name in rows}
    return _SPLIT_ROW.fullmatch(given) is not None or (not given.isdigit() and _NUMBER.sub("0", given) in shapes)


def _no_such_row(given: str, path: Path, names: Sequence[str]) -> Problem:
    if not names:
        why = f"{path} has no {ANSWERS_FILE} that can be read: attnfocus evaluate run={path} writes it"
        return Problem(f"example: no row {given}: {why}. Or give a text.", "example")
    rows = f"1 row, {names[0]}" if len(names) == 1 else f"{len(names)} rows, {names[0]} to {names[-1]}"
    text = f"example: no row {given}: {path} was tested on {rows}. Name one of them, or give a text."
    return Problem(text, "example", [f"example={names[0]}"] if _TYPED_AS_IT_IS.fullmatch(names[0]) else None)


def looks_of(examples: Mapping[Path, Example], sections: Sequence[Section], trusted: Sequence[str]) -> dict[str, Looks]:
    """Title of a section -> how the first run of each of its configurations looks at the example, if there is one."""
    found = [(section, examples.get(section.rows[0].run_dirs[0])) for section in sections]
    return {section.title: _looks(example, section, trusted) for section, example in found if example is not None}


def _looks(example: Example, section: Section, trusted: Sequence[str]) -> Looks:
    shown = section.rows[:MAX_CONFIGURATIONS]
    console = open_console()
    found: list[Look] = []
    for place, row in enumerate(shown, 1):
        path = row.run_dirs[0]
        say(console, f"example: {row.name} ({place} of {len(shown)})", style="dim")
        try:
            inspected = load(path, device="cpu", trust=trusted).inspect(example.source, method="attention").examples[0]
        except UserError as error:
            found.append(Look(row.name, path.name, note=str(error).splitlines()[0]))
        else:
            found.append(look_of(row.name, path.name, inspected, example.target))
    left_out = len(section.rows) - len(shown)
    note = f"{left_out} more configurations are not shown: name fewer runs." if left_out else ""
    return Looks(example.source, example.target, found, note)


def _rows(run_dir: Path) -> dict[str, Mapping[str, object]]:
    """The test rows of a run by their ids, in their order; none where they cannot be read."""
    try:
        return {str(row["id"]): row for row in answered_rows(run_dir)}
    except (OSError, ValueError):
        return {}
