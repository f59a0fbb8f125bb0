"""Files in the format idx, as the sets of MNIST are published, plain or gzip.

Shapes: N items.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from attnfocus.errors import DataError
from attnfocus.stages import stage

UNSIGNED_BYTES = 8  # the number type
MAX_BYTES = 2**32
PART = 2**20


def read_idx(path: Path) -> NDArray[np.uint8]:
    """All of a file of unsigned bytes, in the shape that it says: (N, ...). It is read into its place: once in memory.

    Raises:
        DataError: it is no idx file, of another number type, or not whole.
    """
    try:
        with _opened(path) as file:
            shape = _shape(path, file)
            values = np.empty(prod(shape), dtype=np.uint8)
            place = values.data
            with stage(f"reading {path.name}", len(values)) as reading:
                done = 0
                while done < len(values):
                    count = file.readinto(place[done : done + PART])  # type: ignore[attr-defined]
                    if not count:
                        raise DataError(f"{path}: ends after {done:,} of {len(values):,} bytes. Use an undamaged copy.")
                    done += count
                    reading.advance(count)
            if file.read(1):
                raise DataError(f"{path}: goes on behind its {len(values):,} bytes. Use an undamaged copy.")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    return values.reshape(shape)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with path.open("rb") as plain:
        is_packed = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        if not is_packed:
            yield plain
            return
        with gzip.open(plain, "rb") as file:
            yield cast(BinaryIO, file)


def _shape(path: Path, file: BinaryIO) -> tuple[int, ...]:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] != UNSIGNED_BYTES or not head[3]:
        raise DataError(f"{path}: is no idx file of unsigned bytes. Use an undamaged copy.")
    sizes = np.frombuffer(file.read(4 * head[3]), dtype=">u4").tolist()
    if len(sizes) != head[3] or prod(sizes) > MAX_BYTES:
        raise DataError(f"{path}: its head is damaged. Use an undamaged copy.")
    return tuple(sizes)
