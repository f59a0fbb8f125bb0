"""The inputs that a saved run is to answer for, read as the files that it was trained on."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attnfocus.data.reading.encodings import require_encoding
from attnfocus.data.reading.input_layouts import InputLayout, InputOptions, OwnTables, input_layout
from attnfocus.display.console import open_console, say
from attnfocus.runs.config import RunConfig
from attnfocus.runs.schema import InputChoice

COLUMN_KEYS = ("text_column", "source_column")  # of the data sets that have columns: what the inputs are called
LAYOUT_KEYS = ("separator", "quotes", "header")
UTF_8 = "utf-8"


def layout_for(name: str, choice: InputChoice, given: Mapping[str, Any]) -> InputLayout:
    """How a file, or standard input (`-`), is read for a run. What was decided is said on standard error.

    Args:
        given: keys of the run's data set that the command line has.

    Raises:
        ConfigError: there is no such run, file, column or encoding.
        DataError: the file cannot be read.
    """
    config = RunConfig.load("run", Path(choice.run).expanduser().resolve(), choice.trust)
    dataset = {**config.values["dataset"], **given}
    encoding = choice.encoding or dataset.get("encoding") or UTF_8
    require_encoding("encoding", encoding)
    options = InputOptions(format=choice.input_format, column=choice.text_column, encoding=encoding)
    layout = input_layout(name, options, own_tables(dataset))
    for note in layout.notes:
        say(open_console(sys.stderr), f"attnfocus: {note}")
    return layout


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
    train = dataset.get("train")
    return OwnTables(
        key=key,
        column=dataset[known[0]],
        format=dataset.get("format") or "auto",
        options=options,
        train=None if not train else str(train[0] if isinstance(train, list) else train),
    )
