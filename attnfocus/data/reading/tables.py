"""Tables of rows in files: tsv, csv, JSON, parquet, Excel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from attnfocus.data.reading.binary_tables import parquet_columns, parquet_rows, sheet_rows
from attnfocus.data.reading.column_names import NUM_VALUES_SHOWN, columns_text, distance, short
from attnfocus.data.reading.delimited import Dialect, FieldRow
from attnfocus.data.reading.lines import BadRows, has_surrogates, place_of, text_lines, text_parts
from attnfocus.data.reading.objects import (
    LINE_BREAKS,
    ObjectRow,
    array_rows,
    begins_array,
    check_old,
    has_column,
    line_rows,
    value_text,
)
from attnfocus.errors import DataError, Problem
from attnfocus.files import ending_of

TableFormat = Literal["tsv", "csv", "jsonl", "json", "parquet", "xlsx"]
Column = str | int

OBJECT_FORMATS = ("jsonl", "json", "parquet")  # whose values have names
DIALECTS = {"tsv": Dialect("\t", quotes=False), "csv": Dialect(",", quotes=True)}
_SUFFIXES: dict[str, TableFormat] = {f".{name}": name for name in get_args(TableFormat)} | {".ndjson": "jsonl"}


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a table: the values of the columns asked for, and where it stands.

    Args:
        number: what it is called by, unique in its file: its line, or which element of a JSON array it is.
        extra: the value of the column that rows may lack; empty where there is none.
    """

    line: int
    raw: str
    values: tuple[str, ...]
    number: int
    extra: str = ""


