"""How a file of inputs is read: line by line, or as a table of which one column holds them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from attnfocus.data.reading.encoding import require_encoding
from attnfocus.data.reading.headers import look_like_names
from attnfocus.data.reading.input_tables import arriving_inputs, inputs_of_table
from attnfocus.data.reading.inputs import STDIN, Input, inputs_of_lines, open_bytes
from attnfocus.data.reading.tables import Column, Table, TableFormat, ending_format, first_row
from attnfocus.errors import ConfigError

InputFormat = Literal["auto", "lines", "tsv", "csv", "jsonl"]
MAX_COLUMNS_LISTED = 20
INPUT_NAMES = ("text", "source", "input", "sentence", "src")  # a column of inputs, where nobody says which it is


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """What a command line says of its inputs; None: as the run's own files."""

    format: InputFormat = "auto"
    column: Column | None = None
    encoding: str | None = None


@dataclass(frozen=True, kw_only=True)
class OwnTables:
    """How the files were read that a run was trained on.

    Attributes:
        column: of the inputs; None: the run has no tables.
        format, header, encoding: as `LabelledText` has them.
        train: path of the first table; None: the run has none of its own.
    """

    column: Column | None = None
    format: str = "auto"
    header: bool | None = None
    encoding: str = "utf-8"
    train: str | None = None


@dataclass(frozen=True)
class Layout:
    """How one file is read.

    Attributes:
        name: path of the file; `-`: standard input.
        table: None: line by line.
        note: what was decided, for the user; empty where nothing was.
    """

    name: str
    encoding: str
    table: Table | None = None
    note: str = ""

    @contextmanager
    def open(self) -> Iterator[Iterator[Input | None]]:
        """The inputs, one after another. None says that no further one has arrived yet.

        Raises:
            ConfigError, DataError: the file cannot be read, is no text, or has no such column.
        """
        if self.table is None:
            with open_bytes(self.name) as binary:
                yield inputs_of_lines(binary, self.encoding)
        elif self.name == STDIN:
            yield arriving_inputs(self.table)
        else:
            yield inputs_of_table(self.table)


def layout_of(name: str, options: InputOptions, own: OwnTables) -> Layout:
    """How a file, or standard input (`-`), is read.

    A table is known by its ending, or by being like the table that the run was trained on; or it is said to be one.

    Raises:
        ConfigError: options that do not go together, or a file that cannot be read.
    """
    if options.encoding is not None:
        require_encoding("encoding", options.encoding)
    encoding = options.encoding or own.encoding
    path = Path("standard input") if name == STDIN else Path(name).expanduser().absolute()
    kind = _kind(name, path, options, own, encoding)
    if kind == "lines":
        if options.column is not None:
            raise ConfigError(
                f"text_column: {name} is read line by line. If it is a table, add input_format=csv or tsv."
            )
        return Layout(name, encoding)
    cells = first_row(path, kind, encoding) if name != STDIN else None
    column, header, why = _column(kind, cells, options, own)
    if cells is not None:
        _require_column(path, column, cells)
    table = Table(path, (column,), kind, header, encoding, ("text_column",))
    shown = f"its column {column!r}" if isinstance(column, str) else f"its column {column} (counted from 0)"
    way_out = "" if options.format != "auto" else "; input_format=lines reads it line by line"
    return Layout(name, encoding, table, f"{path.name} is read as {kind}, {shown}{why}{way_out}.")


def _require_column(path: Path, column: Column, cells: Sequence[str]) -> None:
    """Refuses a column that the first row does not have; of a file without rows nothing is known."""
    if not cells or (column in cells if isinstance(column, str) else column < len(cells)):
        return
    names = ", ".join(cells[:MAX_COLUMNS_LISTED]) + (", ..." if len(cells) > MAX_COLUMNS_LISTED else "")
    raise ConfigError(
        f"text_column: {path} has no column {column}; its columns are {names[:300]}. "
        "Give the one that holds the inputs: text_column=NAME, or its number counted from 0."
    )


def _kind(
    name: str, path: Path, options: InputOptions, own: OwnTables, encoding: str
) -> Literal["lines"] | TableFormat:
    if options.format != "auto":
        return options.format
    if name == STDIN:
        return "lines"
    if own.train is not None and own.format != "auto" and _ending(Path(own.train)) == _ending(path):
        return own.format  # type: ignore[return-value]
    known = ending_format(path)
    if known is not None:
        return known
    is_like_own = own.train is not None and _ending(Path(own.train)) == _ending(path)
    if options.column is not None or (is_like_own and _has_column(path, own.column, encoding)):
        return "tsv"
    return "lines"


def _has_column(path: Path, column: Column | None, encoding: str) -> bool:
    """Whether the first line is one of several fields, and the column among them."""
    cells = first_row(path, "tsv", encoding)
    return len(cells) > 1 and (column in cells if isinstance(column, str) else (column or 0) < len(cells))


def _column(
    kind: TableFormat, cells: Sequence[str] | None, options: InputOptions, own: OwnTables
) -> tuple[Column, bool | None, str]:
    """The column, whether the first row holds names, and why that one, to be said.

    Args:
        cells: of the first row; None: of a stream, which cannot be looked at before it is read.
    """
    if options.column is not None:
        return options.column, own.header if type(options.column) is type(own.column) else None, ""
    if isinstance(own.column, str) or (own.column is not None and kind != "jsonl"):
        return own.column, own.header, " (as in this run's own files)"
    why = " (this run has no column of its own for it; text_column=NAME takes another)"
    names = cells or (() if kind != "jsonl" else INPUT_NAMES)
    for name in INPUT_NAMES:
        if name in names:
            return name, True, why
    if kind == "jsonl":
        return names[0], None, why
    return 0, look_like_names(names), why


def _ending(path: Path) -> str:
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
