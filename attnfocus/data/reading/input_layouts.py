"""How a file of inputs is read: line by line, or as a table of which one column holds them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from attnfocus.data.reading.delimited import CANDIDATES, Dialect, guessed_by_first
from attnfocus.data.reading.headers import header_notes, look_like_names, meant_columns
from attnfocus.data.reading.input_tables import arriving_inputs, inputs_of_table
from attnfocus.data.reading.inputs import (
    STDIN,
    STDIN_PATH,
    Input,
    inputs_of_lines,
    is_stream,
    open_bytes,
    require_input,
)
from attnfocus.data.reading.layout import Layout
from attnfocus.data.reading.tables import DIALECTS, OBJECT_FORMATS, Column, Table, TableFormat, ending_format
from attnfocus.errors import ConfigError
from attnfocus.files import ending_of

InputFormat = Literal["auto", "lines", "tsv", "csv", "jsonl", "json", "parquet", "xlsx"]
KEY = "text_column"
NUM_COLUMNS = 2  # of a table without names: the input, and what belongs to it
TARGET_KEYS = {"dataset.text_column": "dataset.label_column", "dataset.source_column": "dataset.target_column"}
NOT_IN_A_STREAM = ("json", "parquet", "xlsx")


@dataclass(frozen=True, kw_only=True)
class OwnTables:
    """How the tables were read that a run was trained on.

    Attributes:
        key: what the column of inputs is called in the configuration, such as `dataset.text_column`.
        column: of the inputs; None: what the first row calls so.
        usual: what it is called in most of such sets, or "".
        target: name of the column of what is right; None: it has none.
        format: `auto`, or of all of its tables.
        options: of `Layout`, besides.
        train: path of the first table; None: the run has no tables of its own.
    """

    key: str
    column: Column | None = None
    format: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)
    train: str | None = None
    usual: str = ""
    target: str | None = None


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """What a command line says of its inputs."""

    format: InputFormat = "auto"
    column: Column | None = None
    encoding: str


@dataclass(frozen=True)
class InputLayout:
    """How one file is read.

    Attributes:
        name: path of the file; `-`: standard input.
        table: None: line by line.
        notes: what was decided, for the user.
        dialect_of: what the first line of a stream shows; None: that is known, or it is a file.
    """

    name: str
    encoding: str
    table: Table | None = None
    notes: tuple[str, ...] = ()
    dialect_of: Callable[[str], Dialect] | None = None

    @property
    def kind(self) -> Literal["lines"] | TableFormat:
        return "lines" if self.table is None else self.table.format

    @contextmanager
    def open(self, heard: Callable[[Dialect], None] | None = None) -> Iterator[Iterator[Input | None]]:
        """The inputs, one after another. None says that no further one has arrived yet.

        Args:
            heard: is called before the first input of a stream with the dialect that its first line shows.

        Raises:
            ConfigError, DataError: the file cannot be read, is no text, or has no such column.
        """
        if self.table is None:
            with open_bytes(self.name) as binary:
                yield inputs_of_lines(binary, _path(self.name), self.encoding)
        elif is_stream(self.name):
            yield arriving_inputs(self.table, self.name, self._heard_by(heard))
        else:
            yield inputs_of_table(self.table)

    def _heard_by(self, heard: Callable[[Dialect], None] | None) -> Callable[[str], Dialect] | None:
        dialect_of = self.dialect_of
        if dialect_of is None or heard is None:
            return dialect_of

        def shown(line: str) -> Dialect:
            dialect = dialect_of(line)
            heard(dialect)
            return dialect

        return shown


def input_layout(name: str, options: InputOptions, own: OwnTables) -> InputLayout:
    """How a file, or standard input (`-`), is read.

    A table is known by its ending, or by being like the table that the run was trained on; or it is said to be one.

    Raises:
        ConfigError: options that do not go together, a file that cannot be read, or without the column.
        DataError: a table that cannot be read.
    """
    require_input(name)
    kind = _kind(name, options, own)
    if kind == "lines":
        if options.column is not None:
            raise ConfigError(
                f"{KEY}: {_shown_name(name)} is read line by line. If it is a table: input_format=csv, tsv."
            )
        return InputLayout(name, options.encoding)
    layout = _layout(kind, options, own)
    if is_stream(name):
        return _of_stream(name, layout, kind, options, own)
    path = _path(name)
    found, notes = layout.tables({"input": [path]})
    table = found["input"][0]
    cells = table.first_row()
    column, has_header, why = _column(kind, cells, options, own, layout.header)
    if column is None or (cells and not _has_column(column, cells)):
        raise _no_column(table, column)
    table = replace(table, columns=(column,), has_header=has_header, extra=_target(cells, column, own))
    way_out = "" if options.format != "auto" else "; input_format=lines reads it line by line"
    decided = f"{_shown_name(name)} is read as {kind}, {_shown(column)}{why}{way_out}."
    return InputLayout(name, options.encoding, table, (decided, *notes, *header_notes([table])))


def _of_stream(name: str, layout: Layout, kind: TableFormat, options: InputOptions, own: OwnTables) -> InputLayout:
    """Of a stream nothing can be looked at before it is read."""
    if kind in NOT_IN_A_STREAM:
        raise ConfigError(f"input_format={kind}: cannot be read from a pipe. Give a file: input=FILE.")
    column, has_header, why = _column(kind, (), options, own, layout.header)
    assert column is not None  # nothing is known of the first row
    expected = layout.expected_dialect(kind)
    table = Table(
        _path(name),
        (column,),
        kind,
        has_header,
        options.encoding,
        (KEY,),
        "",
        expected,
        layout.rules,
    )
    note = f"{_shown_name(name)} is read as {kind}, {_shown(column)}{why}."
    if expected is None or not layout.may_guess(kind):
        return InputLayout(name, options.encoding, table, (note,))
    return InputLayout(
        name,
        options.encoding,
        table,
        (note,),
        lambda line: guessed_by_first(line, expected, layout.quotes, column),
    )


def _target(cells: Sequence[str], column: Column, own: OwnTables) -> str | None:
    """The column of what is right, as training knows it; None where the table has none."""
    name = own.target
    if name is None and own.train is not None and own.key in TARGET_KEYS:
        meant = meant_columns(cells, [own.key, TARGET_KEYS[own.key]])
        name = meant[1] if meant is not None and meant[0] == column else None
    return name if name not in (None, column) and _has_column(str(name), cells) else None


def _shown_name(name: str) -> str:
    """As it was typed."""
    return str(STDIN_PATH) if name == STDIN else name


def _path(name: str) -> Path:
    return STDIN_PATH if name == STDIN else Path(name).expanduser().absolute()


def _kind(name: str, options: InputOptions, own: OwnTables) -> Literal["lines"] | TableFormat:
    if options.format != "auto":
        return options.format
    if is_stream(name):
        return "lines"
    path = _path(name)
    is_like_own = own.train is not None and ending_of(Path(own.train)) == ending_of(path)
    if is_like_own and own.format != "auto":
        return own.format  # type: ignore[return-value]
    known = ending_format(path)
    if known is not None:
        return known
    if options.column is not None:
        return "tsv"
    if is_like_own:
        table = _layout("tsv", options, own).tables({"input": [path]})[0]["input"][0]
        cells = table.first_row()
        if len(cells) > 1 and (own.column is None or _has_column(own.column, cells)):
            return "tsv"
    return "lines"


def _layout(kind: TableFormat, options: InputOptions, own: OwnTables) -> Layout:
    """As the run's own tables. Which column it is, is known later."""
    given = dict(own.options)
    if kind not in DIALECTS:
        given["separator"] = None
    column = 0 if given.get("header") is False else ""
    is_auto = own.format == options.format == "auto"  # then the first lines show what separates the columns
    return Layout({KEY: column}, "auto" if is_auto else kind, encoding=options.encoding, **given)


