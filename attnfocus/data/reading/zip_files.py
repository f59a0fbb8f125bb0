"""Zip archives: the one file of vectors inside is read as a stream. Nothing is ever written where a name in it says."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from attnfocus.errors import DataError

BadZipError = zipfile.BadZipFile


@contextmanager
def open_member(path: Path, endings: tuple[str, ...], other_endings: tuple[str, ...]) -> Iterator[tuple[BinaryIO, str]]:
    """The content and name of the only file in an archive with such endings, else with one of the others.

    What is written in capitals (README.txt) does not count.

    Raises:
        DataError: there is no such file, or more than one; or the archive is damaged or needs a password.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [member.filename for member in archive.infolist() if not member.is_dir()]
            found = [name for name in names if name.endswith(endings) and not Path(name).stem.isupper()]
            found = found or [name for name in names if name.endswith(other_endings)]
            if len(found) != 1:
                allowed, listed = ", ".join((*endings, *other_endings)), ", ".join(found or names)[:300]
                raise DataError(
                    f"{path}: must hold one file that ends in {allowed}, holds {listed}. Unpack it and give the file "
                    "that you mean."
                )
            with archive.open(found[0]) as member:
                yield cast(BinaryIO, member), found[0]
    except (BadZipError, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError) as error:
        raise DataError(f"{path}: cannot be unpacked ({error}). Give the file inside.") from error


def unpacked_bytes(file: Path | BinaryIO) -> int:
    """How large all files of an archive say that they are. `BadZipError` where it is none."""
    with zipfile.ZipFile(file) as archive:
        return sum(member.file_size for member in archive.infolist())
