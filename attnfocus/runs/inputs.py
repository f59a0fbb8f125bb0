"""The inputs that a saved run is to answer for, read as the files that it was trained on."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attnfocus.data.reading.input_layouts import InputOptions, Layout, OwnTables, layout_of
from attnfocus.display.console import open_console, say
from attnfocus.runs.config import RunConfig
from attnfocus.runs.schema import InputChoice


def layout_for(name: str, choice: InputChoice) -> Layout:
    """How a file, or standard input (`-`), is read for a run. What was decided is said on standard error.

    Raises:
        ConfigError: there is no such run, file, column or encoding.
    """
    config = RunConfig.load("run", Path(choice.run).expanduser().resolve(), choice.trust)
    options = InputOptions(format=choice.input_format, column=choice.text_column, encoding=choice.encoding)
    layout = layout_of(name, options, own_tables(config.values["dataset"]))
    if layout.note:
        say(open_console(sys.stderr), f"attnfocus: {layout.note}")
    return layout


def own_tables(dataset: Mapping[str, Any]) -> OwnTables:
    """How the run's own files were read, by the keys of its data set."""
    encoding = dataset.get("encoding") or "utf-8"
    column = dataset.get("text_column", dataset.get("source_column"))
    if column is None or dataset.get("train_target") is not None:  # no tables, or two files line by line
        return OwnTables(encoding=encoding)
    return OwnTables(
        column=column,
        format=dataset.get("format") or "auto",
        header=dataset.get("header"),
        encoding=encoding,
        train=dataset.get("train"),
    )
