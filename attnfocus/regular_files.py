"""The one way to open a file of a run: a regular file in a real folder, and no link, pipe or device in its place.

A run directory may come from somebody else. What stands there under the name of a file that we read or write can be a
link that leads out of it, a pipe that never ends, or more bytes than there is memory for.
"""

import errno
import io
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_REMAINS = re.compile(r"\.(?P<name>.+)\.\d{16}\.tmp")
# Windows has no such flags, and no such files under these names
_ALWAYS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # opening a pipe would wait for somebody at its other end
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_COPY_BYTES = 2**20


class UnusableFileError(OSError):
    """What stands there is no regular file, or larger than such a file can be."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(errno.EINVAL, problem, str(path))


def read_file(path: Path, max_bytes: int, *, follow_links: bool = False) -> bytes:
    """The content of a regular file.

    Args:
        path: the file.
        max_bytes: more than a file of this kind can have; not more is read.
        follow_links: for files of the user's own, such as groups of a configuration.

    Raises:
        OSError: it cannot be read; `UnusableFileError` where it is no regular file or too large.
    """
    with open_to_read(path, follow_links=follow_links) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise UnusableFileError(path, f"is larger than {max_bytes:,} bytes")
    return content


def read_lines(path: Path, max_line_bytes: int) -> Iterator[bytes]:
    """The lines of a regular file with their ends, one by one, however many there are.

    Raises:
        OSError: as `read_file`; a line is longer than `max_line_bytes`.
    """
    with open_to_read(path) as file:
        while line := file.readline(max_line_bytes + 1):
            if len(line) > max_line_bytes:
                raise UnusableFileError(path, f"has a line of more than {max_line_bytes:,} bytes")
            yield line


def open_to_read(path: Path, *, follow_links: bool = False) -> io.BufferedReader:
    """A regular file, to be read in parts. Raises as `read_file`."""
    return os.fdopen(_open(path, os.O_RDONLY, follow_links=follow_links), "rb")


def open_to_append(path: Path, *, is_new: bool = False) -> io.FileIO:
    """A regular file, made if it is not there; what is written goes to its end, at once.

    A file that has a second name elsewhere (`cp -al`) is replaced by a copy first: the other stays as it is.

    Raises:
        FileExistsError: it is there already, and `is_new`.
        OSError: as `read_file`.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_EXCL if is_new else 0)
    descriptor = _open(path, flags)
    if os.fstat(descriptor).st_nlink > 1:
        os.close(descriptor)
        _replace_by_copy(path)
        descriptor = _open(path, flags)
    return io.FileIO(descriptor, "ab")


def open_to_lock(path: Path) -> int:
    """A descriptor of a regular file, made if it is not there, to be read and written. Raises as `read_file`."""
    return _open(path, os.O_RDWR | os.O_CREAT)


def write_new(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Writes a file that is not there yet, whole or part by part, onto the disk itself.

    Raises:
        FileExistsError: something is there, be it a link that leads nowhere.
        OSError: it cannot be written; there may be a part.
    """
    try:
        with os.fdopen(_open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.filename is None:  # a write knows no name
            error.filename = str(path)
        raise


def replace_file(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Writes a file so that, whatever happens, the path holds either the old content or the new, whole.

    Raises:
        OSError: it cannot be written, or what stands there is no regular file; it is as it was.
    """
    require_regular(path)
    temporary = path.with_name(f".{path.name}.{number()}.tmp")
    try:
        write_new(temporary, content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_remains(folder: Path, is_ours: Callable[[str], bool]) -> None:
    """Removes what kills inside `replace_file` have left of files that nobody else writes now, by their names."""
    for path in sorted(folder.glob(".*.tmp")) if is_folder(folder) else ():
        match = _REMAINS.fullmatch(path.name)
        if match is not None and is_ours(match["name"]) and is_regular(path):
            path.unlink(missing_ok=True)


def number() -> str:
    """16 digits that nobody has foreseen, for the name of a temporary file."""
    return f"{secrets.randbelow(10**16):016}"


def is_regular(path: Path) -> bool:
    """Whether a regular file is there, no link to one."""
    status = _status(path)
    return status is not None and stat.S_ISREG(status.st_mode)


def is_folder(path: Path) -> bool:
    """Whether a folder is there, no link to one."""
    status = _status(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def is_there(path: Path) -> bool:
    """Whether anything has this name, also a link that leads nowhere."""
    return _status(path) is not None


def make_folder(path: Path) -> None:
    """Makes a folder inside a run, or finds it there.

    Raises:
        OSError: it cannot be made; `UnusableFileError` where a link or a file has its name.
    """
    path.mkdir(parents=True, exist_ok=True)
    require_folder(path)


def require_folder(path: Path, *, is_needed: bool = True) -> None:
    """Refuses what is no folder of its own.

    Raises:
        OSError: it is not there, though it `is_needed`; `UnusableFileError` where it is a link or a file.
    """
    if not is_needed and not is_there(path):
        return
    mode = os.lstat(path).st_mode
    if not stat.S_ISDIR(mode):
        raise UnusableFileError(path, _kind(mode) if stat.S_ISLNK(mode) else "is no folder")


def require_regular(path: Path) -> None:
    """Refuses a link, a pipe, a device or a folder. Nothing at all may be there.

    Raises:
        UnusableFileError: it is one.
    """
    status = _status(path)
    if status is not None and not stat.S_ISREG(status.st_mode):
        raise UnusableFileError(path, _kind(status.st_mode))


def _open(path: Path, flags: int, *, follow_links: bool = False) -> int:
    """A descriptor of a regular file. Looked at before, since opening a device can do something; and after."""
    if not follow_links:
        require_folder(path.parent)
    try:
        mode = (os.stat if follow_links else os.lstat)(path).st_mode
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    else:
        if not stat.S_ISREG(mode):
            raise UnusableFileError(path, _kind(mode))
    descriptor = os.open(path, flags | _ALWAYS | _NO_WAIT | (0 if follow_links else _NO_LINK), 0o666)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):  # it was put there meanwhile
        os.close(descriptor)
        raise UnusableFileError(path, _kind(mode))
    return descriptor


def _replace_by_copy(path: Path) -> None:
    temporary = path.with_name(f".{path.name}.{number()}.tmp")
    try:
        with (
            open_to_read(path) as source,
            os.fdopen(_open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as copy,
        ):
            while part := source.read(_COPY_BYTES):
                copy.write(part)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _status(path: Path) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _kind(mode: int) -> str:
    kinds = {
        stat.S_ISLNK: "a symbolic link",
        stat.S_ISDIR: "a folder",
        stat.S_ISFIFO: "a named pipe",
        stat.S_ISSOCK: "a socket",
    }
    kind = next((name for is_kind, name in kinds.items() if is_kind(mode)), "a device")
    return f"is {kind}, and a run has only regular files" if kind != "a folder" else "is a folder, not a file"
