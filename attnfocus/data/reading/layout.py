"""How the tables of a set are laid out: format, separator, encoding, and which columns are meant."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from attnfocus.data.reading.delimited import SEPARATOR_NAMES, Dialect, guessed
from attnfocus.data.reading.encodings import require_encoding
from attnfocus.data.reading.headers import header_notes, meant_columns
from attnfocus.data.reading.lines import BadRows, has_surrogates, text_lines
from attnfocus.data.reading.tables import DIALECTS, OBJECT_FORMATS, Column, Table, TableFormat, table_format
from attnfocus.errors import ConfigError, DataError

Format = Literal["auto", "tsv", "csv", "jsonl", "json", "parquet", "xlsx"]
Rules = Literal[1, 2]

_SEPARATORS = {name: separator for separator, name in SEPARATOR_NAMES.items()} | {"\\t": "\t"}


@dataclass(frozen=True)
class Layout:
    """What the tables of a set have in common.

    Args:
        columns: configuration key -> name, or number counted from 0; None: what the first row of the first table calls
            so, else the first column and the second.
        format: auto: by a file's ending.
        separator: of tsv and csv: a name (comma, semicolon, tab, pipe, space) or the characters; None: what the first
            lines show.
        quotes: a field may stand in quotes; None: in csv, and where a comma or semicolon separates.
        header: whether a table's first row names its columns; None: when the columns are named.
        usual: configuration key -> what a column is called that is not given, where the first table has all of these;
            then its names alone say which columns are meant, never their order.
        rules: 2; 1: as runs that were begun before have it, without guesses.
    """

    columns: Mapping[str, Column | None]
    format: Format = "auto"
    separator: str | None = None
    quotes: bool | None = None
    header: bool | None = None
    encoding: str = "utf-8"
    rules: Rules = 2
    usual: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_encoding("dataset.encoding", self.encoding)
        given = {key: column for key, column in self.columns.items() if column is not None}
        if any(isinstance(column, int) for column in given.values()):
            given = _numbered(self.columns)
        _check_columns(given)
        is_named = any(isinstance(column, str) for column in given.values())
        if self.header is False and is_named and self.format not in OBJECT_FORMATS:
            raise ConfigError("dataset.header=false: columns without a header have no names. Give their numbers.")
        self._check_separator()

    def tables(
        self, files: Mapping[str, Sequence[Path]], single_column: Mapping[str, str] | None = None
    ) -> tuple[dict[str, list[Table]], list[str]]:
        """The tables in files, by split, and notes on how they are read.

        The first file that is not empty, of the first split, says which columns are meant.

        Args:
            single_column: by split, what a file of a single column may be instead of a table, for messages.

        Raises:
            DataError: a file cannot be read, or does not say which columns are meant.
        """
        dialects = {path: self._dialect(path) for paths in files.values() for path in paths}
        candidates = [self._table(path, (), dialects[path]) for path in next(iter(files.values()))]
        columns, notes = self._resolved(next((table for table in candidates if table.first_row()), candidates[0]))
        made = {
            split: [self._table(path, columns, dialects[path], (single_column or {}).get(split, "")) for path in paths]
            for split, paths in files.items()
        }
        every = [table for tables in made.values() for table in tables]
        separators = _separator_notes(every) if self.separator is None else []
        return made, [*separators, *notes, *header_notes(every)]

    def format_of(self, path: Path) -> TableFormat:
        return table_format(path) if self.format == "auto" else self.format

    def _table(
        self, path: Path, columns: tuple[Column, ...], dialect: Dialect | None, single_column: str = ""
    ) -> Table:
        keys = tuple(self.columns)
        kind = self.format_of(path)
        return Table(path, columns, kind, self.header, self.encoding, keys, single_column, dialect, self.rules)

    def expected_dialect(self, kind: TableFormat) -> Dialect | None:
        """How fields are separated, as far as is known without looking at a file; None: they have names."""
        if kind not in DIALECTS:
            return None
        base = DIALECTS[kind]
        if self.separator is not None:
            separator = _SEPARATORS.get(self.separator, self.separator)
            may_quote = kind == "csv" or separator in (",", ";")
            quotes = may_quote if self.quotes is None else self.quotes
            return Dialect(separator, quotes and len(separator) == 1, self.rules)
        return Dialect(base.separator, base.quotes if self.quotes is None else self.quotes, self.rules)

    def may_guess(self, kind: TableFormat) -> bool:
        """Whether the first lines say what separates columns, where it is not what is expected."""
        return kind in DIALECTS and self.separator is None and self.rules > 1 and self.format != "tsv"

    def _dialect(self, path: Path) -> Dialect | None:
        kind = self.format_of(path)
        expected = self.expected_dialect(kind)
        if expected is None or not self.may_guess(kind):
            return expected
        with text_lines(path, self.encoding) as lines:
            return guessed(lines, expected, self.quotes)

    def _resolved(self, first: Table) -> tuple[tuple[Column, ...], list[str]]:
        """The columns that are meant, and what is to be said about them."""
        missing = [key for key, column in self.columns.items() if column is None]
        given = [column for column in self.columns.values() if column is not None]
        is_named = first.format in OBJECT_FORMATS
        if not missing or any(isinstance(column, int) for column in given):
            return tuple(_numbered(self.columns).values()), []
        usual = {key: self.usual[key] for key in missing if key in self.usual}
        if usual and all(map(first.has_column, usual.values())):
            return tuple(usual.get(key, column or "") for key, column in self.columns.items()), []
        cells = first.first_row()
        names = meant_columns(cells, missing) if is_named or self.header is not False else None
        if names is not None:
            chosen = dict(zip(missing, names, strict=True))
            options = " ".join(shlex.quote(f"{key}={name}") for key, name in chosen.items())
            why = "its columns are called so" if is_named else "its first row names its columns"
            columns = {key: chosen.get(key) if column is None else column for key, column in self.columns.items()}
            return tuple(column for column in columns.values() if column is not None), [
                f"{first.path.name}: {options}, since {why}"
            ]
        if is_named or given or usual or len(cells) > len(self.columns):
            if has_surrogates("".join(cells)):  # no column can be found in what cannot be read
                bad = BadRows()
                bad.add_undecodable(first.path, 1, first.used_dialect.separator.join(cells), self.encoding)
                raise bad.error()
            shown = replace(first, has_header=True) if given or usual else first
            example = "NAME" if is_named or given or usual else "NUMBER (or a NAME of the first row)"
            raise DataError(
                f"{' and '.join(missing)}: not given, and {first.path} does not say which of its columns is meant.\n"
                f"They are: {shown.shown_columns() or 'none, it is empty'}.\nGive "
                f"{' and '.join(f'{key}={example}' for key in missing)}."
            )
        return tuple(_numbered(self.columns).values()), []

    def _check_separator(self) -> None:
        if self.separator is None:
            return
        if self.format in (*OBJECT_FORMATS, "xlsx"):
            raise ConfigError(f"dataset.separator={self.separator}: is for tsv and csv. Leave it null.")
        separator = _SEPARATORS.get(self.separator, self.separator)
        if not separator or separator.isalnum() or not set(separator).isdisjoint('"\r\n'):
            raise ConfigError(
                f"dataset.separator={self.separator}: must be one of {', '.join(SEPARATOR_NAMES.values())}, or other "
                "characters that are no letters, digits or quotes."
            )
        if self.quotes and len(separator) > 1:
            raise ConfigError(
                f"dataset.quotes=true: only fields that one character separates can be quoted, not {separator!r}."
            )


def _numbered(columns: Mapping[str, Column | None]) -> dict[str, Column]:
    """The columns, those that are not given by their place."""
    return {key: place if column is None else column for place, (key, column) in enumerate(columns.items())}


def _check_columns(given: Mapping[str, Column]) -> None:
    listed = " and ".join(f"{key}={column}" for key, column in given.items())
    if len({type(column) for column in given.values()}) > 1:
        raise ConfigError(f"{listed}: give both columns by name, or both by number.")
    for key, column in given.items():
        if isinstance(column, int) and column < 0:
            raise ConfigError(f"{key}={column}: columns are counted from 0.")
    if len(given) > 1 and len(set(given.values())) == 1:
        raise ConfigError(f"{' and '.join(given)} are the same column, {next(iter(given.values()))}.")


def _separator_notes(tables: Sequence[Table]) -> list[str]:
    """What separates columns where it is not what the file's ending says."""
    other = [
        table
        for table in tables
        if table.dialect is not None and table.dialect.separator != DIALECTS[table.format].separator
    ]
    if not other:
        return []
    dialect = other[0].used_dialect
    more = f" and {len(other) - 1} more" if len(other) > 1 else ""
    quotes = "" if dialect.quotes else ", and quotes mean nothing"
    return [f"{other[0].path.name}{more}: its first lines show columns separated by {dialect.plural}{quotes}"]
