"""Rows of fields between separators: tsv, csv and their relatives, and what their separator is."""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from attnfocus.data.reading.lines import MAX_LINE_CHARACTERS, BadRows, place_of
from attnfocus.errors import DataError

FieldRow = tuple[int, str, "list[str] | str"]  # line, raw text, and fields or what is wrong
SEPARATOR_NAMES = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "pipe", " ": "space"}
CANDIDATES = ("\t", ",", ";", "|||", "|")
_SAMPLE_LINES, _SAMPLE_CHARACTERS, _SAMPLE_ROWS = 200, 1_000_000, 20
_EXCEL_HINT = re.compile(r"sep=([^\w\s\"]|\t)\r?\n")  # a first line that tells Excel what separates
_MOSTLY = 0.8  # of the first rows that have as many fields: a separator may stand in a bad row too
_HALF = 0.5  # the same, where the first row seems to name columns
_NAME_LENGTH = 40
_LOOKED_AT = 20  # lines that a row has swallowed
_PYTHONS_LIMIT = 131_072  # characters of a field, where nobody sets another
_MAX_READ_AGAIN = 500_000_000  # characters, a few seconds
_SUSPICIOUS_LINES = 3  # inside one row that each look like a row


@dataclass(frozen=True)
class Dialect:
    """How fields are separated.

    Args:
        separator: one character; more where there are no quotes.
        quotes: a field may stand in double quotes, which hide separators and line ends (RFC 4180).
        rules: of `dataset.reader`; 2: a quote that nothing closes takes its own line alone.
        num_skipped: lines before the first row.
    """

    separator: str
    quotes: bool
    rules: int = 2
    num_skipped: int = 0

    @property
    def name(self) -> str:
        return SEPARATOR_NAMES.get(self.separator, repr(self.separator))

    @property
    def plural(self) -> str:
        return f"{self.name}s" if self.separator in SEPARATOR_NAMES else self.name

    def rows(self, lines: Iterator[str], path: Path, bad: BadRows) -> Iterator[FieldRow]:
        """The rows that hold any text. `bad` hears what is odd about rows that can be read."""
        for _ in range(self.num_skipped):
            next(lines, None)
        return self.further_rows(lines, path, bad, self.num_skipped + 1)

    def further_rows(
        self, lines: Iterator[str], path: Path, bad: BadRows, first: int, width: int = 0
    ) -> Iterator[FieldRow]:
        """The rows of lines that begin with the one of number `first`. width: of the rows before; 0: there are none."""
        if not self.quotes:
            return _plain_rows(lines, self, first)
        return _QuotedRows(self, lines, path, bad, width).rows(first)

    def cells(self, line: str) -> list[str]:
        """The fields of a row that is a single line."""
        if self.quotes:
            return next(_parsed(iter((line,)), self), [])
        return line.rstrip("\r\n").split(self.separator)

    def field_place(self, raw: str, line: int, field: int) -> tuple[int, int]:
        """Line and column where a field of a row begins."""
        quoted, offset = False, 0
        while offset < len(raw) and field:
            quoted ^= self.quotes and raw[offset] == '"'
            is_end = not quoted and raw.startswith(self.separator, offset)
            field -= is_end
            offset += len(self.separator) if is_end else 1
        return place_of(raw, line, offset if not field else len(raw.rstrip("\r\n")))


def guessed(lines: Iterator[str], expected: Dialect, may_quote: bool | None) -> Dialect:
    """The dialect that the first lines are in: the expected one, unless it does not fit them and another does.

    Args:
        may_quote: `dataset.quotes`; None: where fields end at a comma or semicolon.
    """
    sample, is_whole = _beginning(lines)
    excel = _EXCEL_HINT.match(sample[0]) if sample else None
    if excel is not None:
        return Dialect(excel[1], may_quote is not False, expected.rules, num_skipped=1)
    agreement = _agreement(sample, expected, is_whole)
    if agreement >= _MOSTLY:
        return expected
    needed = _MOSTLY if expected.quotes and not agreement else 1
    others = {
        dialect: _agreement(sample, dialect, is_whole)
        for dialect in _candidates(expected, may_quote)
        if dialect.separator != expected.separator
    }
    fitting = next((dialect for dialect, share in others.items() if share >= needed), None)
    if fitting is not None or agreement:
        return fitting or expected
    likely = (dialect for dialect, share in others.items() if share > _HALF and _begins_with_names(sample, dialect))
    return next(likely, expected)


def guessed_by_first(line: str, expected: Dialect, may_quote: bool | None, column: str | int) -> Dialect:
    """The dialect of a first line: the expected one, unless that finds no columns and another does.

    Args:
        column: that is wanted. One that has its name comes first; by number, the line may be data.
    """
    excel = _EXCEL_HINT.match(line)
    if excel is not None:
        return Dialect(excel[1], may_quote is not False, expected.rules, num_skipped=1)
    others = [dialect for dialect in _candidates(expected, may_quote) if _begins_with_names((line,), dialect)]
    others = [dialect for dialect in others if len(dialect.cells(line)) > 1]
    name = column.strip() if isinstance(column, str) else None
    for dialect in (expected, *others) if name else ():
        if name in [cell.strip() for cell in dialect.cells(line)]:
            return dialect
    if len(expected.cells(line)) > 1:
        return expected
    fitting = (other for other in others if isinstance(column, str) or column < len(other.cells(line)))
    return next(fitting, expected)


