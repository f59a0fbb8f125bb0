"""The inputs that a saved run is to answer for, read as the files that it was trained on."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from attnfocus.data.codecs.base import FILE_KINDS
from attnfocus.data.reading.data_files import short_names
from attnfocus.data.reading.delimited import Dialect
from attnfocus.data.reading.encodings import fitting_encoding, require_encoding, shown_in
from attnfocus.data.reading.headers import OF_HUB
from attnfocus.data.reading.input_layouts import (
    TARGET_KEYS,
    InputLayout,
    InputOptions,
    OwnTables,
    input_layout,
    table_like,
)
from attnfocus.data.reading.inputs import Input, is_stream
from attnfocus.data.reading.lines import MAX_SAMPLE
from attnfocus.data.reading.media_files import is_media
from attnfocus.data.reading.tables import TableFormat
from attnfocus.data.reading.utf_8_files import utf_8_note
from attnfocus.display.console import open_console, say
from attnfocus.errors import ConfigError
from attnfocus.runs.config import RunConfig
from attnfocus.runs.schema import InputChoice

COLUMN_KEYS = ("text_column", "source_column")  # of the data sets that have columns: what the inputs are called
LAYOUT_KEYS = ("separator", "quotes", "header")
UTF_8 = "utf-8"


@dataclass
class Inputs:
    """The inputs of files or of standard input, one after another.

    Attributes:
        table: what it is; None: lines.
        separator: of a table of answers as csv: that of the inputs where they are csv too.
        encoding: that the inputs are read by.
    """

    each: Iterator[Input | None]
    table: TableFormat | None = None
    separator: str = ","
    encoding: str = UTF_8
    _sample: bytearray = field(default_factory=bytearray)

    def sampled(self, inputs: Iterator[Input | None]) -> Iterator[Input | None]:
        """The inputs; of those that cannot be decoded some bytes are kept, for `encoding_hint`."""
        for given in inputs:
            if given is not None and given.undecodable and len(self._sample) < MAX_SAMPLE:
                self._sample += given.undecodable
            yield given

    @property
    def encoding_hint(self) -> str | None:
        """What to type where inputs so far were not in the encoding; None: all were."""
        if not self._sample:
            return None
        fitting = fitting_encoding(bytes(self._sample), self.encoding)
        shown = shown_in(bytes(self._sample), fitting)
        return f"inputs that are not {self.encoding}: encoding={fitting} reads there {shown!r}."

    def hear(self, dialect: Dialect | None) -> None:
        """What separates the columns of the inputs, if anything does."""
        if self.table == "csv" and dialect is not None and len(dialect.separator) == 1:
            self.separator = dialect.separator


@contextmanager
def open_inputs(names: Sequence[str], choice: InputChoice, given: Mapping[str, Any]) -> Iterator[Inputs]:
    """What files, or standard input (`-`), hold for a run. How they are read is said on standard error.

    Args:
        names: as `input_files` gives them. The ids of the inputs of several begin with the name of their file.
        given: keys of the run's data set that the command line has.

    Raises:
        ConfigError: there is no such run, file, column or encoding, or some files are tables and others are not.
        DataError: a file cannot be read.
    """
    config = RunConfig.load("run", Path(choice.run).expanduser().resolve(), choice.trust)
    if _are_inputs(names, config):
        yield Inputs(Input(str(number), name) for number, name in enumerate(names, 1))
        return
    dataset = {**config.values["dataset"], **given}
    is_one_stream = is_stream(names[0])
    typed = choice.encoding or given.get("encoding")
    own_encoding = UTF_8 if is_one_stream else dataset.get("encoding") or UTF_8  # a terminal is no file of the run
    encoding = typed or own_encoding
    require_encoding("encoding", encoding)
    options = InputOptions(format=choice.input_format, column=choice.text_column, encoding=encoding)
    own = own_tables(dataset)
    layouts = [input_layout(name, options, own) for name in names]
    _require_one_kind(layouts)
    _tell_notes(layouts)
    for name in () if typed or is_one_stream else names:
        doubt = utf_8_note(Path(name).expanduser(), encoding, "encoding")
        if doubt is not None:
            _tell(doubt)
    table = layouts[0].table
    opened = Inputs(iter(()), None if table is None else table.format, encoding=encoding)
    if table is not None:
        opened.hear(table.dialect)

    def hear(dialect: Dialect) -> None:
        opened.hear(dialect)
        if table is not None and dialect != table.dialect:
            _tell(f"{table.path}: its first line shows columns separated by {dialect.plural}.")

    with layouts[0].open(hear) if len(layouts) == 1 else closing(_one_after_another(layouts)) as inputs:
        is_guessed = table is None and options.format == "auto"
        opened.each = opened.sampled(_watched(inputs, own) if is_guessed else inputs)
        yield opened


def _one_after_another(layouts: Sequence[InputLayout]) -> Generator[Input | None]:
    """The inputs of several files, each named by its file and its number there."""
    names = short_names([Path(layout.name) for layout in layouts])
    for name, layout in zip(names, layouts, strict=True):
        with layout.open() as inputs:
            for each in inputs:
                yield each if each is None else replace(each, id=f"{name}:{each.id}")


def _require_one_kind(layouts: Sequence[InputLayout]) -> None:
    """One form of answers is for all inputs.

    Raises:
        ConfigError: some files are lines, others tables, or tables of other formats.
    """
    kinds: dict[str, str] = {}
    for layout in layouts:
        kinds.setdefault(layout.kind, layout.name)
    if len(kinds) > 1:
        (first, name), (second, other) = list(kinds.items())[:2]
        way_out = ", or say it for all: input_format=lines" if "lines" in kinds else ""  # of tables it reads no rows
        raise ConfigError(f"input: {name} is read as {first}, {other} as {second}. Give files of one format{way_out}.")


def _tell_notes(layouts: Sequence[InputLayout]) -> None:
    """What was decided; of files that are read alike once."""
    told = set()
    for layout in layouts:
        for note in layout.notes:
            alike = note.replace(layout.name, "").replace(Path(layout.name).name, "")
            if alike not in told:
                _tell(note)
            told.add(alike)


def _are_inputs(names: Sequence[str], config: RunConfig) -> bool:
    """Whether each file is an input by itself, which the run's codec opens; of signals a table is one, too."""
    kind = config.setup.codecs.classes[0].input_kind
    if kind not in FILE_KINDS or is_stream(names[0]):
        return False
    return kind == "signal" or all(map(is_media, names))


