"""Tables of rows in text files: tsv, csv or jsonl."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from attnfocus.data.reading.lines import SURROGATE, BadRows, text_lines
from attnfocus.errors import DataError

TableFormat = Literal["tsv", "csv", "jsonl"]
Column = str | int

LINE_BREAKS = re.compile(r"[\r\n]+")
_SEPARATORS = {"tsv": "tab", "csv": "comma"}
_SUFFIXES: dict[str, TableFormat] = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a table: the values of the columns asked for, and where it stands."""

    line: int
    raw: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table file and the columns wanted from it.

    Args:
        columns: names or numbers from 0, the same kind for all.
        format: `tsv` (fields end at a tab, no quoting), `csv` (RFC 4180) or `jsonl` (an object a line, by name only).
        has_header: the first row names the columns; None: exactly when the columns are given by name.
        keys: the configuration keys of the columns, for messages.
        single_column: what a file of a single column may be instead of a table, and the way out; for messages.
    """

    path: Path
    columns: tuple[Column, ...]
    format: TableFormat
    has_header: bool | None = None
    encoding: str = "utf-8"
    keys: tuple[str, ...] = ()
    single_column: str = ""

    @property
    def starts_with_names(self) -> bool:
        """Whether the first row is taken as the names of the columns."""
        named = any(isinstance(column, str) for column in self.columns)
        return named if self.has_header is None else self.has_header

    def first_cells(self) -> tuple[str, ...]:
        """What the columns asked for hold in the first row, taken as data; empty where that is no whole row."""
        if self.format == "jsonl":
            return ()
        with text_lines(self.path, self.encoding) as lines:
            fields = next(_rows(lines, self.format), (0, "", ""))[2]
        numbers = [column for column in self.columns if isinstance(column, int)]
        is_whole = not isinstance(fields, str) and max(numbers, default=0) < len(fields)
        return tuple(fields[number] for number in numbers) if is_whole else ()

    def read(self, bad: BadRows) -> list[Record]:
        """All usable rows; the others go to `bad`. Lines without any text are no rows."""
        with text_lines(self.path, self.encoding) as lines:
            return list(self.records(lines, bad))

    def records(self, lines: Iterator[str], bad: BadRows) -> Iterator[Record]:
        """The usable rows among lines, those of the file or of a stream, one after another; the others go to `bad`."""
        return self._json_records(lines, bad) if self.format == "jsonl" else self._split_records(lines, bad)

    def place(self, record: Record, index: int) -> tuple[int, int]:
        """Line and column where the value of `columns[index]` begins."""
        if self.format == "jsonl":
            return record.line, 1
        name = self.columns[index]
        if isinstance(name, int):
            field = name
        else:
            with text_lines(self.path, self.encoding) as lines:
                header = next(_rows(lines, self.format))[2]
            field = list(header).index(name)
        return _field_place(record.raw, record.line, field, self.format)

    def _split_records(self, lines: Iterator[str], bad: BadRows) -> Iterator[Record]:
        indices: list[int] | None = None
        width = 0
        for line, raw, fields in _rows(lines, self.format):
            broken = SURROGATE.search(raw)
            if broken:
                bad.add_undecodable(self.path, *_place(raw, line, broken.start()), broken.group(), self.encoding)
                if indices is None and self.starts_with_names:
                    raise bad.error()  # the next row, which holds no names, would be taken in its place
                continue
            if isinstance(fields, str):
                bad.add(self.path, line, 1, fields)
                continue
            if indices is None:
                indices, width = self._start(fields), len(fields)
                if self.starts_with_names:
                    continue
            if len(fields) != width:
                end = _place(raw, line, len(raw.rstrip("\r\n")))
                bad.add(self.path, *end, f"{len(fields)} columns, where the first row has {width}")
                continue
            values = tuple(LINE_BREAKS.sub(" ", fields[i]) for i in indices)
            empty = next((n for n, value in enumerate(values) if not value.strip()), None)
            if empty is not None:
                place = _field_place(raw, line, indices[empty], self.format)
                bad.add(self.path, *place, f"column {self.columns[empty]!r} is empty")
                continue
            yield Record(line, raw, values)

    def _start(self, first: Sequence[str]) -> list[int]:
        """Where the columns are."""
        indices = []
        for column, key in zip(self.columns, self.keys or ("column",) * len(self.columns), strict=True):
            if isinstance(column, str):
                if first.count(column) != 1:
                    how = "twice" if column in first else "not"
                    raise DataError(
                        f"{key}={column}: {how} in the first line of {self.path}, which has {', '.join(first)[:300]}.\n"
                        "Give a name from there, or a number counted from 0."
                    )
                indices.append(first.index(column))
            elif column < len(first):
                indices.append(column)
            elif len(first) == 1:
                separator = _SEPARATORS[self.format]
                raise DataError(
                    f"{key}={column}: the first line of {self.path} is a single column, without any {separator}.\n"
                    f"{self.single_column}If it is a table, give its dataset.format: tsv (tabs) or csv (commas)."
                )
            else:
                raise DataError(
                    f"{key}={column}: {self.path} has {len(first)} columns in its first line, and they are counted "
                    f"from 0.\nGive a smaller number, or the right dataset.format (here: {self.format})."
                )
        return indices

    def _json_records(self, lines: Iterator[str], bad: BadRows) -> Iterator[Record]:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield Record(number, line, self._json_values(line))
            except (ValueError, RecursionError) as error:
                column = error.colno if isinstance(error, json.JSONDecodeError) else 1
                broken = SURROGATE.search(line)
                if broken:
                    bad.add_undecodable(self.path, number, broken.start() + 1, broken.group(), self.encoding)
                    continue
                bad.add(self.path, number, column, str(error) if isinstance(error, ValueError) else "nested too deep")

    def _json_values(self, line: str) -> tuple[str, ...]:
        found = json.loads(line)
        if not isinstance(found, dict):
            raise ValueError("not a JSON object")
        values = []
        for name in self.columns:
            if name not in found:
                raise ValueError(f"no {name!r} among its keys {', '.join(map(repr, found))[:200]}")
            value = found[name]
            if isinstance(value, bool) or not isinstance(value, str | int):
                raise ValueError(f"{name!r} must be a text, got {json.dumps(value)[:60]}")
            text = LINE_BREAKS.sub(" ", str(value))
            if not text.strip():
                raise ValueError(f"{name!r} is empty")
            if SURROGATE.search(text):
                raise ValueError(f"{name!r} holds half a surrogate pair, which is no character")
            values.append(text)
        return tuple(values)


def table_format(path: Path) -> TableFormat:
    """By the file's ending; everything but .csv, .jsonl and .ndjson is read as tab-separated."""
    return ending_format(path) or "tsv"


