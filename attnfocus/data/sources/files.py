"""A user's own files as sets: pairs of texts, and texts with labels."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from attnfocus.data.reading.data_files import find_files, prefixes
from attnfocus.data.reading.layout import Format, Layout, Rules
from attnfocus.data.reading.lines import BadRows, OnBadRow, read_line_pairs
from attnfocus.data.reading.tables import Record, Table
from attnfocus.data.rows import RawData, Row
from attnfocus.data.sources.groups import grouped
from attnfocus.errors import ConfigError, DataError, Problem
from attnfocus.marks import Before, FilePath

if TYPE_CHECKING:
    from attnfocus.data.reading.column_parts import ColumnPart
    from attnfocus.data.text_blocks import TextBlock, Texts
    from attnfocus.data.text_rows import TextRows

MAX_LABELS_LISTED = 10
MAX_SHOWN = 40  # characters of what is no number
PAIRS_NEEDED = (
    "Give a table (csv, tsv or jsonl) with a pair in each row, for example dataset.train=pairs.tsv. Its columns are "
    "source and target; other names: dataset.source_column=NAME dataset.target_column=NAME. Or two files of lines: "
    "dataset.train=FILE dataset.train_target=FILE."
)
LABELS_NEEDED = (
    "Give a table (csv, tsv or jsonl) with a text and a label in each row, for example dataset.train=reviews.csv. Its "
    "columns are text and label; other names: dataset.text_column=NAME dataset.label_column=NAME."
)

# One file or several, as `data_files.find_files` reads them; columns that a run begun before numbered from 0
Files = FilePath | list[FilePath] | None
FirstColumn = Annotated[int | str | None, Before(0)]
SecondColumn = Annotated[int | str | None, Before(1)]


class ParallelText:
    """Pairs of texts: a table with a row per pair, or two files whose lines belong together.

    Splits that are not given are drawn from train (`dataset.split`).

    Args:
        train: path of the table; or of the source side, when `train_target` is given. gzip where it ends in .gz. Also
            several paths, a pattern such as `part-*.tsv`, or a folder of tables.
        train_target: path of the target side, one line for each line of `train`.
        valid, valid_target, test, test_target: the same for the other splits.
        format: of a table; auto: by the file's ending, tab-separated unless it is another that `tables` knows.
        separator: between the columns of tsv and csv: comma, semicolon, tab, pipe, space, or the characters; None: what
            the first lines show.
        quotes: fields may stand in quotes; None: in csv, and where a comma or semicolon separates.
        source_column, target_column: name, or number counted from 0; None: those that the first row calls so, else the
            first and the second.
        group_column: of train, whom or what a row is of (a document, a person); rows of one group are never drawn into
            two splits. None: each for itself.
        header: whether a table's first row names its columns; None: when the columns are named.
        encoding: of all files.
        on_bad_row: `fail` names the rows that cannot be used; `skip` leaves them out.
        reader: rules of reading; 1: those of runs that were begun before there were others.
    """

    task = "translation"

    def __init__(
        self,
        *,
        train: Files = None,
        train_target: Files = None,
        valid: Files = None,
        valid_target: Files = None,
        test: Files = None,
        test_target: Files = None,
        format: Format = "auto",
        separator: str | None = None,
        quotes: bool | None = None,
        source_column: FirstColumn = None,
        target_column: SecondColumn = None,
        group_column: int | str | None = None,
        header: bool | None = None,
        encoding: str = "utf-8",
        on_bad_row: OnBadRow = "fail",
        reader: Annotated[Rules, Before(1)] = 2,
    ) -> None:
        self._paths = {"train": train, "valid": valid, "test": test}
        self._targets = {"train": train_target, "valid": valid_target, "test": test_target}
        columns = {"dataset.source_column": source_column, "dataset.target_column": target_column}
        self.layout = Layout(columns, format, separator, quotes, header, encoding, reader)
        self._on_bad_row: OnBadRow = on_bad_row
        self._group = group_column
        _check_paths(self._paths, PAIRS_NEEDED)
        if train_target and group_column is not None:
            text = f"dataset.group_column={group_column}: is a column of a table, and dataset.train_target names lines."
            raise ConfigError(Problem(f"{text} Use dataset.group_column=null.", "dataset.group_column", []))
        for split, target in self._targets.items():
            if target and not self._paths[split]:
                raise ConfigError(f"dataset.{split}_target is given without dataset.{split}, the file of its sources.")

    def files(self) -> list[Path]:
        """All files that `read` reads."""
        named = [(self._paths, ""), (self._targets, "_target")]
        return [path for given, suffix in named for paths in _found(given, suffix).values() for path in paths]

    def identity(self) -> str:
        """What differs where `read` gives something else of the same files."""
        return repr((self._paths, self._targets, self.layout, self._on_bad_row, *_named(self._group)))

    def read(self, data_dir: Path, seed: int) -> RawData:
        """The splits whose paths are given. `data_dir` and `seed` change nothing."""
        return self.read_alone(*self._paths)

    def read_alone(self, *splits: str) -> RawData:
        """Those of these splits whose paths are given."""
        from attnfocus.data.text_rows import TextRows  # with numpy; naming a data set costs nothing

        files = _found({split: self._paths[split] for split in splits})
        targets = _found({split: self._targets[split] for split in splits}, "_target")
        bad = BadRows(self._on_bad_row)
        alone = {split: paths for split, paths in files.items() if split not in targets}
        hints = {split: f"If these are the sources alone, give dataset.{split}_target=FILE. " for split in alone}
        tables, notes = self.layout.tables(alone, hints) if alone else ({}, [])
        rows: dict[str, Sequence[Row]] = {}
        for split, paths in files.items():
            if split in targets:
                rows[split] = self._line_pairs(split, paths, targets[split], bad)
            elif self._group is not None and split == "train":
                rows[split] = list(grouped(split, tables[split], self._group, bad))
            else:
                rows[split] = TextRows(list(_blocks(split, tables[split], bad)))
        notes = [*bad.finish(), *notes]
        _require_rows(rows, self._paths, bad)
        return RawData(rows, notes)

    def _line_pairs(self, split: str, sources: Sequence[Path], targets: Sequence[Path], bad: BadRows) -> TextRows:
        from attnfocus.data.text_rows import TextRows  # with numpy; naming a data set costs nothing

        if len(sources) != len(targets):
            raise DataError(
                f"dataset.{split} names {len(sources)} files and dataset.{split}_target {len(targets)}: file n of one "
                "must be the translation of file n of the other."
            )
        rows: list[Texts] = []
        for prefix, source, target in zip(prefixes(split, sources), sources, targets, strict=True):
            pairs = read_line_pairs(source, target, self.layout.encoding, bad)
            rows += [(f"{prefix}{line}", left, right) for line, left, right in pairs]
        return TextRows.of(rows)


class LabelledText:
    """Texts with a label each, in tables. Splits that are not given are drawn from train (`dataset.split`).

    Args:
        train, valid, test: paths of tables, as in `ParallelText`.
        format, separator, quotes, header, encoding, on_bad_row, reader: as in `ParallelText`.
        text_column, label_column: name, or number counted from 0; None: those that the first row calls so, else the
            first and the second.
        group_column: as in `ParallelText`.
    """

    task: str = "classification"

    def __init__(
        self,
        *,
        train: Files = None,
        valid: Files = None,
        test: Files = None,
        format: Format = "auto",
        separator: str | None = None,
        quotes: bool | None = None,
        text_column: FirstColumn = None,
        label_column: SecondColumn = None,
        group_column: int | str | None = None,
        header: bool | None = None,
        encoding: str = "utf-8",
        on_bad_row: OnBadRow = "fail",
        reader: Annotated[Rules, Before(1)] = 2,
    ) -> None:
        self._paths = {"train": train, "valid": valid, "test": test}
        columns = {"dataset.text_column": text_column, "dataset.label_column": label_column}
        self.layout = Layout(columns, format, separator, quotes, header, encoding, reader)
        self._on_bad_row: OnBadRow = on_bad_row
        self._group = group_column
        _check_paths(self._paths, LABELS_NEEDED)

    def for_task(self, task: str) -> LabelledText:
        """The same texts with labels that are read as numbers, for `regression`."""
        own = copy(self)
        own.task = task
        return own

    def files(self) -> list[Path]:
        """All files that `read` reads."""
        return [path for paths in _found(self._paths).values() for path in paths]

    def identity(self) -> str:
        """What differs where `read` gives something else of the same files."""
        return repr((self._paths, self.layout, self._on_bad_row, *_named(self._group)))

    def read(self, data_dir: Path, seed: int) -> RawData:
        """The splits whose paths are given. A label that train does not have makes a bad row.

        `data_dir` and `seed` change nothing.
        """
        return self.read_alone(*self._paths)

    def read_alone(self, *splits: str) -> RawData:
        """Those of these splits whose paths are given; labels are compared where train is among them."""
        from attnfocus.data.text_rows import TextRows, targets_of  # with numpy; naming a data set costs nothing

        tables, notes = self.layout.tables(_found({split: self._paths[split] for split in splits}))
        bad = BadRows(self._on_bad_row)
        rows: dict[str, Sequence[Row]] = {}
        for split in sorted(tables, key=lambda split: split != "train"):
            if self._group is not None and split == "train":
                is_used = _has_number if self.task == "regression" else None
                rows[split] = list(grouped(split, tables[split], self._group, bad, is_used, are_labels=True))
            elif self.task == "regression":
                rows[split] = TextRows.of(list(_numbered(split, tables[split], bad)))
            else:
                # Without any row of train there are no labels to compare with: that train is empty is said later.
                labels = set(targets_of(rows["train"])) if "train" in rows else set[str]()
                rows[split] = TextRows(list(_blocks(split, tables[split], bad, labels, are_labels=True)))
        notes = [*bad.finish(), *notes]
        _require_rows(rows, self._paths, bad)
        return RawData(rows, notes)


def _require_rows(rows: Mapping[str, Sequence[Row]], paths: Mapping[str, Files], bad: BadRows) -> None:
    """Refuses files without any row; where rows were skipped, these are counted when the split is found empty."""
    for split, of_split in rows.items():
        if not len(of_split) and not bad.total:
            raise DataError(f"dataset.{split}={paths[split]}: the file has no rows. Give a file that has some.")


def _found(given: Mapping[str, str | list[str] | None], suffix: str = "") -> dict[str, list[Path]]:
    return {split: find_files(paths, f"dataset.{split}{suffix}") for split, paths in given.items() if paths}


def _blocks(
    split: str, tables: Sequence[Table], bad: BadRows, labels: Collection[str] = (), *, are_labels: bool = False
) -> Iterator[TextBlock]:
    """The rows of a split.

    Args:
        labels: that the second column may hold; none: any.
        are_labels: the second column holds labels, around which blanks mean nothing.
    """
    from attnfocus.data.reading.column_parts import ColumnPart  # with numpy: naming a data set costs nothing
    from attnfocus.data.reading.table_parts import table_parts
    from attnfocus.data.text_blocks import TextBlock

    for prefix, table in zip(prefixes(split, [table.path for table in tables]), tables, strict=True):
        for part in table_parts(table, bad):
            if isinstance(part, ColumnPart) and not (are_labels and _has_odd_label(part, labels)):
                yield from part.blocks(prefix)
                continue
            texts = [
                (
                    f"{prefix}{record.number}",
                    record.values[0],
                    record.values[1].strip() if are_labels else record.values[1],
                )
                for record in (part.records() if isinstance(part, ColumnPart) else part)
                if not labels or _has_label(record, labels, table, bad)
            ]
            yield from TextBlock.several(texts)


def _numbered(split: str, tables: Sequence[Table], bad: BadRows) -> Iterator[Texts]:
    """The rows of a split whose second column holds a number."""
    for prefix, table in zip(prefixes(split, [table.path for table in tables]), tables, strict=True):
        for record in table.records(bad):
            if _has_number(record, table, bad):
                yield f"{prefix}{record.number}", record.values[0], record.values[1].strip()


def _has_number(record: Record, table: Table, bad: BadRows) -> bool:
    from attnfocus.data.codecs.number import parsed  # with numpy: naming a data set costs nothing

    target = record.values[1].strip()
    if parsed(target) is not None:
        return True
    bad.add(table.path, *table.place(record, 1), f"{target[:MAX_SHOWN]!r} is no finite number such as 3.5")
    return False


def _named(group: int | str | None) -> list[int | str]:
    """For `identity`, which stays as it was where there are no groups."""
    return [] if group is None else [group]


def _has_odd_label(part: ColumnPart, labels: Collection[str]) -> bool:
    """Whether the second column holds what is not exactly a label."""
    found = {content.decode() for content in part.column(1)}
    return any(label != label.strip() or (labels and label not in labels) for label in found)


def _check_paths(paths: Mapping[str, str | list[str] | None], what: str) -> None:
    if not paths["train"]:
        raise ConfigError(f"dataset.train is not given. {what}")


def _has_label(record: Record, labels: Collection[str], table: Table, bad: BadRows) -> bool:
    label = record.values[1].strip()
    if label in labels:
        return True
    known = sorted(labels)
    listed = ", ".join(known[:MAX_LABELS_LISTED]) + (", ..." if len(known) > MAX_LABELS_LISTED else "")
    bad.add(table.path, *table.place(record, 1), f"label {label!r} does not occur in train ({listed})")
    return False
