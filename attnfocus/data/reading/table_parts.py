"""A table in parts: columns where lines are regular, rows one by one where they are not."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from attnfocus.data.reading.column_parts import ColumnPart, column_part
from attnfocus.data.reading.lines import (
    HEAD,
    MAX_LINE_CHARACTERS,
    BadRows,
    open_bytes,
    refuse_archive,
    text_encoding,
    too_long,
)
from attnfocus.data.reading.tables import Record, Table
from attnfocus.stages import stage

PART_BYTES = 1 << 20
_ROWS = 1024
_MAX_LINE_BYTES = 4 * MAX_LINE_CHARACTERS


def table_parts(table: Table, bad: BadRows) -> Iterator[ColumnPart | list[Record]]:
    """The rows of `table.records`, in their order; most of a large plain file in UTF-8 as columns.

    Raises:
        DataError: as `table.records`.
    """
    if _is_plain(table):
        with (
            open_bytes(table.path) as binary,
            stage(f"reading {table.path.name}", table.path.stat().st_size) as reading,
        ):
            head = binary.read(HEAD)
            refuse_archive(table.path, head)
            if text_encoding(head, table.path, table.encoding) in ("utf-8", "utf-8-sig"):
                binary.seek(len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0)
                start = _Start.of(table, binary)
                if start is not None:
                    for part in start.parts(table, binary, bad):
                        yield part
                        reading.advance(binary.tell() - reading.done)
                    return
    records = table.records(bad)
    yield from iter(lambda: list(islice(records, _ROWS)), [])


def _is_plain(table: Table) -> bool:
    dialect = table.used_dialect
    is_lines = table.format in ("tsv", "csv") and table.path.suffix != ".gz"
    is_one_byte = len(dialect.separator) == 1 and dialect.separator.isascii() and dialect.separator not in '\r\n"\0'
    return is_lines and is_one_byte and not (dialect.quotes and dialect.rules < 2)


class _Start:
    """The first row of a plain table, and where the data begin.

    Args:
        line: the number of the first line of data.
        rest: what has been read of the data.
    """

    def __init__(self, columns: tuple[list[int], int], line: int, rest: bytes) -> None:
        self._columns, self._line, self._rest = columns, line, rest

    @classmethod
    def of(cls, table: Table, binary: BinaryIO) -> _Start | None:
        """None where the first row is nothing ordinary."""
        dialect = table.used_dialect
        number = dialect.num_skipped
        for _ in range(number):
            binary.readline(_MAX_LINE_BYTES)
        content = binary.readline(_MAX_LINE_BYTES)
        if not content.endswith(b"\n") or content.isspace() or (dialect.quotes and b'"' in content) or b"\0" in content:
            return None
        line = content.decode("utf-8", "replace")
        if "\N{REPLACEMENT CHARACTER}" in line or line.isspace() or "\r" in line.removesuffix("\n").removesuffix("\r"):
            return None
        columns = table.columns_of(dialect.cells(line))
        return cls(columns, number + 2, b"") if table.starts_with_names else cls(columns, number + 1, content)

    def parts(self, table: Table, binary: BinaryIO, bad: BadRows) -> Iterator[ColumnPart | list[Record]]:
        """The rows."""
        dialect, (indices, width), line = table.used_dialect, self._columns, self._line
        contents = _whole_lines(binary, self._rest, line, table.path)
        for content in contents:
            whole = content if content.endswith(b"\n") else content + b"\n"
            part = None
            if len(whole) <= MAX_LINE_CHARACTERS:
                part = column_part(whole, line, dialect.separator, width, indices, quotes=dialect.quotes)
            if part is not None:
                yield part
            else:
                # A quote may hide line ends: from where one is on, all is read row by row.
                remaining = chain([content], contents) if dialect.quotes else iter([content])
                rows = dialect.further_rows(_lines(remaining, line, table.path), table.path, bad, line, width)
                records = table.field_records(rows, bad, self._columns)
                yield from iter(lambda: list(islice(records, _ROWS)), [])  # noqa: B023  used up in this round
            line += whole.count(b"\n")


def _whole_lines(binary: BinaryIO, rest: bytes, first: int, path: Path) -> Iterator[bytes]:
    """The content of a file from line `first` on, in parts that end with a line; the last line may have no end."""
    number = first
    while part := binary.read(PART_BYTES):
        part = rest + part
        cut = part.rfind(b"\n") + 1
        rest = part[cut:]
        if cut:
            yield part[:cut]
            number += part.count(b"\n")
        elif len(rest) > _MAX_LINE_BYTES:
            raise too_long(path, number)
    if rest:
        yield rest


def _lines(contents: Iterator[bytes], first: int, path: Path) -> Iterator[str]:
    """The lines with their ends, from number `first` on; undecodable bytes become lone surrogates."""
    number = first
    for content in contents:
        for line in io.StringIO(content.decode("utf-8", "surrogateescape"), newline="\n"):
            if len(line) > MAX_LINE_CHARACTERS:
                raise too_long(path, number)
            yield line
            number += 1
