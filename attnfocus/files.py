"""Folders of one's own, JSON that is strict, tables for other programs."""

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attnfocus.regular_files import replace_file
from attnfocus.visible import visible


def make_fresh_folder(parent: Path, name: str) -> Path:
    """Makes the folder `name` in `parent`, or `name-1`, `name-2`, ... where others have taken it. Its absolute path.

    It is made at once, so that two commands of the same second get two folders.

    Raises:
        OSError: it cannot be made.
    """
    parent.mkdir(parents=True, exist_ok=True)
    number = 0
    while True:
        folder = parent / (f"{name}-{number}" if number else name)
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder.resolve()


def strict_json(value: Any) -> Any:
    """The value in types that JSON has: NaN and infinity become None, paths text, numpy and torch numbers plain."""
    if isinstance(value, Mapping):
        return {str(key): strict_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [strict_json(inner) for inner in value]
    if isinstance(value, Path):
        return str(value)
    if not isinstance(value, str | int | float) and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_json_atomically(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Writes strict, indented JSON; the file is never half written.

    Raises:
        OSError: the file cannot be written; the old one is intact.
        TypeError: a value that JSON does not have.
    """
    text = json.dumps(strict_json(content), indent=2, ensure_ascii=False, allow_nan=False)
    replace_file(Path(path), (text + "\n").encode("utf-8", "backslashreplace"))


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV, the header being the first; None is an empty field.

    A text that a spreadsheet would take for a formula gets a `'` before it. What would steer a terminal is escaped.
    """
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows([_harmless(cell) for cell in row] for row in rows)
    return buffer.getvalue()


def _harmless(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    text = "\n".join(map(visible, cell.split("\n")))
    if not text.startswith(("=", "+", "-", "@")):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text
