"""The cache folder: entries that are whole or not there, of this user alone, the oldest-used of which go first."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attnfocus.errors import ConfigError
from attnfocus.regular_files import is_folder, is_regular, number, open_to_read, read_file
from attnfocus.stages import Stage, stage

ENTRY_FILE = "entry.json"
MAX_ENTRY_BYTES = 64 * 2**20
HASH_BYTES = 1 << 20
ABANDONED_SECONDS = 24 * 3600  # a temporary folder that nobody can be writing any more
GB = 10**9
_KEY = re.compile("[0-9a-f]{40}")
_REMAINS = re.compile(r"\.[0-9a-f]{40}\.\d{16}\.tmp")


class DamagedError(Exception):
    """An entry that is not what was written."""


@dataclass(frozen=True)
class CacheFolder:
    """Where prepared data are kept.

    Args:
        path: the folder; it is made.
        max_bytes: of all entries together; 0: nothing is kept, and nothing is looked for.
    """

    path: Path
    max_bytes: int

    def ready(self) -> None:
        """Makes the folder, or finds one of this user, which is closed to others if nothing but entries is in it.

        Raises:
            ConfigError: it is a link, no folder, of another user, or holds other things and others may write to it.
            OSError: it cannot be made.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            self.path.mkdir(mode=0o700)
        status = os.lstat(self.path)
        problem = None
        if not stat.S_ISDIR(status.st_mode):
            problem = "is a link or a file, not a folder"
        elif hasattr(os, "getuid") and status.st_uid != os.getuid():
            problem = "belongs to another user, who could change what this one reads"
        elif status.st_mode & 0o077 and all(_is_entry(each) or _is_remains(each) for each in self.path.iterdir()):
            os.chmod(self.path, 0o700)
        elif status.st_mode & 0o022:
            problem = "holds other things, and other users may write to it, who could change what this one reads"
        if problem is not None:
            raise ConfigError(f"paths.cache: {self.path} {problem}. Give a folder of your own, or paths.cache_gb=0")

    def find(self, key: str) -> Path | None:
        """The folder of an entry, from now on the latest used; None: there is none."""
        entry = self.path / key
        if not is_folder(entry):
            return None
        with contextlib.suppress(OSError):
            os.utime(entry)
        return entry

    def keep(self, key: str, write: Callable[[Path], dict[str, Any]], keeping: Stage) -> None:
        """Makes an entry; of several writers one succeeds, whose entry is as good.

        Args:
            write: writes files into a folder, and gives what stands about them in the entry's own file.
            keeping: moves by the bytes of these files, while they are read again.

        Raises:
            OSError: it cannot be written; nothing is left of it.
        """
        temporary = self.path / f".{key}.{number()}.tmp"
        temporary.mkdir(mode=0o700)
        try:
            content = write(temporary)
            files = {file.name: _checked(file, keeping) for file in sorted(temporary.iterdir())}
            entry = {**content, "files": files}
            _write(temporary / ENTRY_FILE, json.dumps({**entry, "digest": _content_digest(entry)}).encode())
            if sum(each["size"] for each in files.values()) <= self.max_bytes:
                with contextlib.suppress(OSError):  # another has been faster
                    os.rename(temporary, self.path / key)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self.bound()

    def drop(self, key: str) -> None:
        """Removes an entry. Who has its files open can go on reading them."""
        gone = self.path / f".{key}.{number()}.tmp"
        with contextlib.suppress(OSError):
            os.rename(self.path / key, gone)
        shutil.rmtree(gone, ignore_errors=True)

    def bound(self) -> None:
        """Removes the entries that were not used for longest, until the others have room; nothing that is none."""
        entries = []
        for entry in list(self.path.iterdir()):
            with contextlib.suppress(OSError):
                used = os.lstat(entry).st_mtime
                if _is_entry(entry):
                    entries.append((used, entry.name, sum(os.lstat(file).st_size for file in entry.iterdir())))
                elif _is_remains(entry) and used < time.time() - ABANDONED_SECONDS:
                    shutil.rmtree(entry, ignore_errors=True)
        total = sum(size for _, _, size in entries)
        for _, name, size in sorted(entries):
            if total <= self.max_bytes:
                return
            self.drop(name)
            total -= size


def checked_content(entry: Path) -> dict[str, Any]:
    """What an entry's own file says, after all its files have been compared with it.

    Raises:
        DamagedError: a file is missing, or is not what was written.
    """
    try:
        content = json.loads(read_file(entry / ENTRY_FILE, MAX_ENTRY_BYTES))
        if content.pop("digest") != _content_digest(content):
            raise DamagedError(f"{ENTRY_FILE} has changed")
        expected = content["files"]
        with stage("checking prepared data", sum(each["size"] for each in expected.values())) as checking:
            for name, each in expected.items():
                if Path(name).name != name or digest_of(entry / name, checking) != each["digest"]:
                    raise DamagedError(f"{name} has changed")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(str(error)) from error
    return dict(content)


def digest_of(path: Path, moving: Stage, *, follow_links: bool = False) -> str:
    """Of a file's content."""
    digest = hashlib.blake2b(digest_size=32)
    with open_to_read(path, follow_links=follow_links) as file:
        for part in _parts(file):
            digest.update(part)
            moving.advance(len(part))
    return digest.hexdigest()


def _is_entry(path: Path) -> bool:
    return _KEY.fullmatch(path.name) is not None and is_folder(path) and is_regular(path / ENTRY_FILE)


def _is_remains(path: Path) -> bool:
    """Whether it is what a kill inside `keep` or `drop` has left, or another writer's."""
    return _REMAINS.fullmatch(path.name) is not None and is_folder(path)


def _parts(file: Any) -> Iterator[bytes]:
    return iter(lambda: file.read(HASH_BYTES), b"")


def _checked(path: Path, moving: Stage) -> dict[str, Any]:
    os.chmod(path, 0o600)
    return {"size": path.stat().st_size, "digest": digest_of(path, moving)}


def _content_digest(content: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=32).hexdigest()


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
