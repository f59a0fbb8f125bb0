"""One example under the attentions of several configurations, whose checkpoints are loaded and asked."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from attnfocus.commands.compare.sections import Section
from attnfocus.display.console import open_console, say
from attnfocus.errors import UserError
from attnfocus.inspection.side_by_side import Look, Looks, look_of
from attnfocus.layout import ANSWERS_FILE
from attnfocus.regular_files import read_lines
from attnfocus.runs.loader import load
from attnfocus.runs.predictions_file import MAX_LINE_BYTES

MAX_CONFIGURATIONS = 8  # of a section whose checkpoints are loaded


def looks_of(example: str, sections: Sequence[Section], trusted: Sequence[str] = ()) -> dict[str, Looks]:
    """Title of a section -> how the first run of each of its configurations looks at the example.

    Args:
        example: a text; or the id of a row that the baseline was tested on.
    """
    return {section.title: _looks(example, section, trusted) for section in sections}


def _looks(example: str, section: Section, trusted: Sequence[str]) -> Looks:
    source, target = _row_of(section.rows[0].run_dirs[0], example) or (example, "")
    shown = section.rows[:MAX_CONFIGURATIONS]
    console = open_console()
    found: list[Look] = []
    for place, row in enumerate(shown, 1):
        path = row.run_dirs[0]
        say(console, f"example: {row.name} ({place} of {len(shown)})", style="dim")
        try:
            inspected = load(path, device="cpu", trust=trusted).inspect(source, method="attention").examples[0]
        except UserError as error:
            found.append(Look(row.name, path.name, note=str(error).splitlines()[0]))
        else:
            found.append(look_of(row.name, path.name, inspected, target))
    left_out = len(section.rows) - len(shown)
    note = f"{left_out} more configurations are not shown: name fewer runs." if left_out else ""
    return Looks(source, target, found, note)


def _row_of(run_dir: Path, name: str) -> tuple[str, str] | None:
    """Source and target of a test row of a run, by its id; None where it has no such row, or keeps no texts."""
    try:
        for line in read_lines(run_dir / ANSWERS_FILE, MAX_LINE_BYTES):
            row: Mapping[str, object] = json.loads(line)
            if row.get("id") == name and isinstance(row.get("source"), str):
                return str(row["source"]), str(row.get("target", ""))
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return None
