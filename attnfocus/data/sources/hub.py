"""Hugging Face `datasets` as sets: of the hub, of a folder that `save_to_disk` wrote, of local files. Extra `hub`."""

from __future__ import annotations

import csv
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, ClassVar

from attnfocus.data.reading.data_files import MissingFileError, is_text_table, text_splits
from attnfocus.data.reading.headers import OF_HUB, meant_columns
from attnfocus.data.reading.layout import Layout, Rules
from attnfocus.data.reading.lines import BadRows, OnBadRow
from attnfocus.data.reading.objects import check_old, value_text
from attnfocus.data.reading.tables import Table
from attnfocus.data.rows import RawData, Row
from attnfocus.errors import ConfigError, DataError, UserError
from attnfocus.limits import PositiveInt
from attnfocus.marks import Before, FilePathOrName

_BUILDERS = {".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".parquet": "parquet", ".arrow": "arrow"}
_SAVED_MARKS = ("dataset_dict.json", "state.json")  # what `save_to_disk` writes
_MAX_COLUMNS = 1000  # that are read to the letter where it is not known which are meant
_NO_LABEL = -1  # how sets of the hub mark a test row whose label is kept secret


class HubSet:
    """What all kinds of sets share.

    Args:
        path: name on the hub (`owner/set`), a local folder, or a file (.csv, .tsv, .json, .jsonl, .parquet, .arrow;
            compressed too).
        name: of the configuration of a set that has several.
        revision: branch, tag or commit of a set of the hub; None: its main branch.
        train_split, valid_split, test_split: names of its splits; None: drawn from train (`dataset.split`).
        streaming: read the first rows without loading the whole set; needs `max_rows`.
        max_rows: the first rows of each split alone; None: all.
        on_bad_row: `fail` names the rows that cannot be used; `skip` leaves them out.
        reader: rules of reading; 2: texts and labels are what stands in a csv, tsv or JSON file, to the letter; 1: what
            the library makes of them (`NA` is missing, `001` is 1), as in runs that were begun before.
    """

    task: ClassVar[str]
    _columns: Mapping[str, str | None]  # configuration key -> column, of input and target; None: see `OF_HUB`

    def __init__(
        self,
        *,
        path: FilePathOrName | None = None,
        name: str | None = None,
        revision: str | None = None,
        train_split: str = "train",
        valid_split: str | None = None,
        test_split: str | None = None,
        streaming: bool = False,
        max_rows: PositiveInt | None = None,
        on_bad_row: OnBadRow = "fail",
        reader: Annotated[Rules, Before(1)] = 2,
    ) -> None:
        if path is None:
            raise ConfigError("dataset.path is not given. Give a name on the hub (owner/set), a folder or a file.")
        if streaming and max_rows is None:
            raise ConfigError("dataset.streaming=true needs dataset.max_rows: how many rows to read of each split.")
        self.path, self.name, self.revision = path, name, revision
        self._splits: dict[str, Any] = {"train": train_split, "valid": valid_split, "test": test_split}
        self._streaming, self._max_rows = streaming, max_rows
        self._on_bad_row: OnBadRow = on_bad_row
        self._rules: Rules = reader

    def read(self, data_dir: Path, seed: int) -> RawData:
        """The splits that are named. What the library downloads goes to its own cache (`$HF_HOME`).

        Raises:
            ConfigError: the extra `hub` is not installed.
            DataError: the set, a split or a column is not there, or rows cannot be used.
        """
        if Path(self.path).is_absolute() and not Path(self.path).exists():  # no name on the hub begins so
            raise MissingFileError(
                "dataset.path",
                f"dataset.path={self.path}: does not exist.",
                "Give a name on the hub (owner/set), or a folder or file that is there.",
            )
        with self._named_errors():
            return self._read()

    def _read(self) -> RawData:
        files = self._text_files()
        found: Mapping[str, Any] = self._load() if files is None else files
        given = self._given_splits(found)
        bad = BadRows(self._on_bad_row)
        notes: list[str] = []
        if files is None:
            columns, notes = self._found_columns(found[given["train"]])
            splits = {split: list(self._rows(split, found[name], bad, columns)) for split, name in given.items()}
        else:
            layout = Layout(dict(self._columns), usual=OF_HUB)
            tables, notes = layout.tables({split: files[name] for split, name in given.items()})
            splits = {split: list(self._text_rows(split, tables[split], bad)) for split in given}
        return RawData(splits, [*bad.finish(), *notes, *self._unused_splits(found, given)])

    def _given_splits(self, found: Mapping[str, Any]) -> dict[str, str]:
        """Split -> its name in the set, of those that are named.

        Raises:
            DataError: the set has no split of this name.
        """
        given = {split: name for split, name in self._splits.items() if name is not None}
        for split, name in given.items():
            if name not in found:
                raise DataError(
                    f"dataset.{split}_split={name}: {self.path} has the splits {', '.join(found)}. Give one of them"
                    f"{'.' if split == 'train' else ', or null to draw rows from train.'}"
                )
        return given

    def _unused_splits(self, found: Mapping[str, Any], given: Mapping[str, str]) -> list[str]:
        unused = [name for name in found if name not in given.values()]
        return [f"{self.path}: its splits {', '.join(unused)} are not used"] if unused else []

    def _text_files(self) -> dict[str, list[Path]] | None:
        """The files of each split, where they are tables of text on this machine: the library guesses at their types.

        None: the library is to read the set.
        """
        local = Path(self.path).expanduser().absolute()
        if self._rules < 2 or any((local / mark).is_file() for mark in _SAVED_MARKS):
            return None
        if local.is_file():
            return {self._splits["train"]: [local]} if is_text_table(local) else None
        return text_splits(local) if local.is_dir() and self.name is None else None

    def _load(self) -> Mapping[str, Any]:
        """All splits of the set, by name."""
        try:
            import datasets
        except ImportError:
            raise ConfigError("dataset: sets of the hub need an extra: pip install 'attnfocus[hub]'.") from None
        if not sys.stderr.isatty():
            datasets.disable_progress_bars()
        local = Path(self.path).expanduser()
        options: dict[str, Any]
        if any((local / mark).is_file() for mark in _SAVED_MARKS):
            found = datasets.load_from_disk(str(local))
            return found if isinstance(found, Mapping) else {self._splits["train"]: found}
        if local.is_file():
            where, options = _builder(local), {"data_files": {self._splits["train"]: str(local)}}
            options |= {"sep": "\t"} if ".tsv" in local.suffixes else {}
        else:
            where, options = str(local) if local.is_dir() else self.path, {"revision": self.revision}
        if self._rules > 1:
            options |= self._exact(datasets.load_dataset_builder(where, self.name, **options))
        loaded: Mapping[str, Any] = datasets.load_dataset(where, self.name, streaming=self._streaming, **options)
        return loaded

    def _exact(self, builder: Any) -> dict[str, Any]:
        """Options with which the library reads csv and tsv to the letter; none for other kinds."""
        if not hasattr(builder.config, "keep_default_na"):
            return {}
        no_quotes: dict[str, Any] = {"quoting": csv.QUOTE_NONE} if builder.config.sep == "\t" else {}
        exact = {"keep_default_na": False, **no_quotes}
        if builder.config.features is None and builder.info.features is None:  # types that would be guessed
            names = [name for name in self._columns.values() if name is not None]
            is_known = len(names) == len(self._columns)
            exact["converters"] = dict.fromkeys(names if is_known else range(_MAX_COLUMNS), str)
        return exact

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """What the library raises while it loads, or later while it streams, as an error of ours."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:  # the library lets through whatever network, files and parsers raise
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise DataError(
                f"dataset.path={self.path}: cannot be read: {reason[0][:300]}\n"
                "Give a name on the hub (owner/set), with dataset.name if it has several, or a folder or file that is "
                "there."
            ) from error

    def _target_of(self, record: Any, column: str, labels: Any) -> str:
        """The target of a record. `labels`: names of the column's numbers, where it has some."""
        return value_text(record, column)

    def _found_columns(self, table: Any) -> tuple[dict[str, str], list[str]]:
        """The columns of a set: those that are given, the usual ones, or what its names say; and what to say of it."""
        missing = [key for key, column in self._columns.items() if column is None]
        if not missing:  # else the first row of a streamed set would be fetched once more
            return {key: str(column) for key, column in self._columns.items()}, []
        known = column_names(table)
        usual = {key: OF_HUB[key] for key in missing}
        found = None if all(_may_have(table, known, name) for name in usual.values()) else meant_columns(known, missing)
        chosen = usual if found is None else dict(zip(missing, found, strict=True))
        options = " ".join(shlex.quote(f"{key}={name}") for key, name in chosen.items())
        notes = [] if found is None else [f"{self.path}: {options}, since its columns are called so"]
        return {key: chosen[key] if column is None else column for key, column in self._columns.items()}, notes

    def _rows(self, split: str, table: Any, bad: BadRows, chosen: Mapping[str, str]) -> Iterator[Row]:
        known, columns = column_names(table), list(chosen.values())
        needed = {top_column(key, path, known) for key, path in chosen.items()}
        table = table.select_columns(sorted(needed))
        place = Path(f"{self.path}:{self._splits[split]}")
        labels = getattr((table.features or {}).get(columns[1]), "names", None)
        for number, record in enumerate(islice(iter(table), self._max_rows), 1):
            try:
                if self._rules < 2:
                    check_old(record, [name for name in columns if isinstance(record.get(name), float)])
                source = value_text(record, columns[0])
                target = self._target_of(record, columns[1], labels)
            except ValueError as error:
                bad.add(place, number, 1, str(error))
                continue
            yield Row(f"{split}:{number}", source, target)

    def _text_rows(self, split: str, tables: Sequence[Table], bad: BadRows) -> Iterator[Row]:
        """The rows of text files, counted as the library counts them: over all files, those that are bad too."""
        num_good, num_bad_before = 0, bad.total
        for table in tables:
            for record in table.records(bad):
                num_good += 1
                number = num_good + bad.total - num_bad_before
                if self._max_rows is not None and number > self._max_rows:
                    return
                source, label = map(str, table.columns)
                named = dict(zip((source, label), record.values, strict=True))
                yield Row(f"{split}:{number}", named[source], self._target_of(named, label, None))


class HubText(HubSet):
    """Texts with a label each.

    Args:
        text_column, label_column: names; a dotted path reaches inside a column. None: `text` and `label`, else what the
            columns are called. Numbers of a `ClassLabel` become names.
    """

    task: ClassVar[str] = "classification"

    def __init__(
        self,
        *,
        text_column: Annotated[str | None, Before("text")] = None,
        label_column: Annotated[str | None, Before("label")] = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._columns = {"dataset.text_column": text_column, "dataset.label_column": label_column}

    def _target_of(self, record: Any, column: str, labels: Any) -> str:
        return _label(record, column, labels)


class HubPairs(HubSet):
    """Pairs of texts.

    Args:
        source_column, target_column: names; a dotted path reaches inside a column: `translation.de`. None:
            `translation.de` and `translation.en`, else what the columns are called.
    """

    task: ClassVar[str] = "translation"

    def __init__(
        self,
        *,
        source_column: Annotated[str | None, Before("translation.de")] = None,
        target_column: Annotated[str | None, Before("translation.en")] = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._columns = {"dataset.source_column": source_column, "dataset.target_column": target_column}


def _builder(path: Path) -> str:
    """How the library calls a file's format."""
    found = next((_BUILDERS[suffix] for suffix in reversed(path.suffixes) if suffix in _BUILDERS), None)
    if found is None:
        raise DataError(f"dataset.path={path}: unknown kind of file. Give one that ends in {', '.join(_BUILDERS)}.")
    return found


def column_names(table: Any) -> list[str]:
    """Of the columns; a streamed set may know them by its rows alone."""
    return list(table.column_names or next(iter(table), {}))


def _may_have(table: Any, known: Sequence[str], path: str) -> bool:
    """Whether there is a column, or one with keys, which a dotted path may reach."""
    top = path.split(".")[0]
    kind = getattr((table.features or {}).get(top), "dtype", "dict")
    return path in known or (top in known and top != path and kind == "dict")


def top_column(key: str, path: str, known: Sequence[str]) -> str:
    """The column that a name or dotted path begins at, which must be there. An exact name comes first."""
    top = path if path in known else path.split(".")[0]
    if top not in known:
        raise DataError(
            f"{key}={path}: the columns are {', '.join(known)[:300]}. Give one of them, or a dotted path inside one "
            "(translation.de)."
        )
    return top


def _label(record: Mapping[str, Any], path: str, names: list[str] | None) -> str:
    found = record.get(path)
    if names is not None and isinstance(found, int):
        if found == _NO_LABEL:
            raise ValueError(f"column {path} is -1: these rows have no labels. Leave their split out (null)")
        return names[found]
    return value_text(record, path).strip()
