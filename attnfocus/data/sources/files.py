"""A user's own files as sets: pairs of texts, and texts with labels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

from attnfocus.data.reading.headers import header_notes
from attnfocus.data.reading.lines import BadRows, OnBadRow, find_file, read_line_pairs
from attnfocus.data.reading.tables import Column, Record, Table, table_format
from attnfocus.data.rows import RawData, Row
from attnfocus.errors import ConfigError, DataError
from attnfocus.marks import FilePath

Format = Literal["auto", "tsv", "csv", "jsonl"]
MAX_LABELS_LISTED = 10


class ParallelText:
    """Pairs of texts: a table with a row per pair, or two files whose lines belong together.

    Splits that are not given are drawn from train (`dataset.split`).

    Args:
        train: path of the table; or of the source side, when `train_target` is given. gzip where it ends in .gz.
        train_target: path of the target side, one line for each line of `train`.
        valid, valid_target, test, test_target: the same for the other splits.
        format: of a table; auto: by the file's ending, tab-separated unless it is .csv, .jsonl or .ndjson.
        source_column, target_column: name, or number counted from 0.
        header: whether a table's first row names its columns; None: when the columns are given by name.
        encoding: of all files.
        on_bad_row: `fail` names the rows that cannot be used; `skip` leaves them out.
    """

    task = "translation"

    def __init__(
        self,
        *,
        train: FilePath | None = None,
        train_target: FilePath | None = None,
        valid: FilePath | None = None,
        valid_target: FilePath | None = None,
        test: FilePath | None = None,
        test_target: FilePath | None = None,
        format: Format = "auto",
        source_column: int | str = 0,
        target_column: int | str = 1,
        header: bool | None = None,
        encoding: str = "utf-8",
        on_bad_row: OnBadRow = "fail",
    ) -> None:
        self._paths = {"train": train, "valid": valid, "test": test}
        self._targets = {"train": train_target, "valid": valid_target, "test": test_target}
        self._tables = _Tables(
            format, {"dataset.source_column": source_column, "dataset.target_column": target_column}, header, encoding
        )
        self._on_bad_row: OnBadRow = on_bad_row
        _check_paths(self._paths, "Give a table of pairs, or two files with dataset.train_target.")
        for split, target in self._targets.items():
            if target is not None and self._paths[split] is None:
                raise ConfigError(f"dataset.{split}_target is given without dataset.{split}, the file of its sources.")

    def read(self, data_dir: Path, seed: int) -> RawData:
        """The splits whose paths are given. `data_dir` and `seed` change nothing."""
        return self.read_alone(*self._paths)

    def read_alone(self, *splits: str) -> RawData:
        """Those of these splits whose paths are given."""
        paths = {split: find_file(given, f"dataset.{split}") for split in splits if (given := self._paths[split])}
        targets = {
            split: find_file(given, f"dataset.{split}_target") for split in splits if (given := self._targets[split])
        }
        bad = BadRows(self._on_bad_row)
        tables = {
            split: self._tables.at(path, f"If these are the sources alone, give dataset.{split}_target=FILE. ")
            for split, path in paths.items()
            if split not in targets
        }
        rows = {}
        for split, path in paths.items():
            if split in targets:
                pairs = read_line_pairs(path, targets[split], self._tables.encoding, bad)
            else:
                pairs = [(record.line, *record.values) for record in tables[split].read(bad)]  # type: ignore[misc]
            rows[split] = [Row(f"{split}:{line}", source, target) for line, source, target in pairs]
        return RawData(rows, [*bad.finish(), *header_notes(tables.values())])


class LabelledText:
    """Texts with a label each, in tables. Splits that are not given are drawn from train (`dataset.split`).

    Args:
        train, valid, test: paths of tables; gzip where they end in .gz.
        format, header, encoding, on_bad_row: as in `ParallelText`.
        text_column, label_column: name, or number counted from 0.
    """

    task = "classification"

    def __init__(
        self,
        *,
        train: FilePath | None = None,
        valid: FilePath | None = None,
        test: FilePath | None = None,
        format: Format = "auto",
        text_column: int | str = 0,
        label_column: int | str = 1,
        header: bool | None = None,
        encoding: str = "utf-8",
        on_bad_row: OnBadRow = "fail",
    ) -> None:
        self._paths = {"train": train, "valid": valid, "test": test}
        self._tables = _Tables(
            format, {"dataset.text_column": text_column, "dataset.label_column": label_column}, header, encoding
        )
        self._on_bad_row: OnBadRow = on_bad_row
        _check_paths(self._paths, "Give a table with a text and a label in each row.")

    def read(self, data_dir: Path, seed: int) -> RawData:
        """The splits whose paths are given. A label that train does not have makes a bad row.

        `data_dir` and `seed` change nothing.
        """
        return self.read_alone(*self._paths)

    def read_alone(self, *splits: str) -> RawData:
        """Those of these splits whose paths are given; labels are compared where train is among them."""
        paths = {split: find_file(given, f"dataset.{split}") for split in splits if (given := self._paths[split])}
        bad = BadRows(self._on_bad_row)
        tables = {split: self._tables.at(path) for split, path in paths.items()}
        records = {split: table.read(bad) for split, table in tables.items()}
        labels = sorted({record.values[1].strip() for record in records.get("train", [])})
        found = {}
        for split, table in tables.items():
            # Without any row of train there are no labels to compare with: that train is empty is said later.
            known = [record for record in records[split] if not labels or _has_label(record, labels, table, bad)]
            found[split] = [Row(f"{split}:{r.line}", r.values[0], r.values[1].strip()) for r in known]
        return RawData(found, [*bad.finish(), *header_notes(tables.values())])


class _Tables:
    """What the tables of a set have in common."""

    def __init__(self, format: Format, columns: dict[str, Column], header: bool | None, encoding: str) -> None:
        try:
            io.TextIOWrapper(io.BytesIO(), encoding)
        except LookupError:  # unknown, or of something else than text, such as base64
            raise ConfigError(
                f"dataset.encoding={encoding}: unknown encoding. Give one such as utf-8, latin-1, gb18030 or utf-16."
            ) from None
        if len({type(column) for column in columns.values()}) > 1:
            given = " and ".join(f"{key}={column}" for key, column in columns.items())
            raise ConfigError(f"{given}: give both columns by name, or both by number.")
        for key, column in columns.items():
            if isinstance(column, int) and column < 0:
                raise ConfigError(f"{key}={column}: columns are counted from 0.")
        if len(set(columns.values())) == 1:
            raise ConfigError(f"{' and '.join(columns)} are the same column, {next(iter(columns.values()))}.")
        if header is False and any(isinstance(column, str) for column in columns.values()) and format != "jsonl":
            raise ConfigError("dataset.header=false: columns without a header have no names. Give their numbers.")
        self.format, self.columns, self.header, self.encoding = format, columns, header, encoding

    def at(self, path: Path, single_column: str = "") -> Table:
        kind = table_format(path) if self.format == "auto" else self.format
        if kind == "jsonl" and not all(isinstance(column, str) for column in self.columns.values()):
            given = " and ".join(f"{key}={column}" for key, column in self.columns.items())
            raise DataError(f"{given}: the values of {path.name} have names, not numbers. Give their names.")
        columns, keys = tuple(self.columns.values()), tuple(self.columns)
        return Table(path, columns, kind, self.header, self.encoding, keys, single_column)


def _check_paths(paths: dict[str, str | None], what: str) -> None:
    if paths["train"] is None:
        raise ConfigError(f"dataset.train is not given. {what}")


def _has_label(record: Record, labels: list[str], table: Table, bad: BadRows) -> bool:
    label = record.values[1].strip()
    if label in labels:
        return True
    listed = ", ".join(labels[:MAX_LABELS_LISTED]) + (", ..." if len(labels) > MAX_LABELS_LISTED else "")
    bad.add(table.path, *table.place(record, 1), f"label {label!r} does not occur in train ({listed})")
    return False
