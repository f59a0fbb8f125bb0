"""Whether the files that a command line names are there: seen before torch is loaded."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnfocus.config.wrong_choices import own_columns
from attnfocus.errors import ConfigError, DataError, Problem, UserError

if TYPE_CHECKING:
    from attnfocus.data.reading.data_files import MissingFileError

LABELLED, RUNNING = "attnfocus.data.LabelledText", "attnfocus.data.RunningText"
FILE_SOURCES = (LABELLED, "attnfocus.data.ParallelText", RUNNING)
MAX_SHOWN = 3  # files
FILE_KEYS = ("train", "train_target", "valid", "valid_target", "test", "test_target")


def require_files(values: Mapping[str, Any]) -> None:
    """Refuses files of data that are not there, in what a verb's configuration is composed of.

    Raises:
        MissingFileError: one is not there.
        ConfigError: several are not, or none is named where one is needed.
    """
    missing = _missing(values)
    others = [*_not_given(values), *_of_input(values)]
    if len(missing) + len(others) == 1:
        raise [*missing, *others][0]
    if missing or others:
        raise ConfigError([*(error.args[0] for error in others), *_said_together(missing)])


def _said_together(missing: Sequence["MissingFileError"]) -> list[Problem]:
    """What is said of several files: each, and at the end the way out, with the tables of each folder."""
    ways = [error.way_out for error in missing]
    said = []
    for place, error in enumerate(missing):
        is_below = any(way.endswith(error.way_out) for way in (*ways[place + 1 :], *set(ways) - {error.way_out}))
        said.append(error.said("" if is_below else error.way_out))
    return sorted(said, key=lambda problem: "\n" in problem)


def _missing(values: Mapping[str, Any]) -> list["MissingFileError"]:
    """The files of data that are not there."""
    section = _of_files(values)
    given = {key: section[key] for key in FILE_KEYS if section.get(key)}
    if not given:
        return []
    from attnfocus.data.reading.data_files import MissingFileError, find_files
    from attnfocus.data.sources.embedded import without_files

    missing = []
    for key, names in given.items():
        if not isinstance(names, str | list):
            continue  # its type is wrong, which is said
        try:
            find_files(names if isinstance(names, str) else [str(name) for name in names], f"dataset.{key}")
        except MissingFileError as error:
            # Where the set is chosen here, it can be another; a run that is there has its own.
            way_out = error.way_out
            if "_target_" in section:
                way_out += f" {without_files(section.get('task'))}"
            missing.append(MissingFileError(error.key, error.problem, way_out, error.near))
        except DataError:
            pass  # of a folder: said when it is read
    return missing


def _of_files(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The section of a set that is made of the user's files, or of files for a run; empty where it is another."""
    section = values.get("dataset")
    if not isinstance(section, Mapping) or section.get("_target_", FILE_SOURCES[0]) not in FILE_SOURCES:
        return {}
    return section


def _not_given(values: Mapping[str, Any]) -> Iterator[ConfigError]:
    """What is said of a set of files without a file; a table that is here and has its columns is proposed."""
    section = _of_files(values)
    if "_target_" not in section or section.get("train") or values.get("resume"):
        return
    from attnfocus.data.reading.data_files import tables_here
    from attnfocus.data.sources.files import LABELS_NEEDED, PAIRS_NEEDED

    if section["_target_"] == RUNNING:
        yield ConfigError(_no_text())
        return
    is_labelled = section["_target_"] == LABELLED
    here = [path.name for path in tables_here(Path())]
    fitting = [name for name in here if len(own_columns(Path(name))) == 2] if is_labelled else []
    remark = f" Here is {' and '.join(fitting[:3])}." if fitting else ""
    text = f"dataset.train is not given. {LABELS_NEEDED if is_labelled else PAIRS_NEEDED}{remark}"
    yield ConfigError(Problem(text, "dataset.train", [f"dataset.train={fitting[0]}"] if fitting else None))


def _no_text() -> Problem:
    """What is said of a set of long texts without a file; one that is here is proposed."""
    from attnfocus.data.sources.running_text import TEXT_NEEDED

    here = sorted(path.name for path in Path().glob("*.txt"))[:MAX_SHOWN]
    remark = f" Here is {' and '.join(here)}." if here else ""
    key = "dataset.train"
    return Problem(f"{key} is not given. {TEXT_NEEDED}{remark}", key, [f"{key}={here[0]}"] if here else None)


def _of_input(values: Mapping[str, Any]) -> Iterator[UserError]:
    given = values.get("input")
    names = given if isinstance(given, list) else [given]
    if not names or not all(isinstance(name, str) and name for name in names):
        return
    from attnfocus.data.reading.inputs import input_files

    try:
        input_files(given)  # type: ignore[arg-type]
    except ConfigError as error:
        yield error
