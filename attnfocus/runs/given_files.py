"""Whether the files that a command line names are there: seen before torch is loaded."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attnfocus.config.wrong_choices import own_columns
from attnfocus.errors import ConfigError, DataError, Problem, UserError

FILE_SOURCES = ("attnfocus.data.LabelledText", "attnfocus.data.ParallelText")
FILE_KEYS = tuple(f"{split}{side}" for split in ("train", "valid", "test") for side in ("", "_target"))


def require_files(values: Mapping[str, Any]) -> None:
    """Refuses files of data that are not there, in what a verb's configuration is composed of.

    Raises:
        MissingFileError: one is not there.
        ConfigError: several are not, or none is named where one is needed.
    """
    errors = [*_of_data(values), *_of_input(values)]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ConfigError([error.args[0] for error in errors])


def _of_data(values: Mapping[str, Any]) -> Iterator[UserError]:
    section = values.get("dataset")
    if not isinstance(section, Mapping) or section.get("_target_", FILE_SOURCES[0]) not in FILE_SOURCES:
        return
    if "_target_" in section and not section.get("train") and not values.get("resume"):
        yield _not_given(is_labelled=section["_target_"] == FILE_SOURCES[0])
    given = {key: section[key] for key in FILE_KEYS if section.get(key)}
    if not given:
        return
    from attnfocus.data.reading.data_files import MissingFileError, find_files

    for key, names in given.items():
        if not isinstance(names, str | list):
            continue  # its type is wrong, which is said
        try:
            find_files(names if isinstance(names, str) else [str(name) for name in names], f"dataset.{key}")
        except MissingFileError as error:
            yield error
        except DataError:
            pass  # of a folder: said when it is read


def _not_given(*, is_labelled: bool) -> ConfigError:
    """What is said of a set of files without a file; a table that is here and has its columns is proposed."""
    from attnfocus.data.reading.data_files import tables_here
    from attnfocus.data.sources.files import LABELS_NEEDED, PAIRS_NEEDED

    here = [path.name for path in tables_here(Path())]
    fitting = [name for name in here if len(own_columns(Path(name))) == 2] if is_labelled else []
    remark = f" Here is {' and '.join(fitting[:3])}." if fitting else ""
    text = f"dataset.train is not given. {LABELS_NEEDED if is_labelled else PAIRS_NEEDED}{remark}"
    return ConfigError(Problem(text, "dataset.train", [f"dataset.train={fitting[0]}"] if fitting else None))


def _of_input(values: Mapping[str, Any]) -> Iterator[UserError]:
    name = values.get("input")
    if not isinstance(name, str) or not name:
        return
    from attnfocus.data.reading.inputs import require_input

    try:
        require_input(name)
    except ConfigError as error:
        yield error
