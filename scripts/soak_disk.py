"""Names every disk operation of a process below a folder, so that `soak.py` can end the process at any of them.

Nothing in the program takes part: Python's audit events tell of each operation before it is done, and `os.fsync`,
which has none, is wrapped in the process that is to die. Linux only (/proc).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_EVENTS = {"os.mkdir": "mkdir", "os.rename": "rename", "os.remove": "unlink", "os.rmdir": "rmdir", "open": "open"}
_WRITES = os.O_WRONLY | os.O_RDWR


@dataclass(frozen=True)
class Operation:
    """What is about to be done.

    Attributes:
        name: such as `rename checkpoints/.tmp-step-N-N to checkpoints/step-N`; numbers are N.
        tear: does it in part, as a process does that dies in the middle of it.
    """

    name: str
    tear: Callable[[], None]


def watch(folder: Path, hear: Callable[[Operation], None]) -> None:
    """From now on, `hear` is told of each operation of this process below `folder`. There is no way back."""
    watcher = _Watcher(folder.resolve(), hear, os.getpid())
    sys.addaudithook(watcher.on_event)
    fsync = os.fsync

    def watched_fsync(file: Any) -> None:
        watcher.on_fsync(file if isinstance(file, int) else file.fileno())
        fsync(file)

    os.fsync = watched_fsync  # type: ignore[assignment]


class _Watcher:
    def __init__(self, folder: Path, hear: Callable[[Operation], None], process: int) -> None:
        self.folder, self.hear, self.process = folder, hear, process
        self.is_hearing = False

    def on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _EVENTS or self.is_hearing or os.getpid() != self.process:
            return
        self.is_hearing = True  # what follows is of our own making
        try:
            if event == "open":
                self._opened(*arguments)
            elif event == "os.rename":
                source, target, source_fd, target_fd = arguments
                self._tell("rename", _nothing, _absolute(source, source_fd), _absolute(target, target_fd))
            else:
                self._tell(_EVENTS[event], _nothing, _absolute(arguments[0], arguments[-1]))
        finally:
            self.is_hearing = False

    def on_fsync(self, descriptor: int) -> None:
        """A file that is cut to half is one that died while it was written; a folder has no half."""
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        self.is_hearing = True
        try:
            self._tell("fsync", _nothing if path.is_dir() else lambda: _halve(path), path)
        finally:
            self.is_hearing = False

    def _opened(self, path: Any, mode: str | None, flags: int) -> None:
        if isinstance(path, str | os.PathLike) and flags & _WRITES:  # reading changes nothing
            where = os.fspath(path)
            self._tell("open", lambda: os.close(os.open(where, flags, 0o666)), _absolute(where, -1))

    def _tell(self, verb: str, tear: Callable[[], None], *paths: Path) -> None:
        if any(path.is_relative_to(self.folder) for path in paths):
            names = (re.sub(r"\d+", "N", os.path.relpath(path, self.folder)) for path in paths)
            self.hear(Operation(f"{verb} {' to '.join(names)}", tear))


def _absolute(path: Any, folder: int) -> Path:
    """Relative paths are below an open folder if there is one (-1: there is none), else below the current one."""
    base = os.getcwd() if folder == -1 else os.readlink(f"/proc/self/fd/{folder}")
    return Path(base, os.fsdecode(path))


def _halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _nothing() -> None:
    """Operations that are done at once or not at all."""
