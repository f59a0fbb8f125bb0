"""Rows and examples of texts as arrays in files, which are mapped into memory when they are read."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.cache.folder import DamagedError, NewEntry
from attnfocus.data.codecs.packed import PackedExamples
from attnfocus.data.text_blocks import TextBlock
from attnfocus.data.text_rows import TextRows
from attnfocus.data.tokens.id_lists import IdLists
from attnfocus.regular_files import open_to_read

WRITTEN = 1 << 20  # bytes at once


def num_bytes(examples: PackedExamples) -> int:
    """About as many as the files have that `write_examples` writes."""
    of_rows = 0
    if isinstance(examples.rows, TextRows):
        of_rows = sum(len(block.content) + block.places.nbytes for block, _ in examples.rows.by_block())
    return of_rows + sum(array.nbytes for array in examples.arrays().values())


def write_examples(entry: NewEntry, split: str, examples: PackedExamples) -> None:
    """Files of a split: its rows, those that are chosen alone, and what they are encoded to."""
    rows = examples.rows
    assert isinstance(rows, TextRows)
    blocks = list(_blocks(rows))
    sizes = np.array([(block.size, len(block.content)) for block in blocks], dtype=np.int64).reshape(-1, 2)
    write_parts(entry, f"{split}.content.npy", (np.frombuffer(block.content, np.uint8) for block in blocks))
    write_parts(entry, f"{split}.places.npy", (block.places.reshape(-1) for block in blocks))
    write_parts(entry, f"{split}.sizes.npy", [sizes.reshape(-1)])
    for name, array in examples.arrays().items():
        write_parts(entry, f"{split}.{name}.npy", [array])


def read_examples(folder: Path, split: str) -> PackedExamples:
    """The examples that `write_examples` wrote.

    Raises:
        DamagedError: the files do not fit one another.
    """
    content, places, sizes = (mapped(folder / f"{split}.{name}.npy") for name in ("content", "places", "sizes"))
    sizes, places = sizes.reshape(-1, 2), places.reshape(-1, 3, 2)
    if tuple(sizes.sum(axis=0).tolist()) != (len(places), len(content)):
        raise DamagedError("rows are missing")
    memory, blocks, row, start = content.data, [], 0, 0
    for num_rows, size in sizes.tolist():
        blocks.append(TextBlock(memory[start : start + size], places[row : row + num_rows]))
        row, start = row + num_rows, start + size
    names = {name for name in PackedExamples.ARRAYS if (folder / f"{split}.{name}.npy").exists()}
    arrays = {name: mapped(folder / f"{split}.{name}.npy") for name in names}
    targets = IdLists(arrays["targets"], arrays["target_ends"]) if "target_ends" in arrays else arrays["targets"]
    return PackedExamples(
        TextRows(blocks), IdLists(arrays["inputs"], arrays["input_ends"]), targets, arrays["num_words"]
    )


def write_parts(entry: NewEntry, name: str, arrays: Iterable[NDArray[Any]]) -> None:
    """An .npy file of one dimension, part by part."""
    parts = list(arrays)
    dtype = parts[0].dtype
    head = io.BytesIO()
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False}
    np.lib.format.write_array_header_1_0(head, {**header, "shape": (sum(part.size for part in parts),)})
    step = max(1, WRITTEN // dtype.itemsize)
    some = (part[start : start + step] for part in parts for start in range(0, part.size, step))
    entry.write(name, chain([head.getvalue()], (np.ascontiguousarray(each, dtype).tobytes() for each in some)))


def mapped(path: Path) -> NDArray[Any]:
    """An .npy file of one dimension, read as it is used.

    Raises:
        DamagedError: it is none.
    """
    try:
        with open_to_read(path) as file:
            if np.lib.format.read_magic(file) != (1, 0):
                raise DamagedError(f"{path.name} is of another format")
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            if dtype.hasobject or len(shape) != 1:
                raise DamagedError(f"{path.name} holds no numbers")
            if not shape[0]:
                return np.empty(0, dtype)
            return np.asarray(np.memmap(file, dtype, "r", file.tell(), shape))
    except (OSError, ValueError) as error:
        raise DamagedError(f"{path.name}: {error}") from error


def _blocks(rows: TextRows) -> Iterator[TextBlock]:
    for block, numbers in rows.by_block():
        yield block if numbers is None else TextBlock(block.content, block.places[numbers])
