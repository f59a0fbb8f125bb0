"""Locks of folders that end with the process which holds them, however it ends.

A lock is one of the system's own on an open file (POSIX `lockf`), not the file itself: a kill leaves nothing that is
held. Children do not hold it: workers that outlive a killed command keep nobody out. Over NFS it holds on all hosts. A
file system without locks is answered as far as the note in the file goes: a process of this host is looked for, one of
another host is believed to have ended.
"""

import errno
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from attnfocus.regular_files import open_to_lock, read_file

MAX_NOTE_BYTES = 1000
POLL_SECONDS = 0.1
_WITHOUT_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL}
_LOCKED_BYTE = 2**30  # beyond the note, which others read: Windows lets nobody read what is locked

_held: set[Path] = set()  # by this process, which its own lock would not keep out
_guard = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_held.clear)


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, as far as it has been noted. `started`: a mark that tells it from a later process."""

    host: str = "an unknown host"
    pid: int = 0
    started: int = 0

    @classmethod
    def here(cls) -> "Holder":
        return cls(socket.gethostname(), os.getpid(), _started(os.getpid()))

    @property
    def is_local(self) -> bool:
        return self.host == socket.gethostname()

    def __str__(self) -> str:
        return f"process {self.pid or '?'} on {self.host}"


class HeldError(Exception):
    """Somebody else holds the lock.

    Attributes:
        holder: who.
    """

    def __init__(self, holder: Holder) -> None:
        super().__init__(str(holder))
        self.holder = holder


@contextmanager
def locked(path: Path, wait_seconds: float = 0.0) -> Iterator[None]:
    """Holds the lock of a file, which is made if need be and stays.

    Args:
        path: the file; its folder has no link in its place.
        wait_seconds: how long to wait for another holder.

    Raises:
        HeldError: it is held, by another process or elsewhere in this one.
        OSError: the file cannot be written.
    """
    path = path.parent.resolve() / path.name
    deadline = time.monotonic() + wait_seconds
    while (descriptor := _taken(path)) is None:
        if time.monotonic() >= deadline:
            raise HeldError(_noted(path))
        time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
        with _guard:
            os.close(descriptor)  # which lets go
            _held.discard(path)


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock of a file that is there."""
    try:
        with locked(path):
            return False
    except HeldError:
        return True


def _taken(path: Path) -> int | None:
    """An open file with the lock; None where it is held."""
    with _guard:
        if path in _held:
            return None
        descriptor = open_to_lock(path)
        try:
            is_taken = _take(descriptor, path)
            if is_taken:
                note = Holder.here()
                os.ftruncate(descriptor, 0)
                with suppress(OSError):  # a full disk: the lock is held all the same
                    os.write(descriptor, f"{note.host} {note.pid} {note.started}\n".encode())
        except BaseException:
            os.close(descriptor)
            raise
        if not is_taken:
            os.close(descriptor)
            return None
        _held.add(path)
        return descriptor


def _take(descriptor: int, path: Path) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _WITHOUT_LOCKS:
            return not _is_alive(_noted(path))
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            return False
        raise
    return True


def _noted(path: Path) -> Holder:
    if path in _held:
        return Holder.here()  # reading the file would let go of the lock
    try:
        host, pid, started = read_file(path, MAX_NOTE_BYTES).decode().split()
        return Holder(host, int(pid), int(started))
    except (OSError, ValueError):
        return Holder()


def _is_alive(holder: Holder) -> bool:
    """Whether the process of this host is still there; of other hosts nothing is known."""
    if not holder.is_local or holder.pid <= 0 or sys.platform == "win32":  # where asking would end it
        return False
    try:
        os.kill(holder.pid, 0)
    except PermissionError:
        pass
    except OSError:
        return False
    return _started(holder.pid) == holder.started


def _started(pid: int) -> int:
    """When a process started, in the system's own ticks; 0 where that is not told."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(text.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0
