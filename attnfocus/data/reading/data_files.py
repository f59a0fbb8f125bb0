"""The files that a key names: one, several, those that a pattern fits, those of a folder."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from os.path import commonpath
from pathlib import Path

from attnfocus.data.rows import SPLITS
from attnfocus.errors import DataError, Problem
from attnfocus.files import ending_of, near_file, reason_of

TEXT_ENDINGS = (".tsv", ".csv", ".jsonl", ".ndjson", ".json")
TABLE_ENDINGS = (*TEXT_ENDINGS, ".parquet", ".xlsx")
DATA_ENDINGS = (*TABLE_ENDINGS, ".arrow", ".txt", ".zip")  # of sets in a folder
_README_BYTES = 100_000
SPLIT_WORDS = {
    "train": ("train", "training"),
    "valid": ("valid", "validation", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
NUM_SHOWN = 5


class MissingFileError(DataError):
    """A file that a configuration key names is not there.

    Args:
        key: of the configuration.
        problem: what is at its place, as a sentence.
        way_out: what to do about it in a new run; a run that was saved before has others.
        near: the path of the file that was probably meant; empty where none is near.
    """

    def __init__(self, key: str, problem: str, way_out: str, near: str = "") -> None:
        self.key, self.problem, self.way_out, self.near = key, problem, way_out, near
        super().__init__(self.said(way_out))

    def said(self, way_out: str = "") -> Problem:
        """The problem, with what to do about it, or without."""
        hint = f" Did you mean {self.near}?" if self.near else ""
        text = "\n".join(filter(None, [f"{self.problem}{hint}", way_out]))
        return Problem(text, self.key, [f"{self.key}={self.near}"] if self.near else None)

    def __reduce__(self) -> tuple[type, tuple[str, str, str, str]]:
        return type(self), (self.key, self.problem, self.way_out, self.near)


def find_files(given: str | Sequence[str], key: str) -> list[Path]:
    """The absolute paths of the files that a key names, each once.

    A list keeps its order; what a pattern (`data/part-*.csv`) fits and the tables of a folder come in the order of
    their names, numbers by their size.

    Raises:
        MissingFileError: there is no such file.
        DataError: or the folder holds files of another split.
    """
    entries = [given] if isinstance(given, str) else given
    found = [path for entry in entries for path in _entry_files(entry, key, is_alone=isinstance(given, str))]
    if not found:
        raise DataError(f"{key}: an empty list. Give at least one file.")
    return list(dict.fromkeys(found))


def short_names(paths: Sequence[Path]) -> list[str]:
    """What several files are called in the ids of their rows: their names, with folders where names are the same."""
    names = [path.name for path in paths]
    if len(set(names)) == len(names):
        return names
    common = commonpath([path.parent for path in paths])
    return [path.relative_to(common).as_posix() for path in paths]


def prefixes(split: str, paths: Sequence[Path]) -> list[str]:
    """How the ids of rows begin: of several files with the name of theirs."""
    return [f"{split}:"] if len(paths) == 1 else [f"{split}:{name}:" for name in short_names(paths)]


def split_of(name: str) -> str | None:
    """The split that the name of a file or folder says: `test.csv`, `sst-dev.tsv`."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((split for split in SPLITS if not set(SPLIT_WORDS[split]).isdisjoint(words)), None)


def table_files(folder: Path) -> list[Path]:
    """The tables in a folder, gzip or not, by name.

    Raises:
        OSError: it cannot be listed.
    """
    found = (path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return sorted((path for path in found if ending_of(path) in TABLE_ENDINGS), key=_order)


def tables_here(folder: Path) -> list[Path]:
    """The same, for a remark: none where the folder is not there or cannot be listed."""
    try:
        return table_files(folder)
    except OSError:
        return []


def text_splits(folder: Path) -> dict[str, list[Path]] | None:
    """The files of a set in a folder by the splits that their names or folders say, else all of them as train.

    None where there is none, where not all are text tables, or where its README.md says what they are.
    """
    found = sorted(
        (path for path in folder.rglob("*") if path.is_file() and ending_of(path) in DATA_ENDINGS), key=_order
    )
    found = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    readme = folder / "README.md"
    if not found or any(ending_of(path) not in TEXT_ENDINGS for path in found):
        return None
    if readme.is_file() and re.match(r"---\n.*?^(configs|dataset_info):", _beginning(readme), re.DOTALL | re.MULTILINE):
        return None
    splits: dict[str, list[Path]] = {}
    for path in found:
        parts = path.relative_to(folder).parts
        split = next((split for part in reversed(parts) if (split := split_of(part)) is not None), None)
        splits.setdefault({"valid": "validation"}.get(split or "", split or ""), []).append(path)
    rest = splits.pop("", [])
    return splits or {"train": rest}


def is_text_table(path: Path) -> bool:
    """Whether a file's ending says that it is a table of text."""
    return ending_of(path) in TEXT_ENDINGS


def _beginning(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_README_BYTES).decode("utf-8", "replace").replace("\r\n", "\n")


def _entry_files(given: str, key: str, *, is_alone: bool) -> list[Path]:
    near, path = "", Path(given).expanduser().absolute()
    if path.is_file():
        return [path]
    if path.is_dir():
        return _folder_files(path, given, key)
    if glob.has_magic(given):
        found = sorted((Path(name) for name in glob.glob(str(path), recursive=True)), key=_order)
        if files := [path for path in found if path.is_file()]:
            return files
        problem = f"no file fits {path}"
    else:
        problem = f"{path} does not exist"
        near = near_file(path, DATA_ENDINGS) if is_alone else ""
    if given.startswith("["):
        problem += f"""; a list needs quotes around and inside: "{key}=['a.csv','b.csv']\""""
    tables = [] if near else [found.name for found in tables_here(path.parent)]
    there = f"Tables in this folder: {', '.join(tables[:NUM_SHOWN])}. " if tables else ""
    raise MissingFileError(
        key,
        f"{key}={given}: {problem}.",
        f"{there}Give a path that is absolute or relative to the current folder.",
        str(Path(given).with_name(near)) if near else "",
    )


def _folder_files(folder: Path, given: str, key: str) -> list[Path]:
    try:
        found = table_files(folder)
    except OSError as error:
        raise DataError(f"{key}={given}: {folder} cannot be listed: {reason_of(error)}. Give a file.") from error
    if not found:
        raise DataError(
            f"{key}={given}: {folder} is a folder, not a file, and holds no tables ({', '.join(TABLE_ENDINGS)}).\n"
            "Give a file, or a pattern such as 'folder/*.txt'."
        )
    of_split = key.rpartition(".")[2]
    others = [path for path in found if split_of(path.name) not in (None, of_split)]
    if others and of_split in SPLITS:
        choices = " ".join(
            f"dataset.{split}={Path(given) / path.name}"
            for split in SPLITS
            for path in [path for path in found if split_of(path.name) == split][:1]
        )
        names = ", ".join(path.name for path in others[:NUM_SHOWN])
        raise DataError(f"{key}={given}: this folder holds files of other splits ({names}).\nName them: {choices}")
    return found


def _order(path: Path) -> tuple[tuple[int, str], ...]:
    parts = re.split(r"([0-9]+)", str(path))
    return tuple((int(part) if index % 2 else 0, part) for index, part in enumerate(parts))