def _watched(inputs: Iterator[Input | None], own: OwnTables) -> Iterator[Input | None]:
    """Lines, with a warning where the first one begins a table."""
    is_first = True
    for line in inputs:
        if is_first and line is not None:
            kind = table_like(line.text, own)
            if kind is not None:
                _tell(f"warning: line 1 looks like the first one of a table; input_format={kind} reads it as one.")
            is_first = False
        yield line


def _tell(text: str) -> None:
    say(open_console(sys.stderr), f"attnfocus: {text}")


def own_tables(dataset: Mapping[str, Any]) -> OwnTables:
    """How the run's own files were read, by the keys of its data set."""
    known = [key for key in COLUMN_KEYS if key in dataset]
    options = {key: dataset.get(key) for key in LAYOUT_KEYS}
    if not known:
        key = COLUMN_KEYS[dataset.get("task") == "translation"]
        return OwnTables(key=f"dataset.{key}", options=options)
    key = f"dataset.{known[0]}"
    if dataset.get("train_target") is not None:  # two files line by line
        return OwnTables(key=key, options=options)
    train, target = dataset.get("train"), dataset.get(TARGET_KEYS[key].removeprefix("dataset."))
    return OwnTables(
        key=key,
        column=dataset[known[0]],
        format=dataset.get("format") or "auto",
        options=options,
        train=None if not train else str(train[0] if isinstance(train, list) else train),
        usual=OF_HUB[key] if "path" in dataset else "",
        target=target if isinstance(target, str) else None,
    )
