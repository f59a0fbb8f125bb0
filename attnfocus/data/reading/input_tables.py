"""A column of a table as inputs: a row that cannot be read is marked in its place."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import cast

from attnfocus.data.reading.arrivals import arriving
from attnfocus.data.reading.delimited import Dialect
from attnfocus.data.reading.encodings import undecodable_bytes
from attnfocus.data.reading.inputs import STDIN, Input, lines_of
from attnfocus.data.reading.lines import BadRows
from attnfocus.data.reading.tables import Table


class _MarkedRows(BadRows):
    """Bad rows as marked inputs, in the order in which they are met."""

    def __init__(self, put: Callable[[Input], None]) -> None:
        super().__init__("skip")
        self._put = put
        self._undecodable = b""

    def add_undecodable(self, path: Path, line: int, raw: str, encoding: str, number: int | None = None) -> None:
        self._undecodable = undecodable_bytes(raw, encoding)
        super().add_undecodable(path, line, raw, encoding, number)
        self._undecodable = b""

    def add(
        self, path: Path, line: int, column: int, reason: str, num_lines: int = 1, number: int | None = None
    ) -> None:
        super().add(path, line, column, reason, num_lines, number)
        self._put(Input(str(number or line), "", reason, self._undecodable))


def inputs_of_table(table: Table) -> Iterator[Input]:
    """The rows of a file.

    Raises:
        DataError: it cannot be read, or has no such column.
    """
    marked: list[Input] = []
    for record in table.records(_MarkedRows(marked.append)):
        yield from marked
        marked.clear()
        yield Input(str(record.number), record.values[0], target=record.extra)
    yield from marked


def arriving_inputs(
    table: Table, name: str, dialect_of: Callable[[str], Dialect | None] | None = None
) -> Iterator[Input | None]:
    """The rows that arrive in a pipe, or on standard input (`-`). None says that no further one has arrived yet.

    Args:
        dialect_of: what the first line shows; None: it is known, and the line is not waited for by itself.
    """

    def produce(put: Callable[[Input], None]) -> None:
        with _stream(name) as binary:
            lines: Iterator[str] = (line for line in lines_of(binary, table.path, table.encoding) if line is not None)
            read = table
            if dialect_of is not None:
                first = list(islice(lines, 1))
                read = replace(table, dialect=dialect_of("".join(first)))
                lines = chain(first, lines)
            for record in read.records_of(lines, _MarkedRows(put)):
                put(Input(str(record.number), record.values[0], target=record.extra))

    return arriving(produce)


@contextmanager
def _stream(name: str) -> Iterator[io.BufferedReader]:
    """A pipe, or standard input without the lock of `sys.stdin`, which a thread that waits would hold at the end."""
    try:
        place: Path | int = os.dup(sys.stdin.fileno()) if name == STDIN else Path(name).expanduser()
    except io.UnsupportedOperation:  # in memory
        yield cast(io.BufferedReader, sys.stdin.buffer)
        return
    with open(place, "rb") as binary:
        yield binary