def _column(
    kind: TableFormat, cells: Sequence[str], options: InputOptions, own: OwnTables, header: bool | None
) -> tuple[Column | None, bool | None, str]:
    """The column, whether the first row holds names (None: where the column is one), and why that column, to be said.

    The column is None where the run has tables whose first row said which it was, and this one's does not.

    Args:
        cells: the first row, as far as it is known.
        header: whether it holds names, as the run's own files have it or the command line says.
    """
    is_named = kind in OBJECT_FORMATS
    if options.column is not None:
        return options.column, header if isinstance(options.column, int) else None, ""
    if isinstance(own.column, str):
        return own.column, None, " (as in this run's own files)"
    if own.column is not None and not is_named:
        return own.column, header, " (as in this run's own files)"
    if header is False and not is_named:
        return 0, header, f" ({KEY}=NUMBER takes another)"
    why = f" ({KEY}=NAME takes another)"
    meant = meant_columns(cells, [own.key])
    if meant is None and is_named and own.usual and own.usual.split(".")[0] in cells:
        return own.usual, None, why
    meant = meant or meant_columns(cells, [own.key, TARGET_KEYS[own.key]])
    if meant is not None:
        return meant[0], None, why
    if own.train is not None and len(cells) > NUM_COLUMNS:
        return None, None, ""
    if is_named:
        return cells[0] if cells else own.key.rpartition(".")[2].removesuffix("_column"), None, why
    return 0, header or look_like_names(cells) or None, why


def table_like(line: str, own: OwnTables) -> TableFormat | None:
    """The table that a first line would begin, by the name of the column of inputs in it; None: it looks like none."""
    kinds: list[tuple[TableFormat, Sequence[str]]] = [("jsonl", _keys(line) if line.startswith("{") else ())]
    for separator in CANDIDATES:
        kinds.append(("tsv" if separator == "\t" else "csv", [cell.strip(' "') for cell in line.split(separator)]))
    for kind, cells in kinds:
        if len(cells) > 1 and (own.column in cells or meant_columns(cells, [own.key]) is not None):
            return kind
    return None


def _keys(line: str) -> Sequence[str]:
    try:
        return tuple(json.loads(line))
    except (ValueError, RecursionError):
        return ()


def _no_column(table: Table, column: Column | None) -> ConfigError:
    problem = "does not say which of its columns is meant" if column is None else f"has no column {column}"
    return ConfigError(
        f"{KEY}: {table.path} {problem}.\nIts columns: {table.shown_columns()}.\n"
        f"Give the one that holds the inputs: {KEY}=NAME, or its number counted from 0."
    )


def _has_column(column: Column, cells: Sequence[str]) -> bool:
    if isinstance(column, int):
        return column < len(cells)
    names = [cell.strip() for cell in cells]
    return column.strip() in names or column.split(".")[0] in names


def _shown(column: Column) -> str:
    return f"its column {column!r}" if isinstance(column, str) else f"its column {column}, counted from 0"
