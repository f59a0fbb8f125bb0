"""Folders of one's own, JSON that is strict, tables for other programs."""

import csv
import errno
import io
import json
import math
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from attnfocus.errors import ConfigError, RunError, UserError
from attnfocus.regular_files import replace_file
from attnfocus.visible import visible_lines

MAX_LINE = 160  # characters of a small object that is written in one line
NEAR = 0.75  # from which share of common characters on two names of files count as similar
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}  # Windows has no quotas


@contextmanager
def writing(key: str, folder: Path) -> Iterator[None]:
    """Turns what the system says of files that cannot be written into what a user is told, with the key to change.

    Raises:
        RunError, ConfigError: as `write_error` has it.
    """
    try:
        yield
    except BrokenPipeError:
        raise  # a reader that has left
    except OSError as error:
        raise write_error(error, error.filename or folder, key) from error


def write_error(error: OSError, path: str | Path, key: str = "") -> UserError:
    """Of a file or folder that cannot be written.

    Returns:
        RunError (1) where there is no room, so that the same command may do later; else ConfigError (2).
    """
    message = f"{key}: cannot write to {path}: {reason_of(error)}." if key else f"{path}: {reason_of(error)}."
    return RunError(f"{message} Make room, or name another place.") if is_no_room(error) else ConfigError(message)


def is_no_room(error: OSError) -> bool:
    """Whether the disk is full, a quota used up, or a file as large as the system allows."""
    return error.errno in _NO_ROOM


def reason_of(error: OSError) -> str:
    """What the system says, and which of its limits that is where there are several."""
    said = error.strerror or str(error)
    if error.errno == errno.EFBIG:
        return f"{said} ({_size_limit()})"
    if error.errno == errno.ENOSPC and error.filename and _has_no_inodes(Path(error.filename).parent):
        return f"{said} (it has no inodes left for more files: df -i)"
    return said


def _size_limit() -> str:
    try:
        import resource
    except ImportError:  # Windows
        return "the largest file that it allows"
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit == resource.RLIM_INFINITY:
        return "the largest file that the file system allows"
    return f"no file may have more than {limit:,} bytes: ulimit -f"


def _has_no_inodes(folder: Path) -> bool:
    try:
        found = os.statvfs(folder)
    except (OSError, AttributeError):  # Windows has no statvfs
        return False
    return found.f_files > 0 and found.f_favail == 0


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


def path_from(folder: Path, path: Path) -> str:
    """How a table that lies in a folder names another: both can then be moved, and nobody's home is told."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive of Windows
        return str(path)


def short_path(path: Path) -> str:
    """How a path is named to others: below the user's home from there on, as `~/...`."""
    try:
        return f"~/{path.relative_to(Path.home()).as_posix()}"
    except (ValueError, RuntimeError):
        return str(path)


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
    """Writes strict JSON as `readable_json` has it; the file is never half written.

    Raises:
        OSError: the file cannot be written; the old one is intact.
        TypeError: a value that JSON does not have.
    """
    replace_file(Path(path), (readable_json(content) + "\n").encode("utf-8", "backslashreplace"))


def readable_json(content: Mapping[str, Any]) -> str:
    """Strict JSON, indented by two blanks. A list of plain values is one line, and so is an object in a list that fits:
    a matrix takes a line for each of its rows.

    Raises:
        TypeError: a value that JSON does not have.
    """
    return _indented(strict_json(content), "", is_item=False)


def _indented(value: Any, start: str, *, is_item: bool) -> str:
    is_list = isinstance(value, list)
    inner = value.values() if isinstance(value, dict) else value if is_list else ()
    if not any(isinstance(each, dict | list) for each in inner):
        line = json.dumps(value, ensure_ascii=False, allow_nan=False)
        if is_list or not inner or (is_item and len(line) <= MAX_LINE):
            return line
    deeper = f"{start}  "
    names = [""] * len(value) if is_list else [f"{json.dumps(name, ensure_ascii=False)}: " for name in value]
    pairs = zip(names, inner, strict=True)
    body = ",\n".join(f"{deeper}{name}{_indented(each, deeper, is_item=is_list)}" for name, each in pairs)
    opening, closing = "[]" if is_list else "{}"
    return f"{opening}\n{body}\n{start}{closing}"


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
    text = visible_lines(cell)
    if not text.startswith(("=", "+", "-", "@")):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def relative_to_here(path: Path) -> Path:
    """The path as it is typed from the current folder, if it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def ending_of(path: Path) -> str:
    """The ending of a file's name, in small letters; of one that is packed, that of what is in it."""
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()


def near_file(path: Path, endings: Collection[str]) -> str:
    """The name of the file in the same folder that is most like one that is not there; empty where none is.

    Endings may differ: `reviews.tsv` is near to `reviews.csv`.

    Args:
        endings: of the files that may be meant, besides those that end as `path` does.
    """
    wanted = {*endings, ending_of(path)}
    try:
        found = [entry for entry in path.parent.iterdir() if not entry.name.startswith(".")]
        found = sorted(entry for entry in found if ending_of(entry) in wanted and entry.is_file())
    except OSError:
        return ""
    stems = {entry.name.partition(".")[0].lower() for entry in found}
    near = get_close_matches(path.name.partition(".")[0].lower(), stems, n=1, cutoff=NEAR)
    names = [entry.name for entry in found if entry.name.partition(".")[0].lower() in near]
    return max(names, key=lambda name: Path(name).suffix == path.suffix, default="")