def _candidates(expected: Dialect, may_quote: bool | None) -> Iterator[Dialect]:
    for separator in CANDIDATES:
        quotes = (expected.quotes or separator in ",;") if may_quote is None else may_quote
        yield Dialect(separator, quotes and len(separator) == 1, expected.rules)


def _begins_with_names(sample: Sequence[str], dialect: Dialect) -> bool:
    """Whether the first row may name columns: short texts, no two the same, without blanks around them."""
    cells = dialect.cells(next((line for line in sample if line.strip()), ""))
    return len(set(cells)) == len(cells) and all(0 < len(cell.strip()) == len(cell) <= _NAME_LENGTH for cell in cells)


def _beginning(lines: Iterator[str]) -> tuple[list[str], bool]:
    """The first lines, and whether these are all."""
    sample: list[str] = []
    characters = 0
    for line in lines:
        sample.append(line)
        characters += len(line)
        if len(sample) == _SAMPLE_LINES or characters > _SAMPLE_CHARACTERS:
            return sample, False
    return sample, True


def _agreement(sample: Sequence[str], dialect: Dialect, is_whole: bool) -> float:
    """The share of the first rows that have as many fields as the first, two or more; 0 where that is one row."""
    if dialect.quotes:
        rows = list(_parsed(iter(sample), dialect))
    else:
        rows = [line.rstrip("\r\n").split(dialect.separator) for line in sample if line.strip()]
    rows = (rows if is_whole else rows[:-1])[:_SAMPLE_ROWS]
    widths = Counter(len(row) for row in rows)
    first = len(rows[0]) if rows else 0
    return widths[first] / len(rows) if len(rows) > 1 and first > 1 else 0.0


def _parsed(lines: Iterator[str], dialect: Dialect) -> Iterator[list[str]]:
    """Rows as far as they can be read."""
    reader = _reader(lines, dialect)
    while True:
        try:
            row = next(reader, None)
        except csv.Error:
            continue
        if row is None:
            return
        if row:
            yield row


def _reader(lines: Iterator[str], dialect: Dialect) -> Iterator[list[str]]:
    """The only place that parses quotes; its bound on the length of a field, which is Python's for all, is set here."""
    csv.field_size_limit(MAX_LINE_CHARACTERS if dialect.rules > 1 else _PYTHONS_LIMIT)
    return csv.reader(lines, strict=True, delimiter=dialect.separator)


def _plain_rows(lines: Iterator[str], dialect: Dialect, first: int) -> Iterator[FieldRow]:
    separator = dialect.separator
    for number, line in enumerate(lines, first):
        if not line.isspace():
            yield number, line, line.rstrip("\r\n").split(separator)


class _QuotedRows:
    """Rows with quotes; one may run over several lines.

    A quote that nothing closes makes a row of all lines up to the next quote, or to the end of the file. Where these
    look like rows of their own, they are read again as such, and only the first line is lost.
    """

    def __init__(self, dialect: Dialect, lines: Iterator[str], path: Path, bad: BadRows, width: int = 0) -> None:
        self._dialect, self._lines, self._path, self._bad = dialect, lines, path, bad
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._num_read_again = 0
        self._width = width

    def rows(self, first: int) -> Iterator[FieldRow]:
        """The rows of lines that begin with the one of this number."""
        taken, number = self._taken, first
        reader = _reader(self._feed(), self._dialect)
        while True:
            taken.clear()
            try:
                fields: list[str] | str = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                fields = f"not valid csv: {error}"
                reader = _reader(self._feed(), self._dialect)
            if len(taken) > 1 and self._dialect.rules > 1:
                fields = self._judged(number, fields)
            raw = taken[0] if len(taken) == 1 else "".join(taken)
            if not self._width and isinstance(fields, list):
                self._width = len(fields)
            if raw and not raw.isspace():
                yield number, raw, fields
            number += len(taken)

    def _feed(self) -> Iterator[str]:
        again, taken = self._again, self._taken
        while again:
            line = again.popleft()
            taken.append(line)
            yield line
        for line in self._lines:
            taken.append(line)
            yield line
            while again:
                line = again.popleft()
                taken.append(line)
                yield line

    def _judged(self, number: int, fields: list[str] | str) -> list[str] | str:
        """What a row of several lines is; lines that it has swallowed are put back."""
        rest, last = self._taken[1:], number + len(self._taken) - 1
        if isinstance(fields, list) and len(fields) == self._width:
            inner = rest[:-1][:_LOOKED_AT]
            if len(inner) >= _SUSPICIOUS_LINES and all(map(self._looks_like_a_row, inner)):
                self._bad.warn(
                    f"warning: {self._path}:{number}: this row runs up to line {last} inside its quotes, over lines "
                    "that look like rows. Is a quote not closed?"
                )
            return fields
        looked_at = [line for line in rest if not line.isspace()][:_LOOKED_AT]
        if not looked_at or 2 * sum(map(self._looks_like_a_row, looked_at)) < len(looked_at):
            return fields
        self._again.extendleft(reversed(rest))
        del self._taken[1:]
        self._num_read_again += sum(map(len, rest))
        if self._num_read_again > _MAX_READ_AGAIN:
            raise DataError(
                f"{self._path}:{number}: too many rows open a quote that nothing closes. Correct them, or give "
                "dataset.quotes=false if quotes mean nothing here."
            )
        return f"not valid csv: its quote is not closed up to line {last}"

    def _looks_like_a_row(self, line: str) -> bool:
        try:
            return self._width > 1 and len(next(_reader(iter((line,)), self._dialect))) == self._width
        except (csv.Error, StopIteration):
            return False
