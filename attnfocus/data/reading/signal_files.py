"""Signals in files: one signal a file (csv, tsv, npy), or many equal ones in one (npz)."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.codecs.number import parsed
from attnfocus.data.reading.lines import BadRows
from attnfocus.data.reading.tables import Table, table_format
from attnfocus.data.reading.zip_files import unpacked_bytes
from attnfocus.errors import DataError
from attnfocus.regular_files import read_file

MAX_BYTES = 2**31  # of a file of arrays


def read_signal(path: Path, num_channels: int) -> NDArray[np.float32]:
    """(samples, channels): an npy array, or a table with a column for each channel whose first row may name them.

    Raises:
        DataError: it cannot be read, has another number of channels, or a value that is no finite number.
    """
    if path.suffix == ".npy":
        array = _loaded(path)
        samples = np.asarray(array)
        samples = samples[:, np.newaxis] if samples.ndim == 1 else samples
    else:
        samples = _of_table(path, num_channels)
    if samples.ndim != 2 or samples.shape[1] != num_channels:
        raise DataError(f"{path}: is an array of {samples.shape}, where (samples, {num_channels}) is needed.")
    if not len(samples):
        raise DataError(f"{path}: is an empty recording.")
    return as_numbers(samples, path)


def read_arrays(path: Path, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, NDArray[Any]]:
    """The arrays of an npz file by their names.

    Raises:
        DataError: it is no such file, or lacks one of `names`.
    """
    found = _loaded(path)
    if not isinstance(found, Mapping) or any(name not in found for name in names):
        has = ", ".join(found) if isinstance(found, Mapping) else "one array alone"
        raise DataError(f"{path}: needs the arrays {' and '.join(names)}, and has {has}.")
    return {name: found[name] for name in (*names, *optional) if name in found}


def as_numbers(array: NDArray[Any], path: Path) -> NDArray[np.float32]:
    """As float32.

    Raises:
        DataError: what is no number; or is not finite, of which the place is named.
    """
    if array.dtype.kind not in "fiub":
        raise DataError(f"{path}: holds {array.dtype}, where numbers are needed.")
    with np.errstate(over="ignore"):
        numbers = array.astype(np.float32)
    if not np.isfinite(numbers).all():
        place = [int(index) for index in np.argwhere(~np.isfinite(numbers))[0]]
        raise DataError(
            f"{path}: the value at {place}, counted from 0, is missing or not finite. Fill it or remove it."
        )
    return numbers


def _loaded(path: Path) -> Any:
    try:
        content = read_file(path, MAX_BYTES, follow_links=True)
        if zipfile.is_zipfile(io.BytesIO(content)):  # npz: what is packed small may be huge
            size = unpacked_bytes(io.BytesIO(content))
            if size > MAX_BYTES:
                raise DataError(f"{path}: holds {size:,} bytes unpacked, more than {MAX_BYTES:,}. Split it.")
        found = np.load(io.BytesIO(content), allow_pickle=False)
        return found if isinstance(found, np.ndarray) else {name: found[name] for name in found.files}
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}.") from error
    except (ValueError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise DataError(f"{path}: is no file of numpy's arrays of numbers, or a damaged one: {error}.") from error


def _of_table(path: Path, num_channels: int) -> NDArray[np.float64]:
    if not path.is_file():
        raise DataError(f"{path}: file not found. Give the path of a csv or npy file.")
    first = Table(path, (0,), table_format(path)).first_row()
    if len(first) != num_channels:
        raise DataError(f"{path}: has {len(first)} columns, and the model reads {num_channels} channels.")
    has_names = any(parsed(cell) is None for cell in first)
    table, bad = Table(path, tuple(range(num_channels)), table_format(path), has_names), BadRows()
    rows = list[list[float]]()
    for record in table.records(bad):
        numbers = [parsed(value) for value in record.values]
        wrong = next((place for place, number in enumerate(numbers) if number is None), None)
        if wrong is not None:
            bad.add(path, *table.place(record, wrong), f"{record.values[wrong][:40]!r} is no finite number")
            continue
        rows.append([number for number in numbers if number is not None])
    bad.finish()
    return np.array(rows, dtype=np.float64).reshape(-1, num_channels)