@dataclass(frozen=True)
class Table:
    """A table file and the columns wanted from it.

    Args:
        columns: names or numbers from 0, the same kind for all; of JSON names, which may be dotted paths.
        format: `tsv` (fields end at a tab, no quoting), `csv` (RFC 4180), `jsonl` and `json` (an object a line, or an
            array of objects), `parquet` or `xlsx`.
        has_header: the first row names the columns; None: exactly when the columns are given by name.
        keys: the configuration keys of the columns, for messages.
        single_column: what a file of a single column may be instead of a table, and the way out; for messages.
        dialect: of tsv and csv; None: as their names say.
        rules: of `dataset.reader`.
        extra: name of one more column, which a row may lack; None: none is wanted.
    """

    path: Path
    columns: tuple[Column, ...]
    format: TableFormat
    has_header: bool | None = None
    encoding: str = "utf-8"
    keys: tuple[str, ...] = ()
    single_column: str = ""
    dialect: Dialect | None = None
    rules: int = 2
    extra: str | None = None

    @property
    def starts_with_names(self) -> bool:
        """Whether the first row is taken as the names of the columns."""
        named = any(isinstance(column, str) for column in self.columns)
        return named if self.has_header is None else self.has_header

    @property
    def used_dialect(self) -> Dialect:
        return self.dialect or DIALECTS.get(self.format, DIALECTS["tsv"])

    def first_row(self) -> list[str]:
        """The cells of the first row, whatever they are; of named values the names. Empty where that is no row."""
        if self.format == "parquet":
            return parquet_columns(self.path)
        if self.format in OBJECT_FORMATS:
            with self._objects() as rows:
                found = next(rows, (0, "", "", 1, 0))[2]
            return list(found) if isinstance(found, Mapping) else []
        with self._rows(BadRows()) as rows:
            fields = next(rows, (0, "", ""))[2]
        return fields if isinstance(fields, list) else []

    def has_column(self, name: str) -> bool:
        """Whether the first row has a name, or, of JSON, what a dotted path reaches inside its first object."""
        if self.format not in ("jsonl", "json"):
            return name in self.first_row()
        with self._objects() as rows:
            found = next(rows, (0, "", "", 1, 0))[2]
        return isinstance(found, Mapping) and has_column(found, name)

    def first_cells(self) -> tuple[str, ...]:
        """What the numbered columns hold in the first row, taken as data; empty where that is no whole row."""
        if self.format in OBJECT_FORMATS:
            return ()
        fields = self.first_row()
        numbers = [column for column in self.columns if isinstance(column, int)]
        return tuple(fields[number] for number in numbers) if max(numbers, default=0) < len(fields) else ()

    def read(self, bad: BadRows) -> list[Record]:
        """All usable rows; the others go to `bad`. Lines without any text are no rows."""
        return list(self.records(bad))

    def records(self, bad: BadRows) -> Iterator[Record]:
        """The rows of `read`, one by one."""
        if self.format in OBJECT_FORMATS:
            with self._objects() as objects:
                yield from self._object_records(objects, bad)
        else:
            with self._rows(bad) as rows:
                yield from self.field_records(rows, bad)

    def records_of(self, lines: Iterator[str], bad: BadRows) -> Iterator[Record]:
        """The same of lines of this table that are in no file, such as those that arrive in a pipe."""
        if self.format in OBJECT_FORMATS:
            return self._object_records(line_rows(lines), bad)
        return self.field_records(self.used_dialect.rows(lines, self.path, bad), bad)

    def place(self, record: Record, index: int) -> tuple[int, int]:
        """Line and column where the value of `columns[index]` begins."""
        name = self.columns[index]
        if self.format in OBJECT_FORMATS or not record.raw:
            return record.line, 1
        field = name if isinstance(name, int) else _places_of(name, self.first_row())[0]
        return self.used_dialect.field_place(record.raw, record.line, field)

    def shown_columns(self) -> str:
        """The columns that there are, with a few short values of each; of many the likeliest, and how many more."""
        names: Sequence[Any]
        titles: Sequence[Any]
        if self.format in OBJECT_FORMATS:
            with self._objects() as objects:
                found = [row[2] for row in islice(objects, NUM_VALUES_SHOWN) if isinstance(row[2], Mapping)]
            names = titles = list(dict.fromkeys(name for record in found for name in record))
            values = [[record.get(name) for record in found] for name in names]
        else:
            with self._rows(BadRows()) as rows:
                fields = [row[2] for row in islice(rows, NUM_VALUES_SHOWN + 1) if isinstance(row[2], list)]
            width = len(fields[0]) if fields else 0
            titles = fields[0] if fields else ()
            names, data = (titles, fields[1:]) if self.starts_with_names else (range(width), fields)
            values = [[row[n] for row in data[:NUM_VALUES_SHOWN] if n < len(row)] for n in range(width)]
        wanted = [column for column in self.columns if isinstance(column, str)]
        return columns_text(names, titles, values, wanted)

    @contextmanager
    def _rows(self, bad: BadRows) -> Iterator[Iterator[FieldRow]]:
        if self.format == "xlsx":
            yield ((number, "", cells) for number, cells in sheet_rows(self.path))
            return
        with text_lines(self.path, self.encoding) as lines:
            yield self.used_dialect.rows(lines, self.path, bad)

    @contextmanager
    def _objects(self) -> Iterator[Iterator[ObjectRow]]:
        if self.format == "parquet":
            names = [column for column in self.columns if isinstance(column, str)]
            is_named = len(names) == len(self.columns)
            rows = parquet_rows(self.path, [*names, *filter(None, [self.extra])] if is_named else None)
            yield ((number, "", record, 1, number) for number, record in enumerate(rows, 1))
            return
        with text_parts(self.path, self.encoding) as parts:
            is_array = self.rules > 1 and begins_array(parts)
        with (text_parts if is_array else text_lines)(self.path, self.encoding) as pieces:
            yield array_rows(pieces, self.path) if is_array else line_rows(pieces)

    def columns_of(self, first: Sequence[str]) -> tuple[list[int], int]:
        """Where the wanted columns are in a first row, and how many fields each row must have.

        Raises:
            DataError: there are no such columns.
        """
        return self._start(first), len(first)

    def field_records(
        self, rows: Iterator[FieldRow], bad: BadRows, columns: tuple[list[int], int] | None = None
    ) -> Iterator[Record]:
        """The usable rows. columns: as `columns_of` gives them, for rows that follow the first."""
        indices, width = columns or ([], 0)
        extra: int | None = None
        for line, raw, fields in rows:
            is_undecodable = has_surrogates(raw)
            if is_undecodable or isinstance(fields, str):
                if is_undecodable:
                    bad.add_undecodable(self.path, line, raw, self.encoding)
                else:
                    bad.add(self.path, line, 1, str(fields), max(1, raw.count("\n")))
                if not width and self.starts_with_names:
                    raise bad.error()  # the next row, which holds no names, would be taken in its place
                continue
            if not width:
                indices, width = self._start(fields), len(fields)
                extra = next(iter(_places_of(self.extra, fields)), None) if self.extra is not None else None
                if self.starts_with_names:
                    continue
            if len(fields) != width:
                end = place_of(raw, line, len(raw.rstrip("\r\n")))
                reason = f"{len(fields)} columns, where the first row has {width}"
                bad.add(self.path, *end, reason, max(1, raw.count("\n")))
                continue
            values = tuple([fields[index] for index in indices])
            for number, value in enumerate(values):
                if not value or value.isspace():
                    place = self.used_dialect.field_place(raw, line, indices[number])
                    bad.add(self.path, *place, f"column {self.columns[number]!r} is empty")
                    break
                if "\n" in value or "\r" in value:
                    values = tuple(LINE_BREAKS.sub(" ", value) for value in values)
            else:
                yield Record(line, raw, values, line, "" if extra is None else fields[extra].strip())

    def _start(self, first: Sequence[str]) -> list[int]:
        """Where the columns are."""
        indices = []
        shown = self.shown_columns if self.path.is_file() else lambda: ", ".join(map(short, first))
        for column, key in zip(self.columns, self.keys or ("column",) * len(self.columns), strict=True):
            if isinstance(column, str):
                places = _places_of(column, first)
                if len(places) != 1:
                    free = [name for name in map(short, first) if name and name not in self.columns]
                    near = min(free, key=partial(distance, wanted=[column]), default="0")
                    how = "twice" if places else "not"
                    is_cut = self.path.is_file() or len(first) > 1
                    way_out = (
                        "" if is_cut else ", or what separates its columns: dataset.separator=semicolon, tab, pipe"
                    )
                    text = (
                        f"{key}={column}: {how} in the first line of {self.path}.\nIts columns: "
                        f"{shown()}.\nGive a name from there, such as {key}={near}, or a number counted from 0"
                        f"{way_out}."
                    )
                    is_sure = len(free) == 1 and not places and len(self.columns) > 1
                    raise DataError(Problem(text, key, [f"{key}={near}"] if is_sure else None))
                indices += places
            elif column < len(first):
                indices.append(column)
            elif len(first) == 1:
                raise DataError(
                    f"the first line of {self.path} is a single column, without any {self.used_dialect.name}: "
                    f"{short(first[0])!r}. {len(self.columns)} columns are needed{self._needed()}.\n"
                    f"{self.single_column}If it is a table, add the other column, or give what separates its columns: "
                    "dataset.separator=comma, semicolon, tab, pipe, or the character itself."
                )
            else:
                raise DataError(
                    f"{key}={column}: {self.path} has {len(first)} columns, counted from 0.\n"
                    f"They are: {shown()}.\n"
                    f"Give a smaller number, or the right dataset.format (here: {self.format})."
                )
        return indices

    def _needed(self) -> str:
        """What the columns hold, as far as their keys say it: `, text and label`."""
        names = [key.rpartition(".")[2].removesuffix("_column") for key in self.keys]
        return f", {' and '.join(names)}" if names else ""

    def _object_records(self, objects: Iterator[ObjectRow], bad: BadRows) -> Iterator[Record]:
        names = self._names()
        for line, raw, found, column, number in objects:
            if has_surrogates(raw):
                bad.add_undecodable(self.path, line, raw, self.encoding, number)
            elif isinstance(found, str):
                bad.add(self.path, line, column, found, number=number)
            else:
                try:
                    if self.rules < 2:
                        check_old(found, names)
                    values = tuple([value_text(found, name) for name in names])
                except ValueError as error:
                    bad.add(self.path, line, column, str(error), number=number)
                else:
                    yield Record(line, raw, values, number, self._extra_of(found))

    def _extra_of(self, found: Mapping[str, Any]) -> str:
        try:
            return "" if self.extra is None else value_text(found, self.extra)
        except ValueError:  # has none, or one that is no text
            return ""

    def _names(self) -> list[str]:
        """The columns of named values by name."""
        numbers = [column for column in self.columns if isinstance(column, int)]
        known = self.first_row() if numbers else []
        if numbers and (self.format != "parquet" or max(numbers) >= len(known)):
            given = " and ".join(f"{key}={column}" for key, column in zip(self.keys, self.columns, strict=False))
            raise DataError(
                f"{given}: the values of {self.path.name} have names, not numbers.\nThey are: {self.shown_columns()}.\n"
                "Give their names."
            )
        return [known[column] if isinstance(column, int) else column for column in self.columns]


def table_format(path: Path) -> TableFormat:
    """By the file's ending; everything but .csv, .jsonl, .ndjson, .json, .parquet and .xlsx is tab-separated."""
    return ending_format(path) or "tsv"


def ending_format(path: Path) -> TableFormat | None:
    """What a file's ending says; None where it says nothing of a table."""
    return _SUFFIXES.get(ending_of(path))


def _places_of(name: str, first: Sequence[str]) -> list[int]:
    """Where the first row has a name: exactly so, else with blanks around it."""
    exact = [place for place, cell in enumerate(first) if cell == name]
    return exact or [place for place, cell in enumerate(first) if cell.strip() == name.strip()]
