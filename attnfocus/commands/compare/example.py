"""One example under the attentions of several configurations, whose checkpoints are loaded and asked."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from attnfocus.commands.compare.configurations import Configuration
from attnfocus.commands.compare.sections import Section
from attnfocus.data.codecs.base import FILE_KINDS
from attnfocus.display.console import open_console, say
from attnfocus.errors import ConfigError, Problem, UserError
from attnfocus.inspection.side_by_side import Look, Looks, look_of
from attnfocus.layout import ANSWERS_FILE
from attnfocus.runs.loader import load
from attnfocus.runs.predictions_file import answered_rows
from attnfocus.runs.run import Run
from attnfocus.tasks import Inspected

MAX_CONFIGURATIONS = 8  # of a section whose checkpoints are loaded
_NUMBER = re.compile(r"[0-9]+")
_TYPED_AS_IT_IS = re.compile(r"[A-Za-z][A-Za-z0-9_:.-]*")  # without quotes
_SPLIT_ROW = re.compile(r"(train|valid|test)[:-][0-9]+")


@dataclass(frozen=True)
class Example:
    """An input, and its right answer where that is known.

    Attributes:
        source: the text; empty of a row that is none.
        id: of a row that was tested on; else empty.
    """

    source: str
    target: str = ""
    id: str = ""


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
        if given in rows:
            found[path] = _of_row(given, rows[given])
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
    """Run directory of each baseline -> the first row that it was tested on, where there is one."""
    found: dict[Path, Example] = {}
    for path in baselines:
        for name, row in islice(_rows(path).items(), 1):
            found[path] = _of_row(name, row)
    return found


def _of_row(name: str, row: Mapping[str, object]) -> Example:
    source = row.get("source")
    return Example(source if isinstance(source, str) else "", str(row.get("target", "")), name)


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
            inspected = _inspected(load(path, device="cpu", trust=trusted), example)
        except UserError as error:
            found.append(Look(row.name, path.name, note=str(error).splitlines()[0]))
        else:
            found.append(look_of(row.name, path.name, inspected, example.target))
    left_out = len(section.rows) - len(shown)
    note = f"{left_out} more configurations are not shown: name fewer runs." if left_out else ""
    return Looks(example.source or f"row {example.id}", example.target, found, note)


def _inspected(run: Run, example: Example) -> Inspected:
    """A text as it stands; what is none (an image, a recording, a signal) from the data, by its row's name."""
    if example.id and (not example.source or run.codec.input_kind in FILE_KINDS):
        return run.inspect(split="test", ids=[example.id], method="attention").examples[0]
    return run.inspect(example.source, method="attention").examples[0]


def _rows(run_dir: Path) -> dict[str, Mapping[str, object]]:
    """The test rows of a run by their ids, in their order; none where they cannot be read."""
    try:
        return {str(row["id"]): row for row in answered_rows(run_dir)}
    except (OSError, ValueError):
        return {}