def ending_format(path: Path) -> TableFormat | None:
    """What the file's ending says; None where it says nothing of a table."""
    name = path.with_suffix("") if path.suffix == ".gz" else path
    return _SUFFIXES.get(name.suffix.lower())


def first_row(path: Path, kind: TableFormat, encoding: str) -> tuple[str, ...]:
    """The cells of a table's first row, or the keys of its first object; none where that is no whole row."""
    with text_lines(path, encoding) as lines:
        if kind == "jsonl":
            try:
                return tuple(json.loads(next((line for line in lines if line.strip()), "{}")))
            except (ValueError, RecursionError, TypeError):
                return ()
        fields = next(_rows(lines, kind), (0, "", ""))[2]
    return () if isinstance(fields, str) else tuple(fields)


def _rows(lines: Iterator[str], kind: TableFormat) -> Iterator[tuple[int, str, list[str] | str]]:
    return _csv_rows(lines) if kind == "csv" else _tsv_rows(lines)


def _tsv_rows(lines: Iterator[str]) -> Iterator[tuple[int, str, list[str] | str]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, line, line.rstrip("\r\n").split("\t")


def _csv_rows(lines: Iterator[str]) -> Iterator[tuple[int, str, list[str] | str]]:
    """Line, raw text, and fields or what is wrong, of each record; a record may run over several lines."""
    taken: list[str] = []

    def feed() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    reader = csv.reader(feed(), strict=True)
    number = 1
    while True:
        taken.clear()
        try:
            fields: list[str] | str = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fields = f"not valid csv: {error}"
        raw = "".join(taken)
        if raw.strip():
            yield number, raw, fields
        number += len(taken)


def _field_place(raw: str, line: int, field: int, kind: TableFormat) -> tuple[int, int]:
    """Line and column where a field of a record begins."""
    separator, quoted = "\t" if kind == "tsv" else ",", False
    for offset, character in enumerate(raw):
        if field == 0:
            return _place(raw, line, offset)
        quoted ^= kind == "csv" and character == '"'
        field -= character == separator and not quoted
    return _place(raw, line, len(raw.rstrip("\r\n")))


def _place(raw: str, line: int, offset: int) -> tuple[int, int]:
    before = raw[:offset]
    return line + before.count("\n"), offset - (before.rfind("\n") + 1) + 1
